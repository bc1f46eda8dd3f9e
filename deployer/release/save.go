package release

import (
	"context"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// saveTimeout bounds writing the record. CI systems give about 10 s after an interruption.
const saveTimeout = 5 * time.Second

// saveRecord writes the final record, even when the deployment was interrupted. Failing to do so does not fail the deployment,
// but a later rollback will not find it.
func (d *deployment) saveRecord(ctx context.Context) {
	if err := d.save(ctx, d.record); err != nil {
		d.warn(d.phaseLog("record"), "this deployment could not be recorded, so a rollback will not find it: "+err.Error())
	}
}

// saveStarted writes the record when a phase starts, so that a deployment that is killed leaves how far it got. A failure is
// reported once; saveRecord tries again at the end.
func (d *deployment) saveStarted(ctx context.Context, log phaseLog) {
	if d.recordFailed || d.request.DryRun || log.phase == Preflight {
		return
	}
	d.recordStarted = true
	current := d.record
	current.Phases = append(slices.Clone(current.Phases), history.Phase{Name: log.phase, Outcome: history.Running})
	if err := d.save(ctx, current); err != nil {
		d.recordFailed = true
		d.warn(log, "the progress of this deployment is not recorded: "+err.Error())
	}
}

func (d *deployment) save(ctx context.Context, r history.Deployment) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return d.deps.Records.Save(bounded, r)
}
