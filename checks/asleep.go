package checks

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/probe"
)

// ReasonAsleep marks the finding about an environment that is asleep. It replaces those of what sleep stops, and those that are healthy.
const ReasonAsleep = "Asleep"

// reasonProtectedAsleep marks an environment that is protected, and yet asleep.
const reasonProtectedAsleep = "ProtectedAsleep"

// Asleep reports whether the report is about an environment that is asleep.
func (r Report) Asleep() bool { return len(r.Services) > 0 && r.Services[0].Reason == ReasonAsleep }

// sleepState has what runs of an environment that is marked as asleep.
type sleepState struct {
	// marker is nil where the environment is awake; then the rest is not read.
	marker   *environment.SleepMarker
	services []ecstypes.Service
	database *rdstypes.DBInstance
}

// readSleep returns the state of an environment that is marked as asleep. A protected one may have been marked before it was protected.
func readSleep(ctx context.Context, rc *runContext) (sleepState, error) {
	marker, err := cached(ctx, &rc.cache, "asleep", func(ctx context.Context) (*environment.SleepMarker, error) {
		return asleep.Read(ctx, rc.aws(), rc.env)
	})
	if err != nil || marker == nil {
		return sleepState{}, err
	}
	services, database, err := readBoth(ctx, rc, readServices, readDatabase)
	return sleepState{marker, services, database}, err
}

// runs reports whether everything runs, so that only the alarms are still muted.
func (s sleepState) runs() bool {
	stopped := func(s ecstypes.Service) bool { return s.DesiredCount == 0 || s.RunningCount < s.DesiredCount }
	return len(s.services) > 0 && !slices.ContainsFunc(s.services, stopped) &&
		(s.database == nil || rdsstate.Of(aws.ToString(s.database.DBInstanceStatus)).Serves())
}

// isAsleep reports whether the environment is marked as asleep, and something of it does not run.
func (s sleepState) isAsleep() bool { return s.marker != nil && !s.runs() }

// evaluateMuted returns a warning where everything runs of an environment that is marked as asleep: its alarms notify no one. It returns nil
// otherwise.
func (s sleepState) evaluateMuted(env *environment.Environment) *Finding {
	if s.marker == nil || !s.runs() {
		return nil
	}
	since := text.Minute(s.marker.Since)
	f := newFinding("alarms", "CloudWatch-Alarms-"+env.CompositeAlarmName()).with("by", s.marker.By).with("parameter", env.AsleepParameter()).
		with("asleep_since", s.marker.Since.UTC().Format(time.RFC3339)).
		warning("AlarmsMuted", Hint{
			Cause:    "wake was interrupted, has failed or is running, or what sleep had stopped was started outside the deployer",
			Solution: "let the alarms notify people again, or put it to sleep again with `" + command(env, "sleep") + "`", Command: command(env, "wake"),
		}, "%s runs, but it is marked as asleep since %s: its alarms notify no one", env.Name, since)
	return &f
}

// sleepReasons lists, by component, the reasons of the findings that sleep causes: no task runs, so that nothing answers and messages wait, and
// the database is stopped.
var sleepReasons = map[string][]string{
	"ecs_service":      {"NoTasksDesired", "TasksNotRunning", "RolloutInProgress"},
	"ecs_tasks":        {"NoTasks", "TasksStarting"},
	"autoscaling":      {"ScalingSuspended"},
	"target_groups":    {"NoTargets", "NoHealthyTargets", "TargetsStarting", "TargetsUnhealthy"},
	"image":            {"NoImageRunning"},
	"queue":            {"MessagesOld", "MessagesWaiting"},
	"database_backups": {"RestorableLags"},
	"endpoint":         {string(probe.HTTPStatus), string(probe.BodyNotHealthy), string(probe.NoAnswer)},
	"readiness":        {string(probe.HTTPStatus), string(probe.BodyNotHealthy), string(probe.NoAnswer)},
}

// stoppedStatuses lists those of a database that sleep stops, and wake starts.
var stoppedStatuses = []string{rdsstate.Stopping, rdsstate.Stopped, "starting"}

// causedBySleep reports whether sleep causes a finding. Other problems are reported while the environment is asleep, too.
func causedBySleep(f Finding) bool {
	if f.Component == "database" {
		status, _ := f.Details["status"].(string)
		return f.Reason == "DatabaseUnavailable" && slices.Contains(stoppedStatuses, status)
	}
	return slices.Contains(sleepReasons[f.Component], f.Reason)
}

// asleepFindings returns the finding about an environment that is asleep, which replaces those that sleep causes and the healthy ones; or the
// findings as they are, where it is awake, or sleep causes none of them. Where it is unknown whether it is asleep, and there are errors, that is
// one more finding.
func asleepFindings(ctx context.Context, rc *runContext, findings []Finding) (_ []Finding, isAsleep bool) {
	isError := func(f Finding) bool { return f.Status == Error }
	if !slices.ContainsFunc(findings, causedBySleep) && !slices.ContainsFunc(findings, isError) {
		return findings, false
	}
	state, err := readSleep(ctx, rc)
	switch {
	case err != nil && slices.ContainsFunc(findings, isError):
		return append(findings, unknownFinding("stack", "Asleep-"+rc.env.Name, err)), false
	case err != nil || !state.isAsleep() || !slices.ContainsFunc(findings, causedBySleep):
		return findings, false
	}
	problems := list.Filter(findings, func(f Finding) bool { return f.Status != Healthy && !causedBySleep(f) })
	return append([]Finding{evaluateAsleep(*state.marker, state.services, state.database, rc.env)}, problems...), true
}

// evaluateAsleep evaluates an environment that is marked as asleep: healthy where nothing runs, and no one is waking it. What
// runs either has not been stopped or started yet, or RDS has started the database again after seven days.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
func evaluateAsleep(marker environment.SleepMarker, services []ecstypes.Service, database *rdstypes.DBInstance, env *environment.Environment) Finding {
	f := newFinding("stack", stackService(env)).with("by", marker.By)
	setTime(f.details, "asleep_since", &marker.Since)
	var running []string
	tasks := 0
	for _, s := range services {
		tasks += int(max(s.DesiredCount, s.RunningCount))
	}
	if tasks > 0 {
		running = append(running, text.Plural(tasks, "task", "tasks"))
	}
	if database != nil {
		status := aws.ToString(database.DBInstanceStatus)
		f = f.with("database", status)
		if status != rdsstate.Stopped && status != rdsstate.Stopping {
			running = append(running, "the database, which is "+status)
		}
	}
	since := text.Minute(marker.Since)
	wake := Hint{Solution: "wake it", Command: command(env, "wake")} // all that is possible where it is protected
	if marker.Waking() {
		wake.Cause, wake.Solution = "a wake, a deployment or the schedule is waking it, or was interrupted", "wait for its end, or wake it again"
		if env.MaySleep() {
			wake.Solution += "; `" + command(env, "sleep") + "` puts it to sleep again"
		}
		return f.warning("Waking", wake, "%s is asleep since %s, and a wake has not ended; started so far: %s", env.Name, since,
			cmp.Or(strings.Join(running, ", "), "nothing"))
	}
	if len(running) > 0 {
		end := wake
		if env.MaySleep() {
			end = Hint{Solution: "put it to sleep again, or wake it with `" + wake.Command + "`", Command: command(env, "sleep")}
		}
		end.Cause = "RDS starts a stopped database after seven days; or sleep was interrupted, or is running"
		return f.warning("RunsAsleep", end, "%s is asleep since %s, and yet %s not stopped: %s", env.Name, since, text.PluralWord(len(running), "this is", "these are"), strings.Join(running, ", "))
	}
	databaseStatus := ""
	if database != nil {
		databaseStatus = "the database is " + aws.ToString(database.DBInstanceStatus) + ", "
	}
	if !env.MaySleep() {
		wake.Cause = "it was put to sleep before " + environment.FileName(env.Stack) + " protected it"
		return f.warning(reasonProtectedAsleep, wake, "%s is asleep since %s, and protected: no task runs, %sand its alarms may notify no one", env.Name, since, databaseStatus)
	}
	return f.healthy(ReasonAsleep, "%s is asleep since %s: no task runs, %sand its alarms notify no one", env.Name, since, databaseStatus)
}
