package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// RollbackPhase declares how an automatic rollback is reported: like a phase.
const RollbackPhase = "rollback"

// rollback rolls back after a phase failed, where that helps the cause, and returns what it did, or why nothing. The error is why a
// rollback failed.
func (d *deployment) rollback(ctx context.Context, failedPhase string, cause error) (string, error) {
	if why := d.leaves(ctx, failedPhase, cause); why != "" {
		return why, nil
	}
	last, code, err := d.lastVerifiedImage(ctx)
	if err != nil {
		return "nothing was rolled back: " + err.Error() + d.runsNote(ctx, failedPhase) + d.snapshotNote(ctx), err
	}
	log, start := d.phaseLog(RollbackPhase), d.deps.Clock.Now()
	log.report(Event{Time: start, Kind: PhaseStarted, Phase: log.phase, Message: "rolling back to " + last.Tag, Image: &last.Image})
	d.record.Rollback = history.Running
	d.saveProgress(ctx, log, d.record)
	err = d.redeploy(ctx, log, last, code)
	if isEndedByAlarm(err) {
		log.note("the failed version's errors have set off an alarm meanwhile, for which ECS ended the rollback too; trying again, as ECS does not " +
			"watch an alarm that is in alarm already")
		err = d.redeploy(ctx, log, last, code)
	}
	took := d.deps.Clock.Now().Sub(start)
	if err != nil {
		d.record.Rollback = failedOutcome(ctx)
		log.ended(d.record.Rollback, endMessage(ctx, err), took)
		return fmt.Sprintf("the rollback to %s failed too, so both versions may be running: %s\n"+
			"check what runs with `deployer status --env %[3]s --only ecs_service,ecs_tasks`, then choose an image: "+
			"`deployer rollback --env %[3]s --to TAG` or `deployer up --env %[3]s --code-only --image-tag TAG`",
			last.Tag, err, d.deps.Env.Stack) + d.snapshotNote(ctx), err
	}
	d.record.RolledBackTo = &last.Image
	runs := fmt.Sprintf("%s (%s) runs again", last.Tag, awsx.ShortDigest(last.Digest))
	answer, outcome := d.probeRolledBack(ctx, log, d.infra.Deployed(code))
	d.record.Rollback = outcome
	log.ended(outcome, runs+answer, d.deps.Clock.Now().Sub(start))
	return "rolled back: " + runs + answer + d.databaseNote(ctx), nil
}

// leaves returns why nothing is rolled back after a phase failed; "" where the last verified image is to run again.
func (d *deployment) leaves(ctx context.Context, failedPhase string, cause error) string {
	setting, skipped := d.deps.Env.Deployment.Rollback, d.request.SkipPhases
	var expired *ExpiredError
	var probes *probesError
	isProbe := errors.As(cause, &probes)
	switch {
	case failedPhase == Validate && skipped[Rollout] != "":
		return "nothing was rolled out, so there is nothing to roll back"
	case failedPhase == Validate && skipped[Health] != "":
		return "the new image runs, and whether it answers was not checked; it was not rolled back"
	case failedPhase == Validate:
		return "the new image runs and answers; it was not rolled back"
	case !d.servicesChanged && failedPhase == Health:
		return "no service was changed" + d.snapshotNote(ctx) // what does not answer does not serve
	case !d.servicesChanged:
		return describeUnchanged(d.currentServices(ctx)) + d.snapshotNote(ctx)
	case failedPhase == Bake && !isBakeFailure(cause):
		return d.imageRuns() + " and answers, and whether it fails later is unknown; it was not rolled back" + d.snapshotNote(ctx)
	case errors.As(cause, &expired):
		return "nothing was rolled back: the image is not the cause, and a rollback needs credentials; what was begun continues in the account" +
			d.snapshotNote(ctx)
	case failedPhase == Health && !isProbe:
		return d.imageRuns() + ", and whether it answers is unknown; it was not rolled back" + d.snapshotNote(ctx)
	case failedPhase == Health && probes.outside() != "":
		return fmt.Sprintf("nothing was rolled back, because another image would fail in the same way: the cause is %s, not the application; %s",
			probes.outside(), d.imageRuns()) + d.snapshotNote(ctx)
	case d.request.Restart && failedPhase != Bake && !d.changedCode(ctx): // a restart is watched only where the image was not verified
		return "the image has not changed, so there is nothing to roll back: ECS keeps the old tasks where new ones cannot start"
	case failedPhase == Rollout && d.outsideImage(ctx, cause) != "":
		return d.notCured(ctx, d.outsideImage(ctx, cause))
	case setting != environment.RollbackAutomatic:
		return d.leftToPerson(ctx, failedPhase)
	}
	return ""
}

// leftToPerson returns what runs after a failure where deployment.rollback is manual, and how to go back.
func (d *deployment) leftToPerson(ctx context.Context, failedPhase string) string {
	setting, stack := d.deps.Env.Deployment.Rollback, d.deps.Env.Stack
	switch {
	case failedPhase == Migrate:
		return fmt.Sprintf("the services were rolled out before the migration and run the new image, which was not rolled back: deployment.rollback is %s; "+
			"`deployer rollback --env %s` redeploys the last image that was verified healthy", setting, stack) + d.snapshotNote(ctx)
	case d.isFirst(ctx):
		return "nothing was rolled back: this is the first deployment" + d.runsNote(ctx, failedPhase) + d.snapshotNote(ctx)
	case failedPhase == Health || failedPhase == Bake:
		back := d.wayBack(ctx)
		if back != "" {
			back = "; to go back: " + back
		}
		return fmt.Sprintf("%s and was not rolled back: deployment.rollback is %s%s", d.imageRuns(), setting, back) + d.snapshotNote(ctx)
	}
	return fmt.Sprintf("it was not rolled back: deployment.rollback is %s; ECS itself returns to the previous revision, "+
		"where there is one, while the stack names the new image: "+
		"deploy the image that should run with `deployer up --env %s --image-tag TAG`", setting, stack) + d.snapshotNote(ctx)
}

// outsideImage returns why a rollout failed where another image would fail in the same way; "" where one may succeed. An earlier image
// is deployed with the keys of the secret that it required, so that one may not miss what this deployment misses.
func (d *deployment) outsideImage(ctx context.Context, cause error) string {
	var failed *rolloutError
	if !errors.As(cause, &failed) {
		return ""
	}
	records, err := d.records(ctx)
	verified := history.LastVerified(records)
	return failed.outside(err == nil && verified != nil && d.changesCodeOf(verified))
}

// notCured returns why a rollout that another image does not cure was not rolled back: a rollback would start tasks too. ECS itself returns to
// the previous revision, which needs none where its tasks still run, so that the services and the stack may differ: which service has what, and
// how to continue.
func (d *deployment) notCured(ctx context.Context, why string) string {
	note := "nothing was rolled back, because another image would fail in the same way: " + why
	states, err := d.currentServices(ctx)
	if err != nil {
		note += "; which image each service has is unknown: " + err.Error()
	} else {
		note += "; " + describeImages(states, d.image.Digest, d.tagOf(ctx))
		if slices.ContainsFunc(states, func(s serviceState) bool { return s.digest != d.image.Digest }) {
			note += ", while the stack names " + d.image.Tag
		}
	}
	note += d.servesNote(ctx) + d.snapshotNote(ctx) + "\nwhen that is corrected, run the same command again"
	if back := d.wayBack(ctx); back != "" {
		note += "; to deploy the earlier image instead: " + back
	}
	return note
}

// isFirst reports whether no earlier image was verified healthy.
func (d *deployment) isFirst(ctx context.Context) bool {
	records, err := d.records(ctx)
	return err == nil && history.LastVerified(records) == nil
}

// servesNote returns that nothing serves, as the end of a sentence; "" where something does, or it is unknown.
func (d *deployment) servesNote(ctx context.Context) string {
	states, err := d.currentServices(ctx)
	api := list.Find(states, func(s serviceState) bool { return s.role == environment.API })
	if err != nil || api == nil || api.running > 0 {
		return ""
	}
	return fmt.Sprintf("; api has 0 of %d tasks running, so nothing serves", api.desired)
}

// runsNote returns that the new image serves although it failed its bake, else that nothing serves, as the end of a sentence.
func (d *deployment) runsNote(ctx context.Context, failedPhase string) string {
	if failedPhase == Bake {
		return "; " + d.imageRuns() + " and serves"
	}
	return d.servesNote(ctx)
}

// imageRuns returns that the new image runs.
func (d *deployment) imageRuns() string {
	return fmt.Sprintf("%s (%s) runs", d.image.Tag, awsx.ShortDigest(d.image.Digest))
}

// probeRolledBack probes the environment after a rollback, and returns whether it answers, as the end of a sentence, and the outcome of the
// rollback.
func (d *deployment) probeRolledBack(ctx context.Context, log phaseLog, env *environment.Environment) (string, history.Outcome) {
	results, err := d.probeHealth(ctx, log, env)
	var probes *probesError
	switch {
	case err == nil:
		return fmt.Sprintf(" and answers: %d probes of %s succeeded", len(results), env.URL()), history.Succeeded
	case ctx.Err() != nil:
		return "; whether it answers was not checked: " + context.Cause(ctx).Error(), history.Interrupted
	case errors.As(err, &probes):
		return " and does not answer either, so that the rollback does not cure this: " + probes.failed[0].Problem.Message, history.Failed
	}
	return "; whether it answers is unknown: " + err.Error(), history.Failed
}

// databaseNote returns what a rollback of the code leaves in the database: the migrations since the last verified deployment.
func (d *deployment) databaseNote(ctx context.Context) string {
	records, err := d.records(ctx)
	verified := history.LastVerified(records)
	earlier := err == nil && verified != nil && history.MigratedAfter(records, verified.ID)
	if m := d.record.Migration; !earlier && (m == nil || m.NoChanges) {
		return "; no migration changed the database"
	}
	note := fmt.Sprintf("; the database %s keeps the migrations since then", d.deps.Env.DatabaseIdentifier())
	snapshot := d.record.Snapshot
	if verified != nil {
		snapshot = cmp.Or(history.SnapshotBeforeMigration(records, verified.ID), snapshot)
	}
	if snapshot == "" {
		return note + ", and no deployment took a snapshot before them"
	}
	return note + ": its state before them is in the snapshot " + snapshot
}

// snapshotNote names the snapshot from before the first migration since the last verified deployment: a database is never restored
// automatically.
func (d *deployment) snapshotNote(ctx context.Context) string {
	if d.record.Snapshot == "" {
		return ""
	}
	snapshot := d.record.Snapshot
	if records, err := d.records(ctx); err == nil {
		if verified := history.LastVerified(records); verified != nil {
			snapshot = cmp.Or(history.SnapshotBeforeMigration(records, verified.ID), snapshot)
		}
	}
	return "; the database was not restored, its snapshot is " + snapshot
}

// lastVerifiedImage returns the image of the last deployment that was verified healthy, if the registry still has it, and the code
// that was deployed with it, nil where its record has none.
func (d *deployment) lastVerifiedImage(ctx context.Context) (*Image, *environment.Code, error) {
	records, err := d.records(ctx)
	if err != nil {
		return nil, nil, err
	}
	verified := history.LastVerified(records)
	switch {
	case verified == nil:
		return nil, nil, errors.New("this is the first deployment, so no earlier image was verified healthy")
	case verified.Image.Digest == d.image.Digest && !d.changesCodeOf(verified):
		return nil, nil, errors.New("this image with this code is the last one that was verified healthy, so it is not the cause")
	}
	image, err := FindImage(ctx, d.images, d.deps.Env, verified.Image.Digest)
	if err != nil {
		return nil, nil, fmt.Errorf("the last verified image %s (%s) cannot be used: %w", verified.Image.Tag, awsx.ShortDigest(verified.Image.Digest), err)
	}
	image.Tag = releaseTag(verified.Image.Tag, image.Tag)
	if verified.Image.Digest == d.image.Digest {
		return image, d.codeOf(verified), nil
	}
	return image, verified.Code, nil
}

// codeOf returns the code of an earlier deployment of the same image. Where its record has none, it is the code from before this
// deployment.
func (d *deployment) codeOf(earlier *history.Deployment) *environment.Code {
	if earlier.Code != nil {
		return earlier.Code
	}
	return &d.codeBefore
}

func (d *deployment) changesCodeOf(earlier *history.Deployment) bool {
	return !d.codeOf(earlier).Matches(d.deps.Env.Code())
}

// changedCode reports whether this deployment changed the code of the image that was verified healthy last.
func (d *deployment) changedCode(ctx context.Context) bool {
	records, err := d.records(ctx)
	if err != nil {
		return false
	}
	verified := history.LastVerified(records)
	return verified != nil && verified.Image.Digest == d.image.Digest && d.changesCodeOf(verified)
}

// isEndedByAlarm reports whether ECS ended a rollout because an alarm went into alarm while it watched.
func isEndedByAlarm(err error) bool {
	var failed *rolloutError
	return errors.As(err, &failed) && slices.ContainsFunc(failed.failures, func(f serviceFailure) bool { return f.byAlarm })
}

// redeploy deploys an image and its code through the stack, so that the stack and the account agree, and verifies the rollout.
func (d *deployment) redeploy(ctx context.Context, log phaseLog, image *Image, code *environment.Code) error {
	watcher, err := d.newWatcher(ctx, d.infra.Deployed(code), image)
	if err != nil {
		return err
	}
	update, err := d.infra.DeployCode(ctx, image.Reference, code, log.progressLine)
	if err != nil {
		return err
	}
	d.record.EngineSeconds += update.Took.Seconds()
	if err := d.refreshServices(ctx, log, watcher, image); err != nil {
		return err
	}
	result, err := watcher.watch(ctx, log)
	d.record.TaskDefinitions = result.definitions
	return err
}
