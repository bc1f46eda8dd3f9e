package release

import (
	"context"
	"errors"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
)

// backup creates a snapshot of the database, waits for it, and deletes old ones.
func (d *deployment) backup(ctx context.Context, log phaseLog) (string, error) {
	db := database.New(d.deps.AWS, d.deps.Env, d.deps.Clock)
	snapshot, err := db.CreateSnapshot(ctx, d.request.ID, d.request.By, log.progress)
	if errors.Is(err, database.ErrNoDatabase) {
		return "there is no database yet", nil
	}
	if err != nil {
		return "", err
	}
	if err := db.WaitForSnapshot(ctx, snapshot, log.progress); err != nil {
		return "", err
	}
	d.record.Snapshot = snapshot // an incomplete one cannot be restored
	d.prune(ctx, log, db)
	return "snapshot " + snapshot, nil
}

// prune deletes the oldest snapshots beyond what the environment keeps, but none that a rollback would name. A failure is a warning:
// a snapshot too many stops no deployment.
func (d *deployment) prune(ctx context.Context, log phaseLog, db database.Instance) {
	records, err := d.records(ctx)
	if err != nil {
		d.warn(log, "old snapshots were kept, because the records that need them could not be read: "+err.Error())
		return
	}
	deleted, err := db.PruneSnapshots(ctx, append(history.RequiredSnapshots(records), d.record.Snapshot)...)
	if len(deleted) > 0 {
		log.note("deployment.snapshotsKept is %d, deleted: %s", d.deps.Env.Deployment.SnapshotsKept, strings.Join(deleted, ", "))
	}
	if err != nil {
		d.warn(log, err.Error())
	}
}

// databaseSwapPending stops a deployment while a restore is replacing the database: the deployment could run on either one.
func (d *deployment) databaseSwapPending(ctx context.Context) []Problem {
	records, err := d.records(ctx)
	if err != nil || !history.LastRestore(records).Unfinished() {
		return nil
	}
	stack := d.deps.Env.Stack
	return blocking("database", hint.With(errors.New("a restore is replacing the database and has not finished"),
		"continue it with `deployer snapshot restore --switch --env "+stack+"`, or return to the previous database with `deployer snapshot restore --back --env "+stack+"`"))
}
