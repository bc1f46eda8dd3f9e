package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
)

// undoing is what is shown like a phase while the last good image is put back.
const undoing = "rollback"

// undo puts back what can be put back after a phase failed, and says what was done, or why nothing was. The error is why a rollback
// that was begun did not come to its end.
func (d *deployment) undo(ctx context.Context, failed string) (string, error) {
	switch {
	case failed == Validate:
		return "the new image runs and answers; it was left in place", nil
	case !d.touched:
		return "no service was touched: what ran before goes on serving" + d.snapshotAdvice(ctx), nil
	case d.Restart && !d.changedCode(ctx):
		return "the image is the one that ran before, so there is nothing to put back: ECS keeps the tasks of before where new ones cannot start", nil
	case d.Env.Deployment.Rollback != environment.RollbackAutomatic && failed == Migrate:
		return fmt.Sprintf("the services were rolled out before and run the new image: the deployer put nothing back, deployment.rollback is %s here; "+
			"`rollback` brings back the last image that was verified healthy", d.Env.Deployment.Rollback) + d.snapshotAdvice(ctx), nil
	case d.Env.Deployment.Rollback != environment.RollbackAutomatic:
		return fmt.Sprintf("the deployer put nothing back, deployment.rollback is %s here; ECS itself goes back to the revision before, "+
			"where there was one, while the stack names the new image: run `up` with the image that is to run", d.Env.Deployment.Rollback) + d.snapshotAdvice(ctx), nil
	}
	v := voice{phase: undoing, report: d.Report, now: d.Clock.Now}
	last, code, err := d.lastGood(ctx)
	if err != nil {
		return "nothing was put back: " + err.Error() + d.snapshotAdvice(ctx), err
	}
	v.report(Event{Time: d.Clock.Now(), Kind: PhaseStarted, Phase: v.phase, Message: "back to " + last.Tag})
	began := d.Clock.Now()
	err = d.putBack(ctx, v, last, code)
	ended := Event{Time: d.Clock.Now(), Kind: PhaseEnded, Phase: v.phase, Outcome: record.Succeeded, Took: d.Clock.Now().Sub(began)}
	if err != nil {
		ended.Outcome, ended.Message = record.Failed, err.Error()
		v.report(ended)
		return fmt.Sprintf("the rollback to %s failed too, so old and new may both be running: %s\n"+
			"look at what runs (`deployer status --env %s --only ecs_service,ecs_tasks`), then choose what is to run with `rollback --to` or `up --code-only`",
			last.Tag, err, d.Env.Stack) + d.snapshotAdvice(ctx), err
	}
	ended.Message = fmt.Sprintf("%s (%s) runs again", last.Tag, shortDigest(last.Digest))
	v.report(ended)
	d.record.RolledBackTo = &last.Image
	return fmt.Sprintf("rolled back: %s (%s) runs again, the last image that was verified healthy", last.Tag, shortDigest(last.Digest)) +
		d.snapshotAdvice(ctx), nil
}

// snapshotAdvice names the snapshot from before the first migration since the last good deployment: a database is never put back by
// itself.
func (d *deployment) snapshotAdvice(ctx context.Context) string {
	if d.record.Snapshot == "" {
		return ""
	}
	snapshot := d.record.Snapshot
	if records, err := d.Records.List(ctx, d.Env.Stack, recordsRead); err == nil {
		if good := record.LastVerified(records); good != nil {
			snapshot = cmp.Or(record.SnapshotBeforeMigration(records, good.ID), snapshot)
		}
	}
	return "; the database was not put back, its snapshot is " + snapshot
}

// hasGood reports whether there is an image to go back to.
func (d *deployment) hasGood(ctx context.Context) bool {
	_, _, err := d.lastGood(ctx)
	return err == nil
}

// recordsRead is how many records a rollback looks through.
const recordsRead = 100

// lastGood returns the image of the last deployment that was verified healthy, if the registry still has it, and the
// code that was deployed with it, nil where its record does not say.
func (d *deployment) lastGood(ctx context.Context) (*Image, *environment.Code, error) {
	records, err := d.Records.List(ctx, d.Env.Stack, recordsRead)
	if err != nil {
		return nil, nil, err
	}
	good := record.LastVerified(records)
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
func (d *deployment) codeOf(earlier *record.Deployment) *environment.Code {
	if earlier.Code != nil {
		return earlier.Code
	}
	return &d.before
}

// changesCodeOf reports whether this deployment changes the code of an earlier one of the same image.
func (d *deployment) changesCodeOf(earlier *record.Deployment) bool {
	return !d.codeOf(earlier).Agrees(d.Env.Code())
}

// changedCode reports whether this deployment changed the code of the image that was verified healthy last.
func (d *deployment) changedCode(ctx context.Context) bool {
	records, err := d.Records.List(ctx, d.Env.Stack, recordsRead)
	if err != nil {
		return false
	}
	good := record.LastVerified(records)
	return good != nil && good.Image.Digest == d.image.Digest && d.changesCodeOf(good)
}

// putBack brings the image and its code back through the stack, so that the stack and the account agree, and verifies it.
func (d *deployment) putBack(ctx context.Context, v voice, image *Image, code *environment.Code) error {
	watcher, err := d.follow(ctx, d.infra.Deployed(code), image)
	if err != nil {
		return err
	}
	done, err := d.infra.Code(ctx, image.Reference, code, func(s string) { v.progress("%s", s) })
	if err != nil {
		return err
	}
	d.record.EngineSeconds += done.Took.Seconds()
	if err := d.reconcile(ctx, v, watcher, image); err != nil {
		return err
	}
	d.record.TaskDefinitions, err = watcher.run(ctx, v)
	return err
}
