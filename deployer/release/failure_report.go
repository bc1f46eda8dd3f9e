package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/awsx/logstream"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// failedTask is a task of this run's deployment that stopped without being asked to.
type failedTask struct {
	task  types.Task
	cause checks.Stop
}

func (f failedTask) id() string { return shortTaskID(&f.task) }

// failedTasks returns the failed tasks of this run's deployment, the oldest first.
func (o observation) failedTasks() []failedTask {
	if o.deployment == nil {
		return nil
	}
	var failed []failedTask
	for _, t := range o.tasks {
		if !o.stopped(t) || !o.isOwn(t) {
			continue
		}
		if cause := checks.StopCause(t); cause.Failed() {
			failed = append(failed, failedTask{task: t, cause: cause})
		}
	}
	slices.SortFunc(failed, func(a, b failedTask) int {
		return cmp.Or(aws.ToTime(a.task.CreatedAt).Compare(aws.ToTime(b.task.CreatedAt)),
			strings.Compare(aws.ToString(a.task.TaskArn), aws.ToString(b.task.TaskArn)))
	})
	return failed
}

// stopped reports whether a task has stopped, even where its network interface is still being detached.
func (o observation) stopped(t types.Task) bool {
	if aws.ToString(t.DesiredStatus) != "STOPPED" {
		return false
	}
	c := containerNamed(t, o.container)
	return aws.ToString(t.LastStatus) == "STOPPED" || t.StopCode == types.TaskStopCodeTaskFailedToStart || c != nil && c.ExitCode != nil
}

// isOwn reports whether this run's deployment started the task.
func (o observation) isOwn(t types.Task) bool {
	if by := aws.ToString(t.StartedBy); o.startedBy != "" && by != "" {
		return by == o.startedBy
	}
	return !aws.ToTime(t.CreatedAt).Before(aws.ToTime(o.deployment.CreatedAt))
}

// latestEvent returns what ECS did last for the service, or could not do.
func (o observation) latestEvent() types.ServiceEvent {
	if o.service == nil || len(o.service.Events) == 0 {
		return types.ServiceEvent{}
	}
	return slices.MaxFunc(o.service.Events, func(a, b types.ServiceEvent) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
}

// launchFailure returns why ECS cannot start tasks of this deployment; false where it can.
func (o observation) launchFailure() (checks.Stop, bool) {
	if o.service == nil || o.deployment == nil {
		return checks.Stop{}, false
	}
	return checks.LaunchFailure(o.service.Events, aws.ToTime(o.deployment.CreatedAt))
}

// taskFailureReporter reports once what happens to tasks.
type taskFailureReporter struct {
	rollout *ecsRollout
	log     phaseLog
	// reported are the tasks, causes and launch failures that were reported.
	reported map[string]bool
}

func (t *taskFailureReporter) first(key string) bool {
	known := t.reported[key]
	t.reported[key] = true
	return !known
}

// report reports every failed task, with the last log line for the first of a cause, and why ECS cannot start any.
func (t *taskFailureReporter) report(ctx context.Context, o observation) {
	for _, failed := range o.failedTasks() {
		arn := aws.ToString(failed.task.TaskArn)
		if !t.first(arn) {
			continue
		}
		if !t.first(failed.cause.Message) {
			t.log.note("%s task %s stopped: %s", o.role, failed.id(), failed.cause.Message)
			continue
		}
		t.log.warn("%s task %s stopped: %s", o.role, failed.id(), failed.cause.Message)
		if line := strings.Join(t.rollout.lastLogLines(ctx, o.role, arn, 1), ""); line != "" {
			t.log.note("  last log line: %s", line)
		}
	}
	if cause, failing := o.launchFailure(); failing && t.first(o.name+cause.Message) {
		t.log.warn("%s cannot start tasks: %s; ECS keeps trying", o.role, cause.Message)
	}
}

// serviceFailure is why the rollout of one service failed.
type serviceFailure struct {
	verdict, evidence, hint string
	// causes are those of the tasks that stopped or could not start; none where that is unknown.
	causes []checks.Stop
	// byAlarm reports that ECS ended the rollout because of an alarm.
	byAlarm bool
}

// A rolloutError reports why the rollout of services failed.
type rolloutError struct {
	text, hint string
	failures   []serviceFailure
}

func (e *rolloutError) Error() string { return e.text }

// Hint returns what to do.
func (e *rolloutError) Hint() string { return e.hint }

// outside returns the causes that lie outside the image, so that another image would fail in the same way; "" where one of the
// services may have failed for another reason. changesSecrets reports that the earlier deployment may have required other keys.
func (e *rolloutError) outside(changesSecrets bool) string {
	var causes []string
	for _, f := range e.failures {
		if len(f.causes) == 0 {
			return ""
		}
		for _, c := range f.causes {
			if !c.AnyImage || changesSecrets && c.Kind == checks.StopMissingSecret {
				return ""
			}
			if !slices.Contains(causes, c.Message) {
				causes = append(causes, c.Message)
			}
		}
	}
	return text.Join(causes, "and")
}

// explain collects why a service failed: why tasks stopped or could not start, and the last log lines.
func (r *ecsRollout) explain(ctx context.Context, o observation, message string) serviceFailure {
	if alarms := o.triggeredAlarms(); len(alarms) > 0 {
		return r.explainAlarms(ctx, o, message, alarms)
	}
	failed := o.failedTasks()
	if len(failed) == 0 {
		return r.explainWithoutTasks(o, message)
	}
	last := failed[len(failed)-1]
	evidence := fmt.Sprintf("\n  %s stopped; the last was %s: %s", text.Plural(len(failed), "task", ""), last.id(), last.cause.Message) + ecsReason(last.cause) +
		logExcerpt(excerptTitle, r.lastLogLines(ctx, o.role, aws.ToString(last.task.TaskArn), logTailLines))
	causes := list.Map(failed, func(f failedTask) checks.Stop { return f.cause })
	return serviceFailure{verdict: message, evidence: evidence, hint: hintText(r.env, last.cause), causes: causes}
}

// explainAlarms collects why alarms ended the rollout of a service: the reason of each, where it can be read. The cause may be the image.
func (r *ecsRollout) explainAlarms(ctx context.Context, o observation, message string, alarms []string) serviceFailure {
	f := serviceFailure{verdict: message, byAlarm: true, hint: fmt.Sprintf("find the cause in the log: `deployer logs --env %[1]s --service %[2]s --since 1h`; "+
		"`deployer status --env %[1]s --only alarms` shows the alarms", r.env.Stack, o.role)}
	out, err := r.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: alarms, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm}})
	if err != nil {
		f.evidence = fmt.Sprintf("\n  why is unknown: %v", err)
		return f
	}
	for _, a := range out.MetricAlarms {
		f.evidence += fmt.Sprintf("\n  %s, which is %s: %s", aws.ToString(a.AlarmName), a.StateValue, aws.ToString(a.StateReason))
	}
	return f
}

// ecsReason returns the reason that ECS reports, where the cause's message does not have it.
func ecsReason(cause checks.Stop) string {
	if cause.Reason == "" || cause.Reason == cause.Message {
		return ""
	}
	return "\n  ECS reports: " + cause.Reason
}

func (r *ecsRollout) explainWithoutTasks(o observation, message string) serviceFailure {
	f := serviceFailure{verdict: message, hint: fmt.Sprintf("read why its tasks do not become healthy: `deployer logs --env %s --service %s --since 1h`",
		r.env.Stack, o.role)}
	if o.service == nil || o.supersededBy != "" {
		return f
	}
	event := aws.ToString(o.latestEvent().Message)
	if cause, failing := o.launchFailure(); failing {
		event, f.hint, f.causes = cause.Reason, hintText(r.env, cause), []checks.Stop{cause}
	}
	if event != "" {
		f.evidence = "\n  ECS reports: " + event
	}
	return f
}

// joinFailures returns the error of all services that failed. Evidence that has the same hint is given once.
func joinFailures(all []serviceFailure) error {
	var lines, hints []string
	for _, f := range all {
		if slices.Contains(hints, f.hint) {
			lines = append(lines, strings.TrimSuffix(f.verdict, ".")+", for the same reason")
			continue
		}
		lines, hints = append(lines, f.verdict+f.evidence), append(hints, f.hint)
	}
	return &rolloutError{strings.Join(lines, "\n"), strings.Join(hints, "\n      "), all}
}

// hintText returns the hint for a stopped task in one line: the likely cause, what to do, and the command that helps.
func hintText(env *environment.Environment, cause checks.Stop) string {
	h := checks.StopHint(env, cause)
	line := h.Solution
	if h.Cause != "" {
		line = h.Cause + ": " + line
	}
	if h.Command != "" {
		line += ": `" + h.Command + "`"
	}
	return line
}

// lastLogLines returns the last log lines of a task. One that never started has no log; its reason explains more.
func (r *ecsRollout) lastLogLines(ctx context.Context, role environment.Role, task string, limit int32) []string {
	lines, _ := logstream.Tail(ctx, r.logs, r.env.LogGroupName(), logStream(r.env, role, task), limit)
	return lines
}

// shortTaskID returns the short ID of a task.
func shortTaskID(task *types.Task) string { return ecstasks.ShortID(ecstasks.ID(*task)) }
