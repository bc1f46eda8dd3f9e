package release

import (
	"context"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// checkPreviousRun reads from the records whether the last deployment crashed, or did not finish a repair. Records that cannot be
// read are not an error here; later phases report them.
func (d *deployment) checkPreviousRun(ctx context.Context) {
	records, err := d.records(ctx)
	if err != nil || len(records) == 0 {
		return
	}
	for _, earlier := range records {
		if earlier.Kind == history.Full || earlier.Kind == history.Components {
			d.previousIncomplete = !earlier.Complete()
			break
		}
	}
	d.request.PreviousCrashed = d.request.PreviousCrashed || records[0].Outcome == history.Running ||
		slices.ContainsFunc(records[0].Phases, func(p history.Phase) bool { return p.Name == Repair && p.Outcome != history.Succeeded })
}

// crashedBefore reports whether the previous deployment crashed or was killed. Records that cannot be read are reported by later phases.
func (d *deployment) crashedBefore(ctx context.Context) bool {
	if d.request.PreviousCrashed {
		return true
	}
	records, err := d.records(ctx)
	return err == nil && len(records) > 0 && records[0].Outcome == history.Running
}

// previousCrashed reports whether an earlier deployment may have left something incomplete: its lock expired, its record has
// the outcome Running, or the state has pending operations.
func (d *deployment) previousCrashed() bool {
	return !d.request.DryRun && (d.request.PreviousCrashed || d.infra.HasPendingOperations())
}

// repair brings the state and the account in sync.
func (d *deployment) repair(ctx context.Context, log phaseLog) (string, error) {
	repairs, err := d.infra.Repair(ctx, d.image.Reference, log.progressLine)
	if err != nil {
		return "", err
	}
	for _, repair := range repairs {
		log.note("%s", repair)
	}
	if d.request.Kind.IsCodeOnly() { // the repair may have found a service
		code := d.deps.Env.Code()
		d.deps.Env = d.infra.Deployed(&code)
	}
	d.record.Repairs = repairs
	return RepairSummary(repairs), nil
}

// RepairSummary summarises a repair in one line.
func RepairSummary(repairs []string) string {
	if len(repairs) == 0 {
		return "an earlier run did not end, and left nothing incomplete"
	}
	return "an earlier run did not end; " + text.Plural(len(repairs), "repair", "") + " made"
}
