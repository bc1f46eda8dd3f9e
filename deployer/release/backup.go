package release

import (
	"context"
	"errors"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
)

// backup takes a snapshot of the database and waits for it, and then deletes the oldest of those that earlier
// deployments took, beyond what the environment keeps. Where there is no database yet, there is nothing to keep.
func (d *deployment) backup(ctx context.Context, log phaseLog) (string, error) {
	server := database.New(d.AWS, d.Env, d.Clock)
	snapshot, err := server.CreateSnapshot(ctx, d.ID, log.progress)
	if errors.Is(err, database.ErrNoDatabase) {
		return "there is no database yet", nil
	}
	if err != nil {
		return "", err
	}
	if err := server.WaitForSnapshot(ctx, snapshot, log.progress); err != nil {
		return "", err
	}
	d.record.Snapshot = snapshot // one that did not come to its end is none to go back to
	d.prune(ctx, log, server)
	return "snapshot " + snapshot, nil
}

// prune deletes what is more than the environment keeps. Whoever goes back may want the database of that time: what a
// rollback would name stays, like the one just taken. An old snapshot too many stops no deployment.
func (d *deployment) prune(ctx context.Context, log phaseLog, server database.Instance) {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil {
		d.warn(log, "old snapshots stay, because it is not known which of them is needed: "+err.Error())
		return
	}
	deleted, err := server.PruneSnapshots(ctx, append(history.RequiredSnapshots(records), d.record.Snapshot)...)
	if len(deleted) > 0 {
		log.note("deployment.snapshotsKept is %d, deleted: %s", d.Env.Deployment.SnapshotsKept, strings.Join(deleted, ", "))
	}
	if err != nil {
		d.warn(log, err.Error())
	}
}

// databaseSwapPending stops a deployment while another database is half-way in the place of the one before: it would run on a
// database that nobody has decided for.
func (d *deployment) databaseSwapPending(ctx context.Context) []Problem {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil || !history.LastRestore(records).Unfinished() {
		return nil
	}
	return blocking("database", hint.With(errors.New("a restore has begun to put another database in its place, and is not at its end"),
		"`deployer snapshot restore --switch --env "+d.Env.Stack+"` goes on with it; `deployer snapshot restore --back --env "+d.Env.Stack+
			"` puts the database before in its place again"))
}
