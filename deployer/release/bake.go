package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/bake"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// bakeDelay declares by how much a bake may be longer than deployment.rollout.bake: the metrics of its last minute are published late.
const bakeDelay = 5 * time.Minute

// baker watches a new version after its rollout.
type baker interface {
	// Watch returns once the version has failed, or the time is over. The error is why it could not watch to the end.
	Watch(ctx context.Context, target bake.BakeTarget, report func(string)) (bake.Verdict, error)
}

// A startedRollout is what the rollout of a deployment started.
type startedRollout struct {
	// since is when the rollout began, before anything was changed; services are those for which ECS started a service deployment.
	since    time.Time
	services []string
}

// isBakeConfigured reports whether the environment's file asks for a bake.
func (d *deployment) isBakeConfigured() bool { return d.deps.Env.Deployment.Rollout.Bake > 0 }

// bakes reports whether the deployment watches its new version after the health probes.
func (d *deployment) bakes(ctx context.Context) bool {
	return d.isBakeConfigured() && d.request.SkipPhases[Bake] == "" && d.nothingToBake(ctx) == ""
}

// nothingToBake returns why the deployment has no new version to watch; "" where it has one.
func (d *deployment) nothingToBake(ctx context.Context) string {
	switch {
	case d.request.DryRun:
		return ""
	case d.request.Kind == history.Rollback && d.wasVerified(ctx):
		return "the image was verified before"
	case d.request.Restart && d.wasVerified(ctx) && !d.changedCode(ctx):
		return "the image stays the same"
	case d.toBake(ctx).services == nil:
		return "nothing was rolled out"
	}
	return ""
}

// wasVerified reports whether a deployment verified the image healthy.
func (d *deployment) wasVerified(ctx context.Context) bool {
	records, err := d.records(ctx)
	return err == nil && history.HasVerified(records, d.image.Digest)
}

// toBake returns the rollout to watch: that of this deployment, together with earlier ones of the same image that were not watched to their
// end: those concern every service. So does a restart, and every rollout where the records cannot be read.
func (d *deployment) toBake(ctx context.Context) startedRollout {
	rollout := d.started
	if !d.servicesChanged {
		return rollout
	}
	records, err := d.records(ctx)
	all, replaced := err != nil || d.request.Restart, false
search:
	for _, r := range history.SinceDestroy(records) {
		switch {
		case r.ID == d.record.ID || !r.RolledOut():
		case r.Image.Digest != d.image.Digest:
			replaced = true // what was observed before that is not compared
		case !leftUnwatched(r):
			break search
		case !replaced:
			all, rollout.since = true, r.Started
		default:
			all = all || len(rollout.services) == 0 // ECS returned to it when the rollout of the other one failed
		}
	}
	if all {
		rollout.services = list.Map(d.deployedEnvironment().Services.List(), func(s environment.Service) string { return d.deps.Env.ServiceName(s.Role) })
	}
	return rollout
}

// leftUnwatched reports whether a deployment ended after its rollout and before the new version was watched to the end, or the bake could
// not judge it.
func leftUnwatched(r history.Deployment) bool {
	baked := list.Find(r.Phases, func(p history.Phase) bool { return p.Name == Bake })
	switch {
	case r.Verified, r.RolledBackTo != nil:
		return false
	case baked != nil:
		return baked.Outcome != history.Succeeded && baked.Outcome != history.Skipped
	}
	return !r.Complete()
}

// CouldNotJudge reports a bake that found no failure because it could not look for one.
const CouldNotJudge = "the bake could not judge"

// bake watches the new version, and marks the image as verified where it was judged and has not failed.
func (d *deployment) bake(ctx context.Context, log phaseLog) (string, error) {
	target := d.bakeTarget(ctx)
	verdict, err := d.baker.Watch(ctx, target, func(line string) {
		if ctx.Err() == nil { // what an interruption ends is no problem of reading
			log.progress("%s", line)
		}
	})
	if err != nil {
		return "", err
	}
	for _, warning := range verdict.Warnings {
		d.warn(log, warning)
	}
	if verdict.Failed {
		return "", &bakeError{verdict.Evidence, d.bakeHint(verdict.Evidence)}
	}
	if verdict.Unjudged != "" {
		d.unjudged = verdict.Unjudged + " could not be read"
		return CouldNotJudge + ": " + d.unjudged + "; the image is not verified, and the same command again watches it again", nil
	}
	d.verify(ctx, log)
	return strings.TrimSuffix(fmt.Sprintf("watched for %s: %s", target.For, verdict.Summary), ": "), nil
}

// failedBefore returns the times before a rollout in which a version that failed may have served, the newest first: from the begin of its
// deployment until it was rolled back, or until the next rollout.
func (d *deployment) failedBefore(ctx context.Context, since time.Time) (periods []bake.Period) {
	records, err := d.records(ctx)
	if err != nil {
		return nil
	}
	next := since
	for _, r := range history.SinceDestroy(records) {
		if r.ID == d.record.ID || !r.RolledOut() || !r.Started.Before(since) {
			continue
		}
		if !r.Complete() && !r.Verified {
			failed := bake.Period{From: r.Started, Until: next}
			if r.RolledBackTo != nil {
				failed.Until = r.Ended
			}
			periods = append(periods, failed)
		}
		next = r.Started
	}
	return periods
}

// bakeTarget returns what the bake watches. The load balancer is left out where the API was not rolled out.
func (d *deployment) bakeTarget(ctx context.Context) bake.BakeTarget {
	env, rollout := d.deployedEnvironment(), d.toBake(ctx)
	target := bake.BakeTarget{
		Cluster: env.ClusterName(), Services: rollout.services, Since: rollout.since, For: d.deps.Env.Deployment.Rollout.Bake,
		Alarms: list.Map(env.Deployment.Rollout.Alarms, env.AlarmName), Except: d.failedBefore(ctx, rollout.since),
	}
	if slices.Contains(rollout.services, env.ServiceName(environment.API)) {
		target.TargetGroup, target.LoadBalancer = env.TargetGroupName(), env.LoadBalancerName()
	}
	return target
}

// verify records that the image was verified healthy, unless the health probes were skipped: only a verified image is rolled back to.
func (d *deployment) verify(ctx context.Context, log phaseLog) {
	if d.request.SkipPhases[Health] == "" {
		d.record.Verified = true
		d.tagRunningImage(ctx, log)
	}
}

// A bakeError reports how a new version fails its users.
type bakeError struct {
	evidence []bake.Evidence
	hint     string
}

// Error returns the evidence, a line for each. The first is on the first line, which lists of deployments show alone.
func (e *bakeError) Error() string {
	texts := list.Map(e.evidence, func(found bake.Evidence) string { return found.Text })
	return "the new version fails after its health checks: " + strings.Join(texts, "\n  ")
}

// Hint returns where to find the cause.
func (e *bakeError) Hint() string { return e.hint }

// isBakeFailure reports whether an error is that a new version failed its bake, and not that it could not be watched.
func isBakeFailure(err error) bool {
	var failed *bakeError
	return errors.As(err, &failed)
}

// bakeHint returns the commands that show the cause: the log of the service that failed, or of all where several did, and the checks.
func (d *deployment) bakeHint(evidence []bake.Evidence) string {
	env := d.deps.Env
	failed := list.Filter(env.Services.List(), func(s environment.Service) bool {
		return slices.ContainsFunc(evidence, func(e bake.Evidence) bool { return e.Subject == env.ServiceName(s.Role) })
	})
	service := " --service " + string(environment.API)
	switch len(failed) {
	case 0:
	case 1:
		service = " --service " + string(failed[0].Role)
	default:
		service = ""
	}
	return fmt.Sprintf("find the cause in the log: `deployer logs --env %[1]s%[2]s --since 1h`; `deployer status --env %[1]s --only alarms,ecs_tasks` "+
		"shows what else is not healthy", env.Stack, service)
}
