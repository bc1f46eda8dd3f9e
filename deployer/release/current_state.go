package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// stateTimeout bounds reading the services after an interruption: CI systems give about 10 s for all of it.
const stateTimeout = 2 * time.Second

// A serviceState is what ECS has of a service that exists.
type serviceState struct {
	role             environment.Role
	running, desired int32
	// digest is that of the image which the service's task definition names. rolling reports that ECS is replacing tasks.
	digest  string
	rolling bool
}

// readServiceStates reads the environment's services that exist.
func readServiceStates(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]serviceState, error) {
	found, err := describeServices(ctx, client, env)
	if err != nil {
		return nil, err
	}
	var states []serviceState
	for _, role := range env.Services.List() {
		for _, s := range found {
			if aws.ToString(s.ServiceName) != env.ServiceName(role.Role) || aws.ToString(s.Status) != "ACTIVE" {
				continue
			}
			image, err := containerImage(ctx, client, aws.ToString(s.TaskDefinition), env.ContainerName(role.Role))
			if err != nil {
				return nil, err
			}
			states = append(states, serviceState{
				role: role.Role, running: s.RunningCount, desired: s.DesiredCount, digest: awsx.DigestOf(image),
				rolling: len(s.Deployments) > 1 || checks.PrimaryDeployment(s).RunningCount < s.DesiredCount,
			})
		}
	}
	return states, nil
}

// currentServices reads the services, also after the deployment was interrupted.
func (d *deployment) currentServices(ctx context.Context) ([]serviceState, error) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTimeout)
	defer cancel()
	return d.readServices(bounded)
}

// describeUnchanged returns that no service was changed, and whether one serves.
func describeUnchanged(states []serviceState, err error) string {
	api := list.Find(states, func(s serviceState) bool { return s.role == environment.API })
	switch {
	case err != nil:
		return "no service was changed"
	case len(states) == 0:
		return "there is no service yet, so nothing serves"
	case api != nil && api.running == 0:
		return fmt.Sprintf("no service was changed: api has 0 of %d tasks running, so nothing serves", api.desired)
	}
	return "no service was changed: the previous version continues to serve"
}

// describeImages returns which service has which image; tag returns the name of an image's digest.
func describeImages(states []serviceState, deployed string, tag func(digest string) string) string {
	if len(states) == 0 {
		return "there is no service yet"
	}
	images := list.Map(states, func(s serviceState) string {
		has := fmt.Sprintf("%s has %s", s.role, tag(s.digest))
		switch {
		case s.digest != deployed:
			has = fmt.Sprintf("%s still has %s", s.role, tag(s.digest))
		case s.rolling:
			has += ", which ECS continues to roll out"
		}
		return has
	})
	outcome := ""
	switch some := func(s serviceState) bool { return s.digest == deployed }; {
	case !slices.ContainsFunc(states, some):
		outcome = "no service has the new image: "
	case slices.ContainsFunc(states, func(s serviceState) bool { return !some(s) }):
		outcome = "the rollout stopped halfway: "
	}
	return outcome + strings.Join(images, ", ")
}

// An engineInterruption is an interrupted run of the engine.
type engineInterruption interface {
	error
	// Remaining describes what is still running; "" where nothing is. Clean reports that the engine has ended and knows the outcome of each
	// operation.
	Remaining() string
	Clean() bool
}

// interrupted returns the error of a deployment that was interrupted in a phase: what was done until then, what there is now, and how to
// continue or to go back.
func (d *deployment) interrupted(ctx context.Context, phase string, err error) *InterruptedError {
	stopped := &InterruptedError{Phase: phase, Cause: context.Cause(ctx), Remaining: err}
	if lost := lostHint(ctx); phase != Preflight && lost != "" {
		stopped.NextStep = lost
		return stopped
	}
	var engine engineInterruption
	ofEngine := errors.As(err, &engine)
	if phase == Preflight || d.request.Kind == history.Migrate || ofEngine && !engine.Clean() {
		return stopped
	}
	states, unknown := d.currentServices(ctx)
	if !d.servicesChanged {
		stopped.State = describeUnchanged(states, unknown)
		if d.asleep.Marker != nil && (phase == Repair || phase == Wake) {
			stopped.State = fmt.Sprintf("no service was changed: %s is asleep since %s", d.deps.Env.Name, d.asleep.Marker)
			if phase == Wake {
				stopped.State += ", and what was started continues to start"
			}
		}
		if d.changed > 0 {
			stopped.State = text.Plural(d.changed, "change was", "changes were") + " applied and kept; " + stopped.State
		}
		if ofEngine && unknown == nil && len(states) == 0 && !d.deps.Env.Protected {
			stopped.NextStep = fmt.Sprintf("run the same command again; it continues from there; `deployer destroy --env %s` deletes what was created",
				d.deps.Env.Stack)
		}
		return stopped
	}
	if unknown != nil {
		stopped.State = "which image each service has is unknown: " + unknown.Error()
	} else {
		stopped.State = describeImages(states, d.image.Digest, d.tagOf(ctx))
	}
	stopped.NextStep = "to continue, run the same command again"
	if phase == Bake {
		stopped.State += "; the new version was not watched to the end, so it is not verified"
		stopped.NextStep = "to watch it again, run the same command again"
	}
	if phase == Migrate {
		stopped.NextStep = cmp.Or(hint.Of(err), stopped.NextStep)
	}
	if back := d.wayBack(ctx); back != "" {
		stopped.NextStep += "; to go back: " + back
	}
	return stopped
}

// lostHint returns the hint of a deployment that ended because it lost its lock; "" where it did not. Another deployment may act now:
// what this one knows, and the commands that would follow, do not hold.
func lostHint(ctx context.Context) string {
	var lost *lock.LostError
	if errors.As(context.Cause(ctx), &lost) {
		return lost.Hint()
	}
	return ""
}

// interruptedRollback returns the error of an interrupted rollback after a failure.
func (d *deployment) interruptedRollback(ctx context.Context, failed *FailedError, err error) *InterruptedError {
	stopped := d.interrupted(ctx, RollbackPhase, err)
	stopped.RollbackOf, stopped.NextStep = failed, lostHint(ctx)
	if back := d.wayBack(ctx); back != "" && stopped.NextStep == "" {
		stopped.NextStep = "run " + back + " to redeploy the last image that was verified healthy"
	}
	return stopped
}

// wayBack returns the command that redeploys the last image that was verified healthy, with its tag; "" where there is none. It names the
// deployment: the stack may not have recorded yet which image runs, and a tag may have moved.
func (d *deployment) wayBack(ctx context.Context) string {
	records, err := d.records(context.WithoutCancel(ctx))
	if err != nil {
		return ""
	}
	verified := history.LastVerified(records)
	if verified == nil || verified.Image.Digest == d.image.Digest {
		return ""
	}
	return fmt.Sprintf("`deployer rollback --env %s --to %s` (%s)", d.deps.Env.Stack, verified.ID, verified.Image.Tag)
}

// tagOf returns a function that returns the tag that an image was deployed with, else its digest.
func (d *deployment) tagOf(ctx context.Context) func(digest string) string {
	records, _ := d.records(context.WithoutCancel(ctx)) // without them, digests are shown
	return func(digest string) string {
		if digest == d.image.Digest {
			return cmp.Or(d.image.Tag, awsx.ShortDigest(digest))
		}
		known := list.Find(records, func(r history.Deployment) bool { return r.Image.Digest == digest && r.Image.Tag != "" })
		if known == nil {
			return awsx.ShortDigest(digest)
		}
		return known.Image.Tag
	}
}
