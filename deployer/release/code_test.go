package release

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// A record has the code that was rolled out, and a rollback restores it with the image.
func TestRollbackRestoresCode(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		p := &fakeStack{fails: map[string]error{"watch 2": errBroken}}
		d := p.deployment(t)
		earlier := d.deps.Env.Code()
		earlier.Connections = 77
		good := history.Deployment{ID: "20260101-000000-0002", Stack: d.deps.Env.Stack, Verified: true, Image: d.named(t, 1).Image}
		if recorded {
			good.Code = &earlier
		}
		require.NoError(t, d.deps.Records.Save(t.Context(), good))
		var watched []int
		follow := d.newWatcher
		d.newWatcher = func(ctx context.Context, env *environment.Environment, i *Image) (rolloutWatcher, error) {
			watched = append(watched, env.Database.Connections)
			return follow(ctx, env, i)
		}
		require.Error(t, d.runPhases(t.Context(), p.phases(d)))
		require.Equal(t, d.deps.Env.Code(), *d.record.Code)
		require.Contains(t, p.done, "code 1")
		if !recorded {
			require.Nil(t, p.code, "an earlier version of this program recorded no code: the deployed code stays")
			require.Equal(t, []int{10, 10}, watched)
			continue
		}
		require.Equal(t, 77, p.code.Connections)
		require.Equal(t, []int{10, 77}, watched, "the services are watched as they become")
	}
}

func TestIsResponsibleFor(t *testing.T) {
	for name, test := range map[string]struct {
		kind     history.Kind
		halfDone bool
		want     map[string]bool
	}{
		"everything":                    {history.Full, true, map[string]bool{"compliance": true, "alarms": true, "ecs_service": true}},
		"code":                          {history.CodeOnly, false, map[string]bool{"compliance": false, "alarms": true, "ecs_service": true}},
		"code, after an incomplete one": {history.Rollback, true, map[string]bool{"compliance": false, "alarms": false, "ecs_service": true}},
		"components":                    {history.Components, false, map[string]bool{"compliance": true, "alarms": true, "ecs_service": true}},
		"components, after incomplete ": {history.Components, true, map[string]bool{"compliance": false, "alarms": false, "ecs_service": true}},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&fakeStack{}).deployment(t)
			d.request.Kind, d.previousIncomplete = test.kind, test.halfDone
			for component, want := range test.want {
				require.Equal(t, want, d.isResponsibleFor(component), component)
			}
		})
	}
}

// The last deployment of infrastructure counts, whatever code was deployed since.
func TestPreviousIncomplete(t *testing.T) {
	for name, test := range map[string]struct {
		records []history.Deployment
		want    bool
	}{
		"nothing":                 {nil, false},
		"a full one that failed":  {[]history.Deployment{{Kind: history.Full, Outcome: history.Failed}, {Kind: history.CodeOnly, Outcome: history.Succeeded}}, true},
		"one that was continued":  {[]history.Deployment{{Kind: history.Full, Outcome: history.Failed}, {Kind: history.Full, Outcome: history.Succeeded}}, false},
		"a part that crashed":     {[]history.Deployment{{Kind: history.Full, Outcome: history.Succeeded}, {Kind: history.Components, Outcome: history.Running}}, true},
		"code alone that failed ": {[]history.Deployment{{Kind: history.Full, Outcome: history.Succeeded}, {Kind: history.CodeOnly, Outcome: history.Failed}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&fakeStack{}).deployment(t)
			for i, r := range test.records {
				r.ID, r.Stack = "20260101-00000"+string(rune('1'+i))+"-aaaa", d.deps.Env.Stack
				require.NoError(t, d.deps.Records.Save(t.Context(), r))
			}
			d.checkPreviousRun(t.Context())
			require.Equal(t, test.want, d.previousIncomplete)
		})
	}
}

// The image that was verified healthy with other code is rolled back to that code, in a restart too. Where no record has it, the
// code that was deployed before is restored.
func TestRollbackOfCode(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for _, recorded := range []bool{false, true} {
			testRollbackOfCode(t, restart, recorded)
		}
	}
}

func testRollbackOfCode(t *testing.T, restart, recorded bool) {
	t.Helper()
	p := &fakeStack{fails: map[string]error{"watch 2": errBroken}}
	d := p.deployment(t)
	earlier := d.deps.Env.Code()
	earlier.Connections = 77
	good := history.Deployment{ID: "20260101-000000-0002", Stack: d.deps.Env.Stack, Verified: true, Image: d.named(t, 2).Image}
	if d.codeBefore = earlier; recorded {
		d.codeBefore, good.Code = d.deps.Env.Code(), &earlier
	}
	require.NoError(t, d.deps.Records.Save(t.Context(), good))
	d.request.Restart = restart
	require.Error(t, d.runPhases(t.Context(), p.phases(d)))
	require.Contains(t, p.done, "code 2")
	require.Equal(t, 77, p.code.Connections)
}
