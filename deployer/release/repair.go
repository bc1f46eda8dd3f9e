package release

import (
	"context"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// Repair is the phase that there is only after a deployment that died.
const Repair = "repair"

// lookBack looks whether the last deployment has died, or did not come to the end of a repair. Records that cannot be read stop
// nothing here; later phases say so.
func (d *deployment) lookBack(ctx context.Context) {
	records, err := d.Records.List(ctx, d.Env.Stack, recordsRead)
	if err != nil || len(records) == 0 {
		return
	}
	for _, earlier := range records {
		if earlier.Kind == record.Full || earlier.Kind == record.Partial {
			d.halfDone = earlier.Outcome != record.Succeeded
			break
		}
	}
	d.Died = d.Died || records[0].Outcome == record.Running || slices.ContainsFunc(records[0].Phases, func(p record.Phase) bool {
		return p.Name == Repair && p.Outcome != record.Succeeded
	})
}

// died reports whether an earlier deployment may have left something half done: it died with the environment's lock, its
// record says that it still runs, or the state has operations of unknown outcome.
func (d *deployment) died() bool {
	return !d.DryRun && (d.Died || d.infra.Unsettled())
}

// repair brings state and account in step.
func (d *deployment) repair(ctx context.Context, v voice) (string, error) {
	done, err := d.infra.Repair(ctx, d.image.Reference, func(s string) { v.progress("%s", s) })
	if err != nil {
		return "", err
	}
	for _, what := range done {
		v.note("%s", what)
	}
	if d.Kind.OnlyCode() { // the repair may have found a service
		code := d.Env.Code()
		d.Env = d.infra.Deployed(&code)
	}
	d.record.Repairs = done
	return Repaired(done), nil
}

// Repaired is the summary of a repair.
func Repaired(done []string) string {
	switch len(done) {
	case 0:
		return "what went before died, and left nothing half done"
	case 1:
		return "what went before died; 1 thing was put right"
	}
	return fmt.Sprintf("what went before died; %d things were put right", len(done))
}
