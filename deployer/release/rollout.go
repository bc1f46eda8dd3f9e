package release

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
)

const (
	// consistencyWindow is how long AWS's answers may lag behind a change: a service or a deployment that is not visible yet.
	consistencyWindow = time.Minute
	// idleTimeout is how long ECS may take to finish a failed rollout.
	idleTimeout = 10 * time.Minute
	// maxPollErrors is how many polls in a row may fail.
	maxPollErrors = 5
	// quietInterval is the time without any change after which what is waited for is reported.
	quietInterval = time.Minute
)

// ecsRollout implements rolloutWatcher with the ECS API.
type ecsRollout struct {
	env  *environment.Environment
	ecs  *ecs.Client
	elb  *elb.Client
	logs *cloudwatchlogs.Client
	// cloudwatch reads alarms.
	cloudwatch *cloudwatch.Client
	clock      clock.Clock
	image      *Image
	// scaler scales the services.
	scaler database.Services

	// trackers is keyed by service name.
	trackers map[string]*serviceTracker
	// stopped are the tasks that stopped, by ARN; stopping reports that some of them are still about to.
	stopped  map[string]types.Task
	stopping bool
	// deploymentsUnavailable is why service deployments cannot be read; nil where they can.
	deploymentsUnavailable error
}

func newECSRollout(env *environment.Environment, cfg aws.Config, c clock.Clock, image *Image) *ecsRollout {
	return &ecsRollout{
		env: env, clock: c, image: image, ecs: ecs.NewFromConfig(cfg), elb: elb.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg),
		cloudwatch: cwmetrics.NewClient(cfg), scaler: database.NewServices(cfg, env, c),
	}
}

// watch implements rolloutWatcher. It ends early where waiting cannot help.
func (r *ecsRollout) watch(ctx context.Context, log phaseLog) (rolloutResult, error) {
	failures := &taskFailureReporter{rollout: r, log: log, reported: map[string]bool{}}
	pause := newBackoff(r.clock)
	timeout := r.env.Deployment.Rollout.Timeout
	if r.deploymentsUnavailable != nil {
		log.warn("service deployments cannot be read, the state of the services is used instead: %v", r.deploymentsUnavailable)
	}
	var last []observation
	var waiting, reported string
	for pollErrors := 0; pause.elapsed() <= timeout; {
		observations, err := r.poll(ctx)
		if err != nil && ctx.Err() == nil {
			if pollErrors++; pollErrors == maxPollErrors || expiry.IsError(err) {
				return rolloutResult{}, err
			}
			log.progress("poll failed: %v", err)
		}
		if err == nil {
			if pollErrors = 0; last == nil {
				if err := r.retryStalled(ctx, observations, log); err != nil {
					return rolloutResult{}, err
				}
			}
			before := waiting
			if waiting, err = r.assess(ctx, observations, failures, pause.elapsed() >= consistencyWindow); err != nil {
				return rolloutResult{}, err
			}
			if waiting == "" {
				return resultOf(observations), nil
			}
			if last = observations; waiting != before {
				log.progress("%s", waiting)
				pause.reset()
			}
			if pause.unchangedFor >= quietInterval && waiting != reported {
				reported = waiting
				log.note("still waiting, nothing has changed for %s: %s", pause.unchangedFor.Round(time.Second), waiting)
			}
		}
		if pause.wait(ctx, timeout) != nil {
			return rolloutResult{}, errors.New("the rollout continues in the background")
		}
	}
	return rolloutResult{}, r.timeoutError(ctx, last, waiting, log)
}

// applyCounts implements rolloutWatcher.
func (r *ecsRollout) applyCounts(ctx context.Context) error { return r.scaler.ApplyCounts(ctx) }

// assess evaluates every service, and stops deployments that cannot succeed. It returns what is waited for, "" when all services
// run the image.
func (r *ecsRollout) assess(ctx context.Context, observations []observation, failures *taskFailureReporter, consistent bool) (string, error) {
	var waiting []string
	var failed []serviceFailure
	for _, o := range observations {
		failures.report(ctx, o)
		switch verdict := evaluate(o, r.image.Digests, consistent); verdict.state {
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

// timeoutError stops what is still being rolled out at the time limit, and explains it.
func (r *ecsRollout) timeoutError(ctx context.Context, observations []observation, waiting string, log phaseLog) error {
	text := fmt.Sprintf("not finished after %s: %s", r.env.Deployment.Rollout.Timeout, waiting)
	var hints []string
	var failures []serviceFailure
	for _, o := range observations {
		if o.service == nil || o.finished() && !o.verified || evaluate(o, r.image.Digests, true).state == rolledOut {
			continue
		}
		failure := r.explain(ctx, o, "")
		failures = append(failures, failure)
		failure.evidence += logExcerpt(excerptTitle+" of a running task", r.newestTaskLog(ctx, o))
		if failure.evidence != "" {
			text += "\n" + o.name + ":" + failure.evidence
		}
		if !slices.Contains(hints, failure.hint) {
			hints = append(hints, failure.hint)
		}
		r.stopDeployment(ctx, o, log)
	}
	hints = append(hints, "raise deployment.rollout.timeout in the environment's file to allow more time")
	return &rolloutError{text, strings.Join(hints, "; "), failures}
}

// newestTaskLog returns the last log lines of this run's newest running task.
func (r *ecsRollout) newestTaskLog(ctx context.Context, o observation) []string {
	running, err := r.runningTasks(ctx)
	if err != nil || o.deployment == nil {
		return nil
	}
	own := slices.DeleteFunc(running["service:"+o.name], func(t types.Task) bool { return !o.isOwn(t) })
	if len(own) == 0 {
		return nil
	}
	newest := slices.MaxFunc(own, func(a, b types.Task) int { return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt)) })
	return r.lastLogLines(ctx, o.role, aws.ToString(newest.TaskArn), logTailLines)
}

// restart implements rolloutWatcher. ECS deploys the same task definition again, so the stack does not change.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (r *ecsRollout) restart(ctx context.Context, only environment.Role) error {
	observations, err := r.observe(ctx)
	if err != nil {
		return err
	}
	for _, o := range observations {
		if !o.unchanged() || only != "" && o.name != r.env.ServiceName(only) {
			continue
		}
		if err := r.forceDeployment(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// forceDeployment starts a service deployment of the service's current task definition.
func (r *ecsRollout) forceDeployment(ctx context.Context, o observation) error {
	_, err := r.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: o.service.ClusterArn, Service: aws.String(o.name), ForceNewDeployment: true,
	})
	if err != nil {
		return fmt.Errorf("restart %s: %w", o.name, err)
	}
	return nil
}

// retryStalled starts a deployment of services that the program did not change and that do not run after a failed rollout: ECS
// does not retry it.
func (r *ecsRollout) retryStalled(ctx context.Context, observations []observation, log phaseLog) error {
	for _, o := range observations {
		if !o.stalled() {
			continue
		}
		log.note("%s is unchanged but does not run: restarting it", o.name)
		if err := r.forceDeployment(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// waitUntilIdle implements rolloutWatcher, so that the next deployment does not meet what ECS is still doing, such as a rollback. It
// returns quietly at its limit: preflight reports what is still in progress.
func (r *ecsRollout) waitUntilIdle(ctx context.Context, log phaseLog) {
	for pause := newBackoff(r.clock); pause.elapsed() < idleTimeout; {
		observations, err := r.observe(ctx)
		if err != nil || !slices.ContainsFunc(observations, observation.rolloutInProgress) {
			return
		}
		log.progress("waiting for ECS to finish the rollout")
		if pause.wait(ctx, idleTimeout) != nil {
			return
		}
	}
}

// stopDeployment stops a service deployment that cannot succeed, so that ECS does not retry until its own limit. One that another
// process started is not changed.
func (r *ecsRollout) stopDeployment(ctx context.Context, o observation, log phaseLog) {
	if o.deployment == nil || !deploymentInProgress(o.deployment) || o.supersededBy != "" {
		return
	}
	arn := o.deployment.ServiceDeploymentArn
	if arn == nil {
		log.note("the deployment of %s is not stopped early: service deployments cannot be read; ECS's circuit breaker will end it", o.name)
		return
	}
	_, err := r.ecs.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: arn, StopType: types.StopServiceDeploymentStopTypeRollback,
	})
	var ended *types.ConflictException
	switch {
	case errors.As(err, &ended): // by itself, meanwhile
		return
	case err != nil:
		log.note("the deployment of %s could not be stopped early, ECS's circuit breaker will end it: %v", o.name, err)
		return
	}
	log.note("the deployment of %s is stopped, because it cannot succeed", o.name)
}

// A rolloutResult is what a rollout has done.
type rolloutResult struct {
	// definitions are the services' task definitions, family:revision, by service; started are the services that ECS deployed.
	definitions map[string]string
	started     []string
}

// resultOf returns the result of a rollout that has ended.
func resultOf(observations []observation) rolloutResult {
	result := rolloutResult{definitions: map[string]string{}}
	for _, o := range observations {
		if o.service != nil {
			result.definitions[o.name] = awsx.NameFromARN(aws.ToString(o.service.TaskDefinition))
		}
		if o.deployment != nil {
			result.started = append(result.started, o.name)
		}
	}
	return result
}

// isUnavailable reports whether AWS, or an emulator, will never answer a call: the credentials may not make it, or it is not
// implemented.
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

// rolloutWatcher knows the services as they were before a change, and watches what they do after it.
type rolloutWatcher interface {
	// watch waits until the services run the image.
	watch(ctx context.Context, log phaseLog) (rolloutResult, error)
	// outdatedServices returns the services that were not changed although they run another image.
	outdatedServices(ctx context.Context) ([]string, error)
	// restart starts a deployment of every service that was not changed, or only of one.
	restart(ctx context.Context, only environment.Role) error
	// applyCounts scales the services to the counts of the environment's file, which the program sets only when it creates them.
	applyCounts(ctx context.Context) error
	// waitUntilIdle waits until ECS has finished its own actions.
	waitUntilIdle(ctx context.Context, log phaseLog)
}
