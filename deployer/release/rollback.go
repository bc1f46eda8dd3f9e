package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// rollbackPhase is what is shown like a phase while the last good image is put back.
const rollbackPhase = "rollback"

// rollback puts back what can be put back after a phase failed, and says what was done, or why nothing was. The error is why a rollback
// that was begun did not come to its end.
func (d *deployment) rollback(ctx context.Context, failed string) (string, error) {
	switch {
	case failed == Validate:
		return "the new image runs and answers; it was left in place", nil
	case !d.servicesChanged:
		return "no service was touched: what ran before goes on serving" + d.snapshotNote(ctx), nil
	case d.Restart && !d.changedCode(ctx):
		return "the image is the one that ran before, so there is nothing to put back: ECS keeps the tasks of before where new ones cannot start", nil
	case d.Env.Deployment.Rollback != environment.RollbackAutomatic && failed == Migrate:
		return fmt.Sprintf("the services were rolled out before and run the new image: the deployer put nothing back, deployment.rollback is %s here; "+
			"`rollback` brings back the last image that was verified healthy", d.Env.Deployment.Rollback) + d.snapshotNote(ctx), nil
	case d.Env.Deployment.Rollback != environment.RollbackAutomatic:
		return fmt.Sprintf("the deployer put nothing back, deployment.rollback is %s here; ECS itself goes back to the revision before, "+
			"where there was one, while the stack names the new image: run `up` with the image that is to run", d.Env.Deployment.Rollback) + d.snapshotNote(ctx), nil
	}
	log := phaseLog{phase: rollbackPhase, report: d.Report, now: d.Clock.Now}
	last, code, err := d.lastVerifiedImage(ctx)
	if err != nil {
		return "nothing was put back: " + err.Error() + d.snapshotNote(ctx), err
	}
	log.report(Event{Time: d.Clock.Now(), Kind: PhaseStarted, Phase: log.phase, Message: "back to " + last.Tag})
	start := d.Clock.Now()
	err = d.redeploy(ctx, log, last, code)
	ended := Event{Time: d.Clock.Now(), Kind: PhaseEnded, Phase: log.phase, Outcome: history.Succeeded, Took: d.Clock.Now().Sub(start)}
	if err != nil {
		ended.Outcome, ended.Message = history.Failed, err.Error()
		log.report(ended)
		return fmt.Sprintf("the rollback to %s failed too, so old and new may both be running: %s\n"+
			"look at what runs (`deployer status --env %s --only ecs_service,ecs_tasks`), then choose what is to run with `rollback --to` or `up --code-only`",
			last.Tag, err, d.Env.Stack) + d.snapshotNote(ctx), err
	}
	ended.Message = fmt.Sprintf("%s (%s) runs again", last.Tag, shortDigest(last.Digest))
	log.report(ended)
	d.record.RolledBackTo = &last.Image
	return fmt.Sprintf("rolled back: %s (%s) runs again, the last image that was verified healthy", last.Tag, shortDigest(last.Digest)) +
		d.snapshotNote(ctx), nil
}

// snapshotNote names the snapshot from before the first migration since the last good deployment: a database is never put back by
// itself.
func (d *deployment) snapshotNote(ctx context.Context) string {
	if d.record.Snapshot == "" {
		return ""
	}
	snapshot := d.record.Snapshot
	if records, err := d.Records.List(ctx, d.Env.Stack, historyLimit); err == nil {
		if good := history.LastVerified(records); good != nil {
			snapshot = cmp.Or(history.SnapshotBeforeMigration(records, good.ID), snapshot)
		}
	}
	return "; the database was not put back, its snapshot is " + snapshot
}

// hasVerifiedImage reports whether there is an image to go back to.
func (d *deployment) hasVerifiedImage(ctx context.Context) bool {
	_, _, err := d.lastVerifiedImage(ctx)
	return err == nil
}

// historyLimit is how many records a rollback looks through.
const historyLimit = 100

// lastVerifiedImage returns the image of the last deployment that was verified healthy, if the registry still has it, and the
// code that was deployed with it, nil where its record does not say.
func (d *deployment) lastVerifiedImage(ctx context.Context) (*Image, *environment.Code, error) {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil {
		return nil, nil, err
	}
	good := history.LastVerified(records)
	switch {
	case good == nil:
		return nil, nil, errors.New("this is the first deployment here, there is no image that was verified healthy")
	case good.Image.Digest == d.image.Digest && !d.changesCodeOf(good):
		return nil, nil, errors.New("this very image is the last one that was verified healthy, with this code, so it is not the cause")
	}
	image, err := FindImage(ctx, d.images, d.Env, good.Image.Digest)
	if err != nil {
		return nil, nil, fmt.Errorf("the last good image %s (%s) cannot be used: %w", good.Image.Tag, shortDigest(good.Image.Digest), err)
	}
	image.Tag = good.Image.Tag
	if good.Image.Digest == d.image.Digest {
		return image, d.codeOf(good), nil
	}
	return image, good.Code, nil
}

// codeOf returns the code of an earlier deployment of the same image. Where its record does not say, it is what was deployed when
// this deployment began.
func (d *deployment) codeOf(earlier *history.Deployment) *environment.Code {
	if earlier.Code != nil {
		return earlier.Code
	}
	return &d.codeBefore
}

// changesCodeOf reports whether this deployment changes the code of an earlier one of the same image.
func (d *deployment) changesCodeOf(earlier *history.Deployment) bool {
	return !d.codeOf(earlier).Matches(d.Env.Code())
}

// changedCode reports whether this deployment changed the code of the image that was verified healthy last.
func (d *deployment) changedCode(ctx context.Context) bool {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil {
		return false
	}
	good := history.LastVerified(records)
	return good != nil && good.Image.Digest == d.image.Digest && d.changesCodeOf(good)
}

// redeploy brings the image and its code back through the stack, so that the stack and the account agree, and verifies it.
func (d *deployment) redeploy(ctx context.Context, log phaseLog, image *Image, code *environment.Code) error {
	watcher, err := d.newWatcher(ctx, d.infra.Deployed(code), image)
	if err != nil {
		return err
	}
	done, err := d.infra.DeployCode(ctx, image.Reference, code, func(s string) { log.progress("%s", s) })
	if err != nil {
		return err
	}
	d.record.EngineSeconds += done.Took.Seconds()
	if err := d.refreshServices(ctx, log, watcher, image); err != nil {
		return err
	}
	d.record.TaskDefinitions, err = watcher.watch(ctx, log)
	return err
}
