package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// rolloutPoll is how often the services are looked at while they change.
const rolloutPoll = 5 * time.Second

const (
	// settling is how long AWS's answers may lag behind what was done: a service that is not seen yet, a deployment
	// that does not show yet.
	settling = time.Minute
	// settleLimit is how long ECS may take to end a failed rollout by itself.
	settleLimit = 10 * time.Minute
	// blindLooks is how many looks in a row may fail.
	blindLooks = 5
)

// rollout watches the services until what was asked for runs, or cannot.
type rollout struct {
	env   *environment.Environment
	ecs   *ecs.Client
	elb   *elb.Client
	logs  *cloudwatchlogs.Client
	clock clock.Clock
	image *Image
	// before are the newest service deployments before this run changed anything, by service: they are not its own.
	before map[string]string
	// own are the service deployments that this run started, by service, as far as they are known.
	own map[string]string
}

// run returns the task definitions that run at the end, by service. It ends early when no waiting can help.
func (r *rollout) run(ctx context.Context, v voice) (map[string]string, error) {
	told := map[string]bool{}
	if err := r.revive(ctx, v); err != nil {
		return nil, err
	}
	var waiting []string
	var observations []observation
	blind := 0
	for waited := time.Duration(0); waited <= r.env.Deployment.Rollout.Timeout; waited += rolloutPoll {
		seen, err := r.observe(ctx)
		if err != nil {
			// One look that fails says nothing about the services.
			if blind++; blind == blindLooks {
				return nil, err
			}
			v.progress("cannot look: %v", err)
			if r.clock.Wait(ctx, rolloutPoll) != nil {
				return nil, errors.New("the rollout goes on by itself")
			}
			continue
		}
		blind, observations, waiting = 0, seen, nil
		var failed []error
		for _, o := range observations {
			r.tellStopped(ctx, o, told, v)
			verdict := judge(o, r.image.Digests, waited >= settling)
			switch verdict.state {
			case rolledOut:
			case stillRolling:
				waiting = append(waiting, verdict.message)
			case rolloutFailed:
				failed = append(failed, r.explain(ctx, o, verdict))
				r.stop(ctx, o, v)
			}
		}
		if len(failed) > 0 {
			return nil, errors.Join(failed...)
		}
		if len(waiting) == 0 {
			return definitions(observations), nil
		}
		v.progress("%s", strings.Join(waiting, "; "))
		if r.clock.Wait(ctx, rolloutPoll) != nil {
			return nil, errors.New("the rollout goes on by itself")
		}
	}
	return nil, r.tooLong(ctx, observations, waiting, v)
}

// tooLong ends what is still being rolled out at the time limit, and says what it waited for in ECS's words.
func (r *rollout) tooLong(ctx context.Context, observations []observation, waiting []string, v voice) error {
	text := fmt.Sprintf("it has not ended after %s: %s", r.env.Deployment.Rollout.Timeout, strings.Join(waiting, "; "))
	for _, o := range observations {
		if o.service == nil || judge(o, r.image.Digests, true).state == rolledOut {
			continue
		}
		if word := o.lastWord(); word != "" {
			text += "\n  ECS says: " + word
		}
		r.stop(ctx, o, v)
	}
	return withHint(errors.New(text), "`deployer status --env "+r.env.Stack+" --only ecs_service,target_groups` looks at it closer; "+
		"deployment.rollout.timeout in the environment's file gives it more time")
}

// revive starts a service deployment where the program had nothing to change but the service stands still after a
// failure: ECS does not try again by itself.
func (r *rollout) revive(ctx context.Context, v voice) error {
	observations, err := r.observe(ctx)
	if err != nil {
		return err
	}
	for _, o := range observations {
		if !o.stranded() {
			continue
		}
		v.note("%s has not changed but does not run: it is started again", o.name)
		_, err := r.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: o.service.ClusterArn, Service: o.service.ServiceName, ForceNewDeployment: true,
		})
		if err != nil {
			return fmt.Errorf("start %s again: %w", o.name, err)
		}
	}
	return nil
}

// settle waits until ECS has ended what it does to the services by itself, such as going back, so that the next
// deployment does not meet it. It gives up silently at its limit: preflight will see what is still under way.
func (r *rollout) settle(ctx context.Context, v voice) {
	for waited := time.Duration(0); waited < settleLimit; waited += rolloutPoll {
		seen, err := r.observe(ctx)
		if err != nil || !slices.ContainsFunc(seen, func(o observation) bool { return o.service != nil && o.beginning() }) {
			return
		}
		v.progress("ECS is still ending the rollout")
		if r.clock.Wait(ctx, rolloutPoll) != nil {
			return
		}
	}
}

// stop ends a service deployment that cannot succeed, so that ECS does not go on trying until its own limit.
func (r *rollout) stop(ctx context.Context, o observation, v voice) {
	if o.deployment == nil || o.deployment.Status != types.ServiceDeploymentStatusInProgress {
		return
	}
	_, err := r.ecs.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: o.deployment.ServiceDeploymentArn, StopType: types.StopServiceDeploymentStopTypeRollback,
	})
	if err != nil {
		// ECS's circuit breaker ends it too, only later.
		v.note("the deployment of %s could not be stopped early: %v", o.name, err)
	}
}

func definitions(observations []observation) map[string]string {
	byService := map[string]string{}
	for _, o := range observations {
		byService[o.name] = shortID(aws.ToString(o.service.TaskDefinition))
	}
	return byService
}

// tellStopped says, once a task, why tasks of this deployment stopped.
func (r *rollout) tellStopped(ctx context.Context, o observation, told map[string]bool, v voice) {
	for _, stopped := range o.failures() {
		arn := aws.ToString(stopped.task.TaskArn)
		if told[arn] {
			continue
		}
		told[arn] = true
		v.warn("task %s of %s stopped: %s", shortID(arn), o.name, stopped.cause.Message)
		if line := r.lastLog(ctx, o.role, arn, 1); line != "" {
			v.note("  its last words: %s", line)
		}
	}
}

// explain is the error of a service that failed: the verdict, why tasks stopped, and their last words.
func (r *rollout) explain(ctx context.Context, o observation, failure verdict) error {
	failures := o.failures()
	if len(failures) == 0 {
		return withHint(errors.New(failure.message), "`deployer status --env "+r.env.Stack+"` looks at everything around it")
	}
	last := failures[len(failures)-1]
	text := fmt.Sprintf("%s\n  %d tasks stopped, the last one: %s", failure.message, len(failures), last.cause.Message)
	if words := r.lastLog(ctx, o.role, aws.ToString(last.task.TaskArn), logTail); words != "" {
		text += "\n  its last log lines:\n    " + strings.ReplaceAll(words, "\n", "\n    ")
	}
	return withHint(errors.New(text), last.cause.Hint.Solution)
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
