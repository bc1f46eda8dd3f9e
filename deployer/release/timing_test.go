package release

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/history"
)

func TestSaving(t *testing.T) {
	idle, took := time.Duration(0), func(seconds int) span { return span{elapsed: time.Duration(seconds) * time.Second} }
	done := func(names ...string) (phases []history.Phase) {
		for _, name := range names {
			phases = append(phases, history.Phase{Name: name, Outcome: history.Succeeded})
		}
		return phases
	}
	nothing := &history.Migration{NoChanges: true}
	for name, c := range map[string]struct {
		phases    map[string]span
		beyond    int
		protected bool
		unsaved   bool
		d         history.Deployment
		whole     int
		want      *history.Saving
	}{
		"nothing to save": {
			phases: map[string]span{Provision: took(100), Migrate: took(30)}, beyond: 3, whole: 300,
			d: history.Deployment{Kind: history.Full, Phases: done(Provision), Migration: &history.Migration{}},
		},
		"code alone": {
			phases: map[string]span{Provision: took(100), Migrate: took(30)}, whole: 300,
			d:    history.Deployment{Kind: history.Full, Phases: done(Provision), Migration: nothing},
			want: &history.Saving{Setting: "--code-only", Seconds: 100, Why: "no infrastructure had to change"},
		},
		"provision was left out": {
			phases: map[string]span{Provision: took(0)}, whole: 300, d: history.Deployment{Kind: history.Full},
		},
		"it was of code alone": {
			phases: map[string]span{Provision: took(100)}, whole: 300, d: history.Deployment{Kind: history.CodeOnly, Phases: done(Provision)},
		},
		"a migration that had nothing to do, which no one knows beforehand": {
			phases: map[string]span{Migrate: took(40)}, whole: 200, d: history.Deployment{Kind: history.CodeOnly, Migration: nothing},
		},
		"a snapshot where nothing is protected": {
			phases: map[string]span{Backup: took(200)}, whole: 400, d: history.Deployment{Snapshot: "s", Migration: &history.Migration{}},
			want: &history.Saving{Setting: "deployment.backup: none", Seconds: 200, Why: "RDS can restore to any second of the last days, and staging is not protected"},
		},
		"a snapshot in a protected environment":  {phases: map[string]span{Backup: took(200)}, whole: 400, protected: true, d: history.Deployment{Snapshot: "s"}},
		"a snapshot is all the backup there is":  {phases: map[string]span{Backup: took(200)}, whole: 400, unsaved: true, d: history.Deployment{Snapshot: "s"}},
		"too little of the whole to be worth it": {phases: map[string]span{Backup: took(40)}, whole: 500, d: history.Deployment{Snapshot: "s"}},
		"too little to be worth it":              {phases: map[string]span{Backup: took(9)}, whole: 60, d: history.Deployment{Snapshot: "s"}},
		"too little on the machine's clock alone": {
			phases: map[string]span{Backup: {elapsed: time.Second, waited: time.Second, requested: time.Minute}}, whole: 60,
			d:    history.Deployment{Snapshot: "s"},
			want: &history.Saving{Setting: "deployment.backup: none", Seconds: 1, Why: "RDS can restore to any second of the last days, and staging is not protected"},
		},
		"half of a pause between two tries": {
			phases: map[string]span{Health: {elapsed: 61 * time.Second, waited: time.Minute, requested: time.Minute}}, whole: 100,
			d:    history.Deployment{},
			want: &history.Saving{Setting: "a shorter deployment.health.interval", Seconds: 15, Why: "the API became healthy between two tries"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := staging(t)
			env.Protected, env.Deployment.Health.Interval = c.protected, 30*time.Second
			if c.unsaved {
				env.Database.BackupDays = 0
			}
			got := phaseTimings{phases: c.phases, infrastructureChanges: c.beyond}.saving(env, c.d, span{time.Duration(c.whole) * time.Second, idle, idle})
			require.Equal(t, c.want, got)
		})
	}
}

func TestTimingClock(t *testing.T) {
	watch := &timingClock{Clock: clock.Fast(1000)}
	require.Equal(t, 1000, clock.Speed(watch))
	began := watch.read()
	require.NoError(t, watch.Wait(t.Context(), 10*time.Second))
	passed := watch.read().sub(began)
	require.Equal(t, 10*time.Second, passed.requested)
	require.GreaterOrEqual(t, passed.scaled(), 10*time.Second)
	require.Less(t, passed.waited, 10*time.Second)
}
