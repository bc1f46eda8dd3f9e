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
	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/calls"
)

const (
	// settling is how long AWS's answers may lag behind what was done: a service that is not seen yet, a deployment
	// that does not show yet.
	settling = time.Minute
	// settleLimit is how long ECS may take to end a failed rollout by itself.
	settleLimit = 10 * time.Minute
	// blindLooks is how many looks in a row may fail.
	blindLooks = 5
	// longStill is after how long without any change it is said what is waited for.
	longStill = time.Minute
)

// rollout watches the services until what was asked for runs, or cannot.
type rollout struct {
	env   *environment.Environment
	ecs   *ecs.Client
	elb   *elb.Client
	logs  *cloudwatchlogs.Client
	clock clock.Clock
	image *Image
	// calls counts the calls to AWS, looks the looks.
	calls *atomic.Int64
	looks int
	// watched is told how a watch went that ended well; nobody has to listen.
	watched func(record.Watch)

	// tracks are what is known of each service, by name.
	tracks map[string]*track
	// stopped are the tasks that stopped, by ARN; unfinished says that some of them have not quite.
	stopped    map[string]types.Task
	unfinished bool
	// running are the tasks of the last look that asked for them, by group.
	running map[string][]types.Task
	// blind is why service deployments cannot be read, where they cannot.
	blind error
}

func newRollout(env *environment.Environment, cfg aws.Config, c clock.Clock, image *Image) *rollout {
	r := &rollout{env: env, clock: c, image: image, calls: &atomic.Int64{}}
	cfg = calls.Before(cfg, func(context.Context, string, any) error {
		r.calls.Add(1)
		return nil
	})
	r.ecs, r.elb, r.logs = ecs.NewFromConfig(cfg), elb.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	return r
}

// run returns the task definitions that run at the end, by service. It ends early when no waiting can help.
func (r *rollout) run(ctx context.Context, v voice) (map[string]string, error) {
	tell := newTeller(r, v)
	pace := newPace(r.clock)
	if r.blind != nil {
		v.warn("service deployments cannot be read, the services' own words have to do: %v", r.blind)
	}
	var seen []observation
	var waiting, said string
	r.looks = 0
	r.calls.Store(0)
	for misses := 0; pace.elapsed() <= r.env.Deployment.Rollout.Timeout; {
		fresh, err := r.look(ctx)
		if err != nil && ctx.Err() == nil {
			// One look that fails says nothing about the services.
			if misses++; misses == blindLooks {
				return nil, err
			}
			v.progress("cannot look: %v", err)
		}
		if err == nil {
			misses = 0
			if r.looks == 1 {
				err = r.revive(ctx, fresh, v)
			}
			if err != nil {
				return nil, err
			}
			before := waiting
			if waiting, err = r.assess(ctx, fresh, tell, pace.elapsed() >= settling); err != nil {
				return nil, err
			}
			if waiting == "" {
				r.report(fresh, pace)
				return definitions(fresh), nil
			}
			if seen = fresh; waiting != before {
				v.progress("%s", waiting)
				pace.hurry()
			}
			if pace.still >= longStill && waiting != said {
				said = waiting
				v.note("still waiting, nothing has changed for %s: %s", pace.still.Round(time.Second), waiting)
			}
		}
		if pace.wait(ctx, r.env.Deployment.Rollout.Timeout) != nil {
			return nil, errors.New("the rollout goes on by itself")
		}
	}
	return nil, r.tooLong(ctx, seen, waiting, v)
}

// assess judges every service, and stops what cannot succeed. It returns what is waited for; nothing is when all run.
func (r *rollout) assess(ctx context.Context, seen []observation, tell *teller, settled bool) (string, error) {
	var waiting []string
	var failed []grief
	for _, o := range seen {
		tell.tell(ctx, o)
		verdict := judge(o, r.image.Digests, settled)
		switch verdict.state {
		case rolledOut:
		case stillRolling:
			waiting = append(waiting, verdict.message)
		case rolloutFailed:
			failed = append(failed, r.explain(ctx, o, verdict.message))
			r.stop(ctx, o, tell.voice)
		}
	}
	if len(failed) > 0 {
		return "", griefs(failed)
	}
	return strings.Join(waiting, "; "), nil
}

// report tells how the watch went: how often it looked, with how many calls, and how long after the end it saw it.
func (r *rollout) report(seen []observation, pace *pace) {
	if r.watched == nil {
		return
	}
	w := record.Watch{Looks: r.looks, Calls: int(r.calls.Load()), PauseSeconds: pace.took.Seconds()}
	var end time.Time
	for _, o := range seen {
		if o.deployment != nil && aws.ToTime(o.deployment.FinishedAt).After(end) {
			end = *o.deployment.FinishedAt
		}
	}
	if !end.IsZero() && end.After(pace.began) {
		w.LagSeconds = max(0, r.clock.Now().Sub(end).Seconds())
	}
	r.watched(w)
}

// tooLong ends what is still being rolled out at the time limit, and says of it what is known.
func (r *rollout) tooLong(ctx context.Context, seen []observation, waiting string, v voice) error {
	text := fmt.Sprintf("it has not ended after %s: %s", r.env.Deployment.Rollout.Timeout, waiting)
	var remedies []string
	for _, o := range seen {
		if o.service == nil || o.ended() && !o.verified || judge(o, r.image.Digests, true).state == rolledOut {
			continue
		}
		known := r.explain(ctx, o, "")
		if words := r.lastWordsOfNewest(ctx, o); words != "" {
			known.evidence += "\n  the last log lines of a task:\n    " + strings.ReplaceAll(words, "\n", "\n    ")
		}
		if known.evidence != "" {
			text += "\n" + o.name + ":" + known.evidence
		}
		if !slices.Contains(remedies, known.advice) {
			remedies = append(remedies, known.advice)
		}
		r.stop(ctx, o, v)
	}
	remedies = append(remedies, "deployment.rollout.timeout in the environment's file gives it more time")
	return advice.With(errors.New(text), strings.Join(remedies, "; "))
}

// lastWordsOfNewest are the last log lines of the newest task of this run that still runs.
func (r *rollout) lastWordsOfNewest(ctx context.Context, o observation) string {
	running, err := r.runningTasks(ctx)
	if err != nil || o.deployment == nil {
		return ""
	}
	own := slices.DeleteFunc(running["service:"+o.name], func(t types.Task) bool { return !o.started(t) })
	if len(own) == 0 {
		return ""
	}
	newest := slices.MaxFunc(own, func(a, b types.Task) int { return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt)) })
	return r.lastLog(ctx, o.role, aws.ToString(newest.TaskArn), logTail)
}

// revive starts a service deployment where the program had nothing to change but the service stands still after a
// failure: ECS does not try again by itself.
func (r *rollout) revive(ctx context.Context, seen []observation, v voice) error {
	for _, o := range seen {
		if !o.stranded() {
			continue
		}
		v.note("%s has not changed but does not run: it is started again", o.name)
		if err := r.forceDeployment(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until ECS has ended what it does to the services by itself, such as going back, so that the next
// deployment does not meet it. It gives up silently at its limit: preflight will see what is still under way.
func (r *rollout) settle(ctx context.Context, v voice) {
	for pace := newPace(r.clock); pace.elapsed() < settleLimit; {
		seen, err := r.view(ctx)
		if err != nil || !slices.ContainsFunc(seen, func(o observation) bool { return o.service != nil && o.beginning() }) {
			return
		}
		v.progress("ECS is still ending the rollout")
		if pace.wait(ctx, settleLimit) != nil {
			return
		}
	}
}

// stop ends a service deployment that cannot succeed, so that ECS does not go on trying until its own limit. Somebody
// else's is left alone.
func (r *rollout) stop(ctx context.Context, o observation, v voice) {
	if o.deployment == nil || !underWay(o.deployment) || o.other != "" {
		return
	}
	arn := o.deployment.ServiceDeploymentArn
	if arn == nil {
		v.note("the deployment of %s is not stopped early: service deployments cannot be read; ECS's circuit breaker ends it", o.name)
		return
	}
	_, err := r.ecs.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: arn, StopType: types.StopServiceDeploymentStopTypeRollback,
	})
	if err != nil {
		v.note("the deployment of %s could not be stopped early, ECS's circuit breaker ends it later: %v", o.name, err)
		return
	}
	v.note("the deployment of %s is stopped: waiting does not help it", o.name)
}

func definitions(observations []observation) map[string]string {
	byService := map[string]string{}
	for _, o := range observations {
		if o.service != nil {
			byService[o.name] = shortID(aws.ToString(o.service.TaskDefinition))
		}
	}
	return byService
}

// refused reports whether AWS, or what stands for it, will never answer the call: the credentials may not make it, or it
// is not known there.
func refused(err error) bool {
	if err == nil {
		return false
	}
	if checks.AccessDenied(err) {
		return true
	}
	var answer *awshttp.ResponseError
	return errors.As(err, &answer) && slices.Contains(
		[]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusInternalServerError, http.StatusNotImplemented}, answer.HTTPStatusCode())
}
