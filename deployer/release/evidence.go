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
	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/environment"
)

// failure is a task of this deployment that stopped although nobody asked it to.
type failure struct {
	task  types.Task
	cause checks.Stop
}

// failures are the tasks of this run's deployment that stopped by themselves, the oldest first.
func (o observation) failures() []failure {
	if o.deployment == nil {
		return nil
	}
	var found []failure
	for _, t := range o.tasks {
		if !o.over(t) || !o.started(t) {
			continue
		}
		if cause := checks.StopCause(t); cause.Failed() {
			found = append(found, failure{task: t, cause: cause})
		}
	}
	slices.SortFunc(found, func(a, b failure) int {
		return cmp.Or(aws.ToTime(a.task.CreatedAt).Compare(aws.ToTime(b.task.CreatedAt)),
			strings.Compare(aws.ToString(a.task.TaskArn), aws.ToString(b.task.TaskArn)))
	})
	return found
}

// over reports whether a task has stopped, or only its network interface is still to be taken away.
func (o observation) over(t types.Task) bool {
	if aws.ToString(t.DesiredStatus) != "STOPPED" {
		return false
	}
	c := o.main(t)
	return aws.ToString(t.LastStatus) == "STOPPED" || t.StopCode == types.TaskStopCodeTaskFailedToStart || c != nil && c.ExitCode != nil
}

// started reports whether this run's deployment started the task.
func (o observation) started(t types.Task) bool {
	if by := aws.ToString(t.StartedBy); o.rollout != "" && by != "" {
		return by == o.rollout
	}
	return !aws.ToTime(t.CreatedAt).Before(aws.ToTime(o.deployment.CreatedAt))
}

// obstacle is why ECS cannot place tasks of this deployment, with its own words, and whether there is such a reason.
func (o observation) obstacle() (checks.Stop, bool) {
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

// lastWord is the newest event of a service: what ECS did last, or could not do.
func (o observation) lastWord() string {
	if len(o.service.Events) == 0 {
		return ""
	}
	newest := slices.MaxFunc(o.service.Events, func(a, b types.ServiceEvent) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	return aws.ToString(newest.Message)
}

// teller says once what happens to tasks.
type teller struct {
	rollout *rollout
	voice   voice
	// told are the tasks, causes and obstacles that were spoken of.
	told map[string]bool
}

func newTeller(r *rollout, v voice) *teller {
	return &teller{rollout: r, voice: v, told: map[string]bool{}}
}

// tell says, once a task, why tasks of this deployment stopped, with the last line of the first of a cause, and why ECS
// cannot start any.
func (t *teller) tell(ctx context.Context, o observation) {
	for _, stopped := range o.failures() {
		arn := aws.ToString(stopped.task.TaskArn)
		if t.told[arn] {
			continue
		}
		t.told[arn] = true
		if t.told[stopped.cause.Message] {
			t.voice.note("task %s of %s stopped too: %s", shortID(arn), o.name, stopped.cause.Message)
			continue
		}
		t.told[stopped.cause.Message] = true
		t.voice.warn("task %s of %s stopped: %s", shortID(arn), o.name, stopped.cause.Message)
		if line := t.rollout.lastLog(ctx, o.role, arn, 1); line != "" {
			t.voice.note("  its last words: %s", line)
		}
	}
	if cause, stands := o.obstacle(); stands && !t.told[o.name+cause.Message] {
		t.told[o.name+cause.Message] = true
		t.voice.warn("%s starts no task: %s; ECS goes on trying", o.name, cause.Message)
	}
}

// grief is why one service failed: the verdict, and what is known of the cause.
type grief struct {
	verdict, evidence, advice string
}

// explain gathers why a service failed: why tasks stopped or could not start, and their last words.
func (r *rollout) explain(ctx context.Context, o observation, message string) grief {
	failures := o.failures()
	if len(failures) == 0 {
		return r.explainWithoutTasks(o, message)
	}
	last := failures[len(failures)-1]
	arn := aws.ToString(last.task.TaskArn)
	text := fmt.Sprintf("\n  %s stopped, the last one, %s: %s", tasksText(len(failures)), shortID(arn), last.cause.Message)
	if reason := last.cause.Reason; reason != "" && reason != last.cause.Message {
		text += "\n  ECS says: " + reason
	}
	if words := r.lastLog(ctx, o.role, arn, logTail); words != "" {
		text += "\n  its last log lines:\n    " + strings.ReplaceAll(words, "\n", "\n    ")
	}
	return grief{message, text, adviceOf(r.env, last.cause)}
}

// griefs is the error of all services that failed. What has the same remedy is told once.
func griefs(all []grief) error {
	var text strings.Builder
	var remedies []string
	for _, g := range all {
		if text.Len() > 0 {
			text.WriteString("\n")
		}
		if slices.Contains(remedies, g.advice) {
			text.WriteString(strings.TrimSuffix(g.verdict, ".") + ", for the same reason")
			continue
		}
		text.WriteString(g.verdict)
		remedies = append(remedies, g.advice)
		text.WriteString(g.evidence)
	}
	return advice.With(errors.New(text.String()), strings.Join(remedies, "\n      "))
}

func (r *rollout) explainWithoutTasks(o observation, message string) grief {
	g := grief{verdict: message, advice: "`deployer status --env " + r.env.Stack + " --only ecs_service,target_groups` looks at it closer"}
	if o.service == nil || o.other != "" {
		return g
	}
	if word := o.lastWord(); word != "" {
		g.evidence = "\n  ECS says: " + word
	}
	if cause, stands := o.obstacle(); stands {
		g.advice = adviceOf(r.env, cause)
	}
	return g
}

// adviceOf is the remedy of a stop in one line: the likely cause, what to do, and the command that helps.
func adviceOf(env *environment.Environment, cause checks.Stop) string {
	hint := checks.StopHint(env, cause)
	text := hint.Solution
	if hint.Cause != "" {
		text = hint.Cause + ": " + text
	}
	if hint.Command != "" {
		text += ": `" + hint.Command + "`"
	}
	return text
}

func (r *rollout) lastLog(ctx context.Context, role environment.Role, taskARN string, lines int32) string {
	out, err := r.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String(r.env.LogGroupName()), LogStreamName: aws.String(LogStream(r.env, role, taskARN)), Limit: &lines,
	})
	if err != nil {
		// A task that never started has no log; its reason says more.
		return ""
	}
	var words []string
	for _, event := range out.Events {
		words = append(words, strings.TrimRight(aws.ToString(event.Message), "\n"))
	}
	return strings.Join(words, "\n")
}
