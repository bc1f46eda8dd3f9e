package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// ReasonAsleep marks the only finding about an environment that is asleep.
const ReasonAsleep = "Asleep"

// reasonProtectedAsleep marks an environment that is protected, and yet asleep.
const reasonProtectedAsleep = "ProtectedAsleep"

// Asleep reports whether the report is about an environment that is asleep.
func (r Report) Asleep() bool { return len(r.Services) == 1 && r.Services[0].Reason == ReasonAsleep }

// asleepFindings returns the findings of an environment that is asleep, or findings as they are where it is awake. One finding replaces all
// others but that of the alarms about its schedule, which may be why it is asleep.
// The account is read only where one of them is an error or a warning, as in every environment that is asleep. Where it cannot be read, and
// there are errors, that is one more finding.
func asleepFindings(ctx context.Context, rc *runContext, findings []Finding) (_ []Finding, isAsleep bool) {
	if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == Error || f.Status == Warning }) {
		return findings, false
	}
	marker, err := asleep.Read(ctx, rc.aws(), rc.env)
	switch {
	case err != nil && slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == Error }):
		return append(findings, unknownFinding("stack", "Asleep-"+rc.env.Name, err)), false
	case err != nil || marker == nil:
		return findings, false
	}
	failed := list.Filter(findings, func(f Finding) bool { return f.Reason == reasonScheduleFailed })
	services, database, err := readBoth(ctx, rc, readServices, readDatabase)
	if err != nil {
		return append(failed, unknownFinding("stack", stackService(rc.env), err)), true
	}
	return append(failed, evaluateAsleep(*marker, services, database, rc.env)), true
}

// evaluateAsleep evaluates an environment that is marked as asleep: healthy where nothing runs. What runs either has not been stopped or started
// yet, or RDS has started the database again after seven days.
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
	if len(running) > 0 {
		return f.warning("RunsAsleep", Hint{
			Cause:    "RDS starts a stopped database after seven days; or sleep or wake was interrupted, or is running",
			Solution: "put it to sleep again, or wake it with `" + command(env, "wake") + "`", Command: command(env, "sleep"),
		}, "%s is asleep since %s, and yet %s not stopped: %s", env.Name, since, text.PluralWord(len(running), "this is", "these are"), strings.Join(running, ", "))
	}
	if !env.MaySleep() {
		return f.warning(reasonProtectedAsleep, Hint{
			Cause:    "it was put to sleep before " + environment.FileName(env.Stack) + " protected it",
			Solution: "wake it", Command: command(env, "wake"),
		}, "%s is asleep since %s, and protected: no task runs, and the database is stopped", env.Name, since)
	}
	return f.healthy(ReasonAsleep, "%s is asleep since %s: no task runs, the database is stopped, and its alarms notify no one", env.Name, since)
}
