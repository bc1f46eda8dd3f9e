package release

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
)

// A record keeps the code that was rolled out, and a rollback brings it back with the image.
func TestTheCodeGoesBackWithTheImage(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		p := &play{fails: map[string]error{"watch 2": errBroken}}
		d := p.deployment(t)
		earlier := d.Env.Code()
		earlier.Connections = 77
		good := record.Deployment{ID: "20260101-000000-0002", Stack: d.Env.Stack, Verified: true, Image: d.named(t, 1).Image}
		if recorded {
			good.Code = &earlier
		}
		require.NoError(t, d.Records.Save(t.Context(), good))
		var watched []int
		follow := d.follow
		d.follow = func(ctx context.Context, env *environment.Environment, i *Image) (follower, error) {
			watched = append(watched, env.Database.Connections)
			return follow(ctx, env, i)
		}
		require.Error(t, d.runPhases(t.Context(), p.acts(d)))
		require.Equal(t, d.Env.Code(), *d.record.Code)
		require.Contains(t, p.done, "code 1")
		if !recorded {
			require.Nil(t, p.code, "an earlier version of this program kept no code: what is deployed stays")
			require.Equal(t, []int{10, 10}, watched)
			continue
		}
		require.Equal(t, 77, p.code.Connections)
		require.Equal(t, []int{10, 77}, watched, "the services are watched as they become")
	}
}

func TestWhatADeploymentAnswersFor(t *testing.T) {
	for name, test := range map[string]struct {
		kind     record.Kind
		halfDone bool
		want     map[string]bool
	}{
		"everything":                    {record.Full, true, map[string]bool{"compliance": true, "alarms": true, "ecs_service": true}},
		"code":                          {record.CodeOnly, false, map[string]bool{"compliance": false, "alarms": true, "ecs_service": true}},
		"code beside something half":    {record.Rollback, true, map[string]bool{"compliance": false, "alarms": false, "ecs_service": true}},
		"components":                    {record.Partial, false, map[string]bool{"compliance": true, "alarms": true, "ecs_service": true}},
		"components of something half ": {record.Partial, true, map[string]bool{"compliance": false, "alarms": false, "ecs_service": true}},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&play{}).deployment(t)
			d.Kind, d.halfDone = test.kind, test.halfDone
			for component, want := range test.want {
				require.Equal(t, want, d.answersFor(component), component)
			}
		})
	}
}

// The last deployment of infrastructure counts, whatever code was deployed since.
func TestWhatIsHalfDone(t *testing.T) {
	for name, test := range map[string]struct {
		records []record.Deployment
		want    bool
	}{
		"nothing":                 {nil, false},
		"a full one that failed":  {[]record.Deployment{{Kind: record.Full, Outcome: record.Failed}, {Kind: record.CodeOnly, Outcome: record.Succeeded}}, true},
		"one that was taken up":   {[]record.Deployment{{Kind: record.Full, Outcome: record.Failed}, {Kind: record.Full, Outcome: record.Succeeded}}, false},
		"a part that died":        {[]record.Deployment{{Kind: record.Full, Outcome: record.Succeeded}, {Kind: record.Partial, Outcome: record.Running}}, true},
		"code alone that failed ": {[]record.Deployment{{Kind: record.Full, Outcome: record.Succeeded}, {Kind: record.CodeOnly, Outcome: record.Failed}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&play{}).deployment(t)
			for i, r := range test.records {
				r.ID, r.Stack = "20260101-00000"+string(rune('1'+i))+"-aaaa", d.Env.Stack
				require.NoError(t, d.Records.Save(t.Context(), r))
			}
			d.lookBack(t.Context())
			require.Equal(t, test.want, d.halfDone)
		})
	}
}

// The image that was verified healthy with another code is put back with that code, in a restart too. Where no record has it,
// the code that was deployed before comes back.
func TestACodeThatFailsIsPutBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for _, recorded := range []bool{false, true} {
			putBackCode(t, restart, recorded)
		}
	}
}

func putBackCode(t *testing.T, restart, recorded bool) {
	t.Helper()
	p := &play{fails: map[string]error{"watch 2": errBroken}}
	d := p.deployment(t)
	earlier := d.Env.Code()
	earlier.Connections = 77
	good := record.Deployment{ID: "20260101-000000-0002", Stack: d.Env.Stack, Verified: true, Image: d.named(t, 2).Image}
	if d.before = earlier; recorded {
		d.before, good.Code = d.Env.Code(), &earlier
	}
	require.NoError(t, d.Records.Save(t.Context(), good))
	d.Restart = restart
	require.Error(t, d.runPhases(t.Context(), p.acts(d)))
	require.Contains(t, p.done, "code 2")
	require.Equal(t, 77, p.code.Connections)
}
