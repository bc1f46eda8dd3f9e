package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// failedTask is a task of this deployment that stopped although nobody asked it to.
type failedTask struct {
	task  types.Task
	cause checks.Stop
}

// failedTasks are the tasks of this run's deployment that stopped by themselves, the oldest first.
func (o observation) failedTasks() []failedTask {
	if o.deployment == nil {
		return nil
	}
	var found []failedTask
	for _, t := range o.tasks {
		if !o.stopped(t) || !o.isOwn(t) {
			continue
		}
		if cause := checks.StopCause(t); cause.Failed() {
			found = append(found, failedTask{task: t, cause: cause})
		}
	}
	slices.SortFunc(found, func(a, b failedTask) int {
		return cmp.Or(aws.ToTime(a.task.CreatedAt).Compare(aws.ToTime(b.task.CreatedAt)),
			strings.Compare(aws.ToString(a.task.TaskArn), aws.ToString(b.task.TaskArn)))
	})
	return found
}

// stopped reports whether a task has stopped, or only its network interface is still to be taken away.
func (o observation) stopped(t types.Task) bool {
	if aws.ToString(t.DesiredStatus) != "STOPPED" {
		return false
	}
	c := o.mainContainer(t)
	return aws.ToString(t.LastStatus) == "STOPPED" || t.StopCode == types.TaskStopCodeTaskFailedToStart || c != nil && c.ExitCode != nil
}

// isOwn reports whether this run's deployment started the task.
func (o observation) isOwn(t types.Task) bool {
	if by := aws.ToString(t.StartedBy); o.startedBy != "" && by != "" {
		return by == o.startedBy
	}
	return !aws.ToTime(t.CreatedAt).Before(aws.ToTime(o.deployment.CreatedAt))
}

// placementFailure is why ECS cannot place tasks of this deployment, with its own words, and whether there is such a reason.
func (o observation) placementFailure() (checks.Stop, bool) {
	if o.service == nil || o.deployment == nil {
		return checks.Stop{}, false
	}
	newest := types.ServiceEvent{}
	for _, e := range o.service.Events {
		if aws.ToTime(e.CreatedAt).After(aws.ToTime(newest.CreatedAt)) {
			newest = e
		}
	}
	if aws.ToTime(newest.CreatedAt).Before(aws.ToTime(o.deployment.CreatedAt)) {
		return checks.Stop{}, false
	}
	return checks.PlacementCause(aws.ToString(newest.Message))
}

// latestEvent is the newest event of a service: what ECS did last, or could not do.
func (o observation) latestEvent() string {
	if len(o.service.Events) == 0 {
		return ""
	}
	newest := slices.MaxFunc(o.service.Events, func(a, b types.ServiceEvent) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	return aws.ToString(newest.Message)
}

// taskFailureReporter says once what happens to tasks.
type taskFailureReporter struct {
	rollout *ecsRollout
	log     phaseLog
	// reported are the tasks, causes and obstacles that were spoken of.
	reported map[string]bool
}

func newTaskFailureReporter(r *ecsRollout, log phaseLog) *taskFailureReporter {
	return &taskFailureReporter{rollout: r, log: log, reported: map[string]bool{}}
}

// report says, once a task, why tasks of this deployment stopped, with the last line of the first of a cause, and why ECS
// cannot start any.
func (t *taskFailureReporter) report(ctx context.Context, o observation) {
	for _, failed := range o.failedTasks() {
		arn := aws.ToString(failed.task.TaskArn)
		if t.reported[arn] {
			continue
		}
		t.reported[arn] = true
		if t.reported[failed.cause.Message] {
			t.log.note("task %s of %s stopped too: %s", shortID(arn), o.name, failed.cause.Message)
			continue
		}
		t.reported[failed.cause.Message] = true
		t.log.warn("task %s of %s stopped: %s", shortID(arn), o.name, failed.cause.Message)
		if line := t.rollout.lastLogLines(ctx, o.role, arn, 1); line != "" {
			t.log.note("  its last words: %s", line)
		}
	}
	if cause, failing := o.placementFailure(); failing && !t.reported[o.name+cause.Message] {
		t.reported[o.name+cause.Message] = true
		t.log.warn("%s starts no task: %s; ECS goes on trying", o.name, cause.Message)
	}
}

// serviceFailure is why one service failed: the verdict, and what is known of the cause.
type serviceFailure struct {
	verdict, evidence, hint string
}

// explain gathers why a service failed: why tasks stopped or could not start, and their last words.
func (r *ecsRollout) explain(ctx context.Context, o observation, message string) serviceFailure {
	failed := o.failedTasks()
	if len(failed) == 0 {
		return r.explainWithoutTasks(o, message)
	}
	last := failed[len(failed)-1]
	arn := aws.ToString(last.task.TaskArn)
	text := fmt.Sprintf("\n  %s stopped, the last one, %s: %s", tasksText(len(failed)), shortID(arn), last.cause.Message)
	if reason := last.cause.Reason; reason != "" && reason != last.cause.Message {
		text += "\n  ECS says: " + reason
	}
	if lines := r.lastLogLines(ctx, o.role, arn, logTailLines); lines != "" {
		text += "\n  its last log lines:\n    " + strings.ReplaceAll(lines, "\n", "\n    ")
	}
	return serviceFailure{message, text, hintText(r.env, last.cause)}
}

// joinFailures is the error of all services that failed. What has the same remedy is told once.
func joinFailures(all []serviceFailure) error {
	var text strings.Builder
	var hints []string
	for _, f := range all {
		if text.Len() > 0 {
			text.WriteString("\n")
		}
		if slices.Contains(hints, f.hint) {
			text.WriteString(strings.TrimSuffix(f.verdict, ".") + ", for the same reason")
			continue
		}
		text.WriteString(f.verdict)
		hints = append(hints, f.hint)
		text.WriteString(f.evidence)
	}
	return hint.With(errors.New(text.String()), strings.Join(hints, "\n      "))
}

func (r *ecsRollout) explainWithoutTasks(o observation, message string) serviceFailure {
	f := serviceFailure{verdict: message, hint: "`deployer status --env " + r.env.Stack + " --only ecs_service,target_groups` looks at it closer"}
	if o.service == nil || o.supersededBy != "" {
		return f
	}
	if event := o.latestEvent(); event != "" {
		f.evidence = "\n  ECS says: " + event
	}
	if cause, failing := o.placementFailure(); failing {
		f.hint = hintText(r.env, cause)
	}
	return f
}

// hintText is the remedy of a stop in one line: the likely cause, what to do, and the command that helps.
func hintText(env *environment.Environment, cause checks.Stop) string {
	h := checks.StopHint(env, cause)
	text := h.Solution
	if h.Cause != "" {
		text = h.Cause + ": " + text
	}
	if h.Command != "" {
		text += ": `" + h.Command + "`"
	}
	return text
}

func (r *ecsRollout) lastLogLines(ctx context.Context, role environment.Role, taskARN string, limit int32) string {
	out, err := r.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String(r.env.LogGroupName()), LogStreamName: aws.String(LogStream(r.env, role, taskARN)), Limit: &limit,
	})
	if err != nil {
		// A task that never started has no log; its reason says more.
		return ""
	}
	var lines []string
	for _, event := range out.Events {
		lines = append(lines, strings.TrimRight(aws.ToString(event.Message), "\n"))
	}
	return strings.Join(lines, "\n")
}
