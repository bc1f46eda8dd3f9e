package release

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

func TestRepairOnlyAfterADeath(t *testing.T) {
	repaired := []record.Phase{{Name: Repair, Outcome: record.Succeeded}}
	unrepaired := []record.Phase{{Name: Repair, Outcome: record.Failed}}
	for name, c := range map[string]struct {
		last      record.Deployment
		locked    bool
		unsettled bool
		dryRun    bool
		want      bool
	}{
		"nothing went wrong":              {last: record.Deployment{Outcome: record.Succeeded}},
		"it failed":                       {last: record.Deployment{Outcome: record.Failed}},
		"it was interrupted":              {last: record.Deployment{Outcome: record.Interrupted}},
		"its record says that it runs":    {last: record.Deployment{Outcome: record.Running}, want: true},
		"it died with the lock":           {last: record.Deployment{Outcome: record.Succeeded}, locked: true, want: true},
		"an operation is open":            {last: record.Deployment{Outcome: record.Failed}, unsettled: true, want: true},
		"its repair failed":               {last: record.Deployment{Outcome: record.Failed, Phases: unrepaired}, want: true},
		"it was repaired and then failed": {last: record.Deployment{Outcome: record.Failed, Phases: repaired}},
		"a dry run changes nothing":       {last: record.Deployment{Outcome: record.Running}, dryRun: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&play{unsettled: c.unsettled}).deployment(t)
			d.Request.Died, d.DryRun = c.locked, c.dryRun
			c.last.ID, c.last.Stack = "20260101-000000-aaaa", d.Env.Stack
			require.NoError(t, d.Records.Save(t.Context(), c.last))
			d.lookBack(t.Context())
			require.Equal(t, c.want, d.died())
		})
	}
}

func TestRepairIsRecorded(t *testing.T) {
	p := &play{repairs: []string{"rds/instance database was in the account and not in the state"}, fails: map[string]error{}}
	d := p.deployment(t)
	var told []string
	d.Report = func(e Event) { told = append(told, e.Message) }
	summary, err := d.repair(t.Context(), voice{phase: Repair, report: d.Report, now: d.Clock.Now})
	require.NoError(t, err)
	require.Equal(t, "what went before died; 1 thing was put right", summary)
	require.Equal(t, p.repairs, d.record.Repairs)
	require.Equal(t, p.repairs, told)

	p.fails["repair"] = errors.New("no right to look")
	_, err = d.repair(t.Context(), voice{phase: Repair, report: d.Report, now: d.Clock.Now})
	require.ErrorContains(t, err, "no right to look")
}
