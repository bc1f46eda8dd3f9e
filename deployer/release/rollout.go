package release

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awshook"
)

const (
	// consistencyWindow is how long AWS's answers may lag behind what was done: a service that is not seen yet, a deployment
	// that does not show yet.
	consistencyWindow = time.Minute
	// idleTimeout is how long ECS may take to end a failed rollout by itself.
	idleTimeout = 10 * time.Minute
	// maxPollErrors is how many looks in a row may fail.
	maxPollErrors = 5
	// quietInterval is after how long without any change it is said what is waited for.
	quietInterval = time.Minute
)

// ecsRollout watches the services until what was asked for runs, or cannot.
type ecsRollout struct {
	env   *environment.Environment
	ecs   *ecs.Client
	elb   *elb.Client
	logs  *cloudwatchlogs.Client
	clock clock.Clock
	image *Image
	// calls counts the calls to AWS, looks the looks.
	calls *atomic.Int64
	polls int
	// watched is told how a watch went that ended well; nobody has to listen.
	watched func(history.RolloutStats)

	// trackers are what is known of each service, by name.
	trackers map[string]*serviceTracker
	// stopped are the tasks that stopped, by ARN; unfinished says that some of them have not quite.
	stopped  map[string]types.Task
	stopping bool
	// running are the tasks of the last look that asked for them, by group.
	running map[string][]types.Task
	// deploymentsUnavailable is why service deployments cannot be read, where they cannot.
	deploymentsUnavailable error
}

func newECSRollout(env *environment.Environment, cfg aws.Config, c clock.Clock, image *Image) *ecsRollout {
	r := &ecsRollout{env: env, clock: c, image: image, calls: &atomic.Int64{}}
	cfg = awshook.Before(cfg, func(context.Context, string, any) error {
		r.calls.Add(1)
		return nil
	})
	r.ecs, r.elb, r.logs = ecs.NewFromConfig(cfg), elb.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	return r
}

// watch returns the task definitions that run at the end, by service. It ends early when no waiting can help.
func (r *ecsRollout) watch(ctx context.Context, log phaseLog) (map[string]string, error) {
	failures := newTaskFailureReporter(r, log)
	backoff := newBackoff(r.clock)
	if r.deploymentsUnavailable != nil {
		log.warn("service deployments cannot be read, the services' own words have to do: %v", r.deploymentsUnavailable)
	}
	var last []observation
	var waiting, reported string
	r.polls = 0
	r.calls.Store(0)
	for pollErrors := 0; backoff.elapsed() <= r.env.Deployment.Rollout.Timeout; {
		observations, err := r.poll(ctx)
		if err != nil && ctx.Err() == nil {
			// One look that fails says nothing about the services.
			if pollErrors++; pollErrors == maxPollErrors {
				return nil, err
			}
			log.progress("cannot look: %v", err)
		}
		if err == nil {
			pollErrors = 0
			if r.polls == 1 {
				err = r.retryStalled(ctx, observations, log)
			}
			if err != nil {
				return nil, err
			}
			before := waiting
			if waiting, err = r.assess(ctx, observations, failures, backoff.elapsed() >= consistencyWindow); err != nil {
				return nil, err
			}
			if waiting == "" {
				r.report(observations, backoff)
				return taskDefinitions(observations), nil
			}
			if last = observations; waiting != before {
				log.progress("%s", waiting)
				backoff.reset()
			}
			if backoff.unchangedFor >= quietInterval && waiting != reported {
				reported = waiting
				log.note("still waiting, nothing has changed for %s: %s", backoff.unchangedFor.Round(time.Second), waiting)
			}
		}
		if backoff.wait(ctx, r.env.Deployment.Rollout.Timeout) != nil {
			return nil, errors.New("the rollout goes on by itself")
		}
	}
	return nil, r.timeoutError(ctx, last, waiting, log)
}

// assess judges every service, and stops what cannot succeed. It returns what is waited for; nothing is when all run.
func (r *ecsRollout) assess(ctx context.Context, observations []observation, failures *taskFailureReporter, consistent bool) (string, error) {
	var waiting []string
	var failed []serviceFailure
	for _, o := range observations {
		failures.report(ctx, o)
		verdict := evaluate(o, r.image.Digests, consistent)
		switch verdict.state {
		case rolledOut:
		case rollingOut:
			waiting = append(waiting, verdict.message)
		case rolloutFailed:
			failed = append(failed, r.explain(ctx, o, verdict.message))
			r.stopDeployment(ctx, o, failures.log)
		}
	}
	if len(failed) > 0 {
		return "", joinFailures(failed)
	}
	return strings.Join(waiting, "; "), nil
}

// report tells how the watch went: how often it looked, with how many calls, and how long after the end it saw it.
func (r *ecsRollout) report(seen []observation, backoff *backoff) {
	if r.watched == nil {
		return
	}
	w := history.RolloutStats{Polls: r.polls, Calls: int(r.calls.Load()), PauseSeconds: backoff.took.Seconds()}
	var end time.Time
	for _, o := range seen {
		if o.deployment != nil && aws.ToTime(o.deployment.FinishedAt).After(end) {
			end = *o.deployment.FinishedAt
		}
	}
	if !end.IsZero() && end.After(backoff.started) {
		w.LagSeconds = max(0, r.clock.Now().Sub(end).Seconds())
	}
	r.watched(w)
}

// timeoutError ends what is still being rolled out at the time limit, and says of it what is known.
func (r *ecsRollout) timeoutError(ctx context.Context, observations []observation, waiting string, log phaseLog) error {
	text := fmt.Sprintf("it has not ended after %s: %s", r.env.Deployment.Rollout.Timeout, waiting)
	var hints []string
	for _, o := range observations {
		if o.service == nil || o.finished() && !o.verified || evaluate(o, r.image.Digests, true).state == rolledOut {
			continue
		}
		failure := r.explain(ctx, o, "")
		if lines := r.newestTaskLog(ctx, o); lines != "" {
			failure.evidence += "\n  the last log lines of a task:\n    " + strings.ReplaceAll(lines, "\n", "\n    ")
		}
		if failure.evidence != "" {
			text += "\n" + o.name + ":" + failure.evidence
		}
		if !slices.Contains(hints, failure.hint) {
			hints = append(hints, failure.hint)
		}
		r.stopDeployment(ctx, o, log)
	}
	hints = append(hints, "deployment.rollout.timeout in the environment's file gives it more time")
	return hint.With(errors.New(text), strings.Join(hints, "; "))
}

// newestTaskLog are the last log lines of the newest task of this run that still runs.
func (r *ecsRollout) newestTaskLog(ctx context.Context, o observation) string {
	running, err := r.runningTasks(ctx)
	if err != nil || o.deployment == nil {
		return ""
	}
	own := slices.DeleteFunc(running["service:"+o.name], func(t types.Task) bool { return !o.isOwn(t) })
	if len(own) == 0 {
		return ""
	}
	newest := slices.MaxFunc(own, func(a, b types.Task) int { return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt)) })
	return r.lastLogLines(ctx, o.role, aws.ToString(newest.TaskArn), logTailLines)
}

// retryStalled starts a service deployment where the program had nothing to change but the service stands still after a
// failure: ECS does not try again by itself.
func (r *ecsRollout) retryStalled(ctx context.Context, observations []observation, log phaseLog) error {
	for _, o := range observations {
		if !o.stalled() {
			continue
		}
		log.note("%s has not changed but does not run: it is started again", o.name)
		if err := r.forceDeployment(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// waitUntilIdle waits until ECS has ended what it does to the services by itself, such as going back, so that the next
// deployment does not meet it. It gives up silently at its limit: preflight will see what is still under way.
func (r *ecsRollout) waitUntilIdle(ctx context.Context, log phaseLog) {
	for backoff := newBackoff(r.clock); backoff.elapsed() < idleTimeout; {
		observations, err := r.observe(ctx)
		if err != nil || !slices.ContainsFunc(observations, func(o observation) bool { return o.service != nil && o.rolloutInProgress() }) {
			return
		}
		log.progress("ECS is still ending the rollout")
		if backoff.wait(ctx, idleTimeout) != nil {
			return
		}
	}
}

// stopDeployment ends a service deployment that cannot succeed, so that ECS does not go on trying until its own limit. Somebody
// else's is left alone.
func (r *ecsRollout) stopDeployment(ctx context.Context, o observation, log phaseLog) {
	if o.deployment == nil || !deploymentInProgress(o.deployment) || o.supersededBy != "" {
		return
	}
	arn := o.deployment.ServiceDeploymentArn
	if arn == nil {
		log.note("the deployment of %s is not stopped early: service deployments cannot be read; ECS's circuit breaker ends it", o.name)
		return
	}
	_, err := r.ecs.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: arn, StopType: types.StopServiceDeploymentStopTypeRollback,
	})
	if err != nil {
		log.note("the deployment of %s could not be stopped early, ECS's circuit breaker ends it later: %v", o.name, err)
		return
	}
	log.note("the deployment of %s is stopped: waiting does not help it", o.name)
}

func taskDefinitions(observations []observation) map[string]string {
	byService := map[string]string{}
	for _, o := range observations {
		if o.service != nil {
			byService[o.name] = shortID(aws.ToString(o.service.TaskDefinition))
		}
	}
	return byService
}

// isUnavailable reports whether AWS, or what stands for it, will never answer the call: the credentials may not make it, or it
// is not known there.
func isUnavailable(err error) bool {
	if err == nil {
		return false
	}
	if checks.AccessDenied(err) {
		return true
	}
	var response *awshttp.ResponseError
	return errors.As(err, &response) && slices.Contains(
		[]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusInternalServerError, http.StatusNotImplemented}, response.HTTPStatusCode())
}
