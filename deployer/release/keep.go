package release

import (
	"context"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// recordLimit is how long writing the record may take. CI systems give about 10 s after an interruption.
const recordLimit = 5 * time.Second

// keep writes the record as it is in the end, even when the deployment was interrupted. A record that cannot be kept does
// not undo what was done, but a later rollback will not know of it.
func (d *deployment) keep(ctx context.Context) {
	if err := d.save(ctx, d.record); err != nil {
		d.warn(voice{phase: "record", report: d.Report, now: d.Clock.Now}, "a rollback will not know of this deployment: "+err.Error())
	}
}

// keepBeginning writes the record as it is when a phase begins, so that a deployment that dies has left how far it got.
// Where that cannot be done it is said once, and tried again in the end.
func (d *deployment) keepBeginning(ctx context.Context, v voice) {
	if d.dumb || d.DryRun || v.phase == Preflight {
		return
	}
	d.began = true
	now := d.record
	now.Phases = append(slices.Clone(now.Phases), record.Phase{Name: v.phase, Outcome: record.Running})
	if err := d.save(ctx, now); err != nil {
		d.dumb = true
		d.warn(v, "how far this deployment gets is not recorded: "+err.Error())
	}
}

func (d *deployment) save(ctx context.Context, r record.Deployment) error {
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer done()
	return d.Records.Save(bounded, r)
}
