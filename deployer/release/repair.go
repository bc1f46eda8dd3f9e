package release

import (
	"context"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// Repair is the phase that there is only after a deployment that died.
const Repair = "repair"

// checkPreviousRun looks whether the last deployment has died, or did not come to the end of a repair. Records that cannot be read stop
// nothing here; later phases say so.
func (d *deployment) checkPreviousRun(ctx context.Context) {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil || len(records) == 0 {
		return
	}
	for _, earlier := range records {
		if earlier.Kind == history.Full || earlier.Kind == history.Partial {
			d.previousIncomplete = earlier.Outcome != history.Succeeded
			break
		}
	}
	d.PreviousCrashed = d.PreviousCrashed || records[0].Outcome == history.Running || slices.ContainsFunc(records[0].Phases, func(p history.Phase) bool {
		return p.Name == Repair && p.Outcome != history.Succeeded
	})
}

// previousCrashed reports whether an earlier deployment may have left something half done: it died with the environment's lock, its
// record says that it still runs, or the state has operations of unknown outcome.
func (d *deployment) previousCrashed() bool {
	return !d.DryRun && (d.PreviousCrashed || d.infra.HasPendingOperations())
}

// repair brings state and account in step.
func (d *deployment) repair(ctx context.Context, log phaseLog) (string, error) {
	done, err := d.infra.Repair(ctx, d.image.Reference, func(s string) { log.progress("%s", s) })
	if err != nil {
		return "", err
	}
	for _, repaired := range done {
		log.note("%s", repaired)
	}
	if d.Kind.IsCodeOnly() { // the repair may have found a service
		code := d.Env.Code()
		d.Env = d.infra.Deployed(&code)
	}
	d.record.Repairs = done
	return RepairSummary(done), nil
}

// RepairSummary is the summary of a repair.
func RepairSummary(done []string) string {
	switch len(done) {
	case 0:
		return "what went before died, and left nothing half done"
	case 1:
		return "what went before died; 1 thing was put right"
	}
	return fmt.Sprintf("what went before died; %d things were put right", len(done))
}
