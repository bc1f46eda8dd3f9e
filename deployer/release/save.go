package release

import (
	"context"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// saveTimeout is how long writing the record may take. CI systems give about 10 s after an interruption.
const saveTimeout = 5 * time.Second

// saveRecord writes the record as it is in the end, even when the deployment was interrupted. A record that cannot be kept does
// not undo what was done, but a later rollback will not know of it.
func (d *deployment) saveRecord(ctx context.Context) {
	if err := d.save(ctx, d.record); err != nil {
		d.warn(phaseLog{phase: "record", report: d.Report, now: d.Clock.Now}, "a rollback will not know of this deployment: "+err.Error())
	}
}

// saveStarted writes the record as it is when a phase begins, so that a deployment that dies has left how far it got.
// Where that cannot be done it is said once, and tried again in the end.
func (d *deployment) saveStarted(ctx context.Context, log phaseLog) {
	if d.recordFailed || d.DryRun || log.phase == Preflight {
		return
	}
	d.recordStarted = true
	current := d.record
	current.Phases = append(slices.Clone(current.Phases), history.Phase{Name: log.phase, Outcome: history.Running})
	if err := d.save(ctx, current); err != nil {
		d.recordFailed = true
		d.warn(log, "how far this deployment gets is not recorded: "+err.Error())
	}
}

func (d *deployment) save(ctx context.Context, r history.Deployment) error {
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer done()
	return d.Records.Save(bounded, r)
}
