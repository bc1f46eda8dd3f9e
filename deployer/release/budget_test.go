package release

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/record"
)

func TestWhatWouldHaveSavedMost(t *testing.T) {
	idle, took := time.Duration(0), func(seconds int) lap { return lap{passed: time.Duration(seconds) * time.Second} }
	done := func(names ...string) (phases []record.Phase) {
		for _, name := range names {
			phases = append(phases, record.Phase{Name: name, Outcome: record.Succeeded})
		}
		return phases
	}
	nothing := &record.Migration{Nothing: true}
	for name, c := range map[string]struct {
		phases    map[string]lap
		beyond    int
		protected bool
		unsaved   bool
		d         record.Deployment
		whole     int
		want      *record.Saving
	}{
		"nothing to save": {
			phases: map[string]lap{Provision: took(100), Migrate: took(30)}, beyond: 3, whole: 300,
			d: record.Deployment{Kind: record.Full, Phases: done(Provision), Migration: &record.Migration{}},
		},
		"code alone": {
			phases: map[string]lap{Provision: took(100), Migrate: took(30)}, whole: 300,
			d:    record.Deployment{Kind: record.Full, Phases: done(Provision), Migration: nothing},
			want: &record.Saving{Setting: "--code-only", Seconds: 100, Why: "nothing of the infrastructure had to be changed"},
		},
		"provision was left out": {
			phases: map[string]lap{Provision: took(0)}, whole: 300, d: record.Deployment{Kind: record.Full},
		},
		"it was of code alone": {
			phases: map[string]lap{Provision: took(100)}, whole: 300, d: record.Deployment{Kind: record.CodeOnly, Phases: done(Provision)},
		},
		"no migration": {
			phases: map[string]lap{Migrate: took(40)}, whole: 200, d: record.Deployment{Kind: record.CodeOnly, Migration: nothing},
			want: &record.Saving{Setting: "--skip migrate", Seconds: 40, Why: "this image brought no migration"},
		},
		"no migration, and a snapshot for it, where the environment is protected": {
			phases: map[string]lap{Migrate: took(40), Backup: took(200)}, whole: 400, protected: true,
			d:    record.Deployment{Kind: record.CodeOnly, Migration: nothing, Snapshot: "s"},
			want: &record.Saving{Setting: "--skip backup,migrate", Seconds: 240, Why: "this image brought no migration, so that nothing could happen to the database"},
		},
		"a snapshot where nothing is protected": {
			phases: map[string]lap{Backup: took(200)}, whole: 400, d: record.Deployment{Snapshot: "s", Migration: &record.Migration{}},
			want: &record.Saving{Setting: "deployment.backup: none", Seconds: 200, Why: "RDS's own backups go back to any second of the last days, and staging is not protected"},
		},
		"a snapshot in a protected environment":  {phases: map[string]lap{Backup: took(200)}, whole: 400, protected: true, d: record.Deployment{Snapshot: "s"}},
		"a snapshot is all the backup there is":  {phases: map[string]lap{Backup: took(200)}, whole: 400, unsaved: true, d: record.Deployment{Snapshot: "s"}},
		"too little of the whole to be worth it": {phases: map[string]lap{Migrate: took(40)}, whole: 500, d: record.Deployment{Migration: nothing}},
		"too little to be worth it":              {phases: map[string]lap{Migrate: took(9)}, whole: 60, d: record.Deployment{Migration: nothing}},
		"too little on the machine's clock alone": {
			phases: map[string]lap{Migrate: {passed: time.Second, waited: time.Second, asked: time.Minute}}, whole: 60,
			d:    record.Deployment{Migration: nothing},
			want: &record.Saving{Setting: "--skip migrate", Seconds: 1, Why: "this image brought no migration"},
		},
		"half of a pause between two tries": {
			phases: map[string]lap{HealthOf: {passed: 61 * time.Second, waited: time.Minute, asked: time.Minute}}, whole: 100,
			d:    record.Deployment{},
			want: &record.Saving{Setting: "a shorter deployment.health.interval", Seconds: 15, Why: "the API answered well between two tries"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := staging(t)
			env.Protected, env.Deployment.Health.Interval = c.protected, 30*time.Second
			if c.unsaved {
				env.Database.BackupDays = 0
			}
			got := budget{phases: c.phases, beyond: c.beyond}.saving(env, c.d, lap{time.Duration(c.whole) * time.Second, idle, idle})
			require.Equal(t, c.want, got)
		})
	}
}

func TestAStopwatchKnowsWhatWaitsWereMeant(t *testing.T) {
	watch := &stopwatch{Clock: clock.Fast(1000)}
	began := watch.lap()
	require.NoError(t, watch.Wait(t.Context(), 10*time.Second))
	passed := watch.lap().since(began)
	require.Equal(t, 10*time.Second, passed.asked)
	require.GreaterOrEqual(t, passed.clocked(), 10*time.Second)
	require.Less(t, passed.waited, 10*time.Second)
}
