package release

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

func TestRepairOnlyAfterCrash(t *testing.T) {
	repaired := []history.Phase{{Name: Repair, Outcome: history.Succeeded}}
	unrepaired := []history.Phase{{Name: Repair, Outcome: history.Failed}}
	for name, c := range map[string]struct {
		last      history.Deployment
		locked    bool
		unsettled bool
		dryRun    bool
		want      bool
	}{
		"nothing went wrong":              {last: history.Deployment{Outcome: history.Succeeded}},
		"it failed":                       {last: history.Deployment{Outcome: history.Failed}},
		"it was interrupted":              {last: history.Deployment{Outcome: history.Interrupted}},
		"its record has it running":       {last: history.Deployment{Outcome: history.Running}, want: true},
		"it crashed with the lock":        {last: history.Deployment{Outcome: history.Succeeded}, locked: true, want: true},
		"an operation is open":            {last: history.Deployment{Outcome: history.Failed}, unsettled: true, want: true},
		"its repair failed":               {last: history.Deployment{Outcome: history.Failed, Phases: unrepaired}, want: true},
		"it was repaired and then failed": {last: history.Deployment{Outcome: history.Failed, Phases: repaired}},
		"a dry run changes nothing":       {last: history.Deployment{Outcome: history.Running}, dryRun: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&fakeStack{pendingOperations: c.unsettled}).deployment(t)
			d.request.PreviousCrashed, d.request.DryRun = c.locked, c.dryRun
			c.last.ID, c.last.Stack = "20260101-000000-0002", d.deps.Env.Stack
			require.NoError(t, d.deps.Records.Save(t.Context(), c.last))
			d.checkPreviousRun(t.Context())
			require.Equal(t, c.want, d.previousCrashed())
		})
	}
}

func TestRepairIsRecorded(t *testing.T) {
	p := &fakeStack{repairs: []string{"rds/instance database was in the account and not in the state"}, fails: map[string]error{}}
	d := p.deployment(t)
	var messages []string
	d.deps.Report = func(e Event) { messages = append(messages, e.Message) }
	summary, err := d.repair(t.Context(), phaseLog{phase: Repair, report: d.deps.Report, now: d.deps.Clock.Now})
	require.NoError(t, err)
	require.Equal(t, "an earlier run did not end; 1 repair made", summary)
	require.Equal(t, p.repairs, d.record.Repairs)
	require.Equal(t, p.repairs, messages)

	p.fails["repair"] = errors.New("access denied")
	_, err = d.repair(t.Context(), phaseLog{phase: Repair, report: d.deps.Report, now: d.deps.Clock.Now})
	require.ErrorContains(t, err, "access denied")
}
