package release

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/environment"
)

func TestDescribeUnchanged(t *testing.T) {
	api := func(running int32) serviceState {
		return serviceState{role: environment.API, running: running, desired: 2}
	}
	for name, test := range map[string]struct {
		states []serviceState
		err    error
		want   string
	}{
		"before the first rollout": {nil, nil, "there is no service yet, so nothing serves"},
		"it serves":                {[]serviceState{api(1)}, nil, "no service was changed: the previous version continues to serve"},
		"it does not serve":        {[]serviceState{api(0), {role: environment.Worker, running: 1, desired: 1}}, nil, "no service was changed: api has 0 of 2 tasks running, so nothing serves"},
		"unknown":                  {nil, errors.New("access denied"), "no service was changed"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, describeUnchanged(test.states, test.err)) })
	}
}

func TestDescribeImages(t *testing.T) {
	of := func(role environment.Role, digest string, rolling bool) serviceState {
		return serviceState{role: role, running: 1, desired: 1, digest: digest, rolling: rolling}
	}
	for name, test := range map[string]struct {
		states []serviceState
		want   string
	}{
		"halfway":  {[]serviceState{of("api", "new", false), of("worker", "old", false)}, "the rollout stopped halfway: api has tag-new, worker still has tag-old"},
		"rolling":  {[]serviceState{of("api", "new", true), of("worker", "old", true)}, "the rollout stopped halfway: api has tag-new, which ECS continues to roll out, worker still has tag-old"},
		"before":   {[]serviceState{of("api", "old", false)}, "no service has the new image: api still has tag-old"},
		"all":      {[]serviceState{of("api", "new", false), of("worker", "new", true)}, "api has tag-new, worker has tag-new, which ECS continues to roll out"},
		"none yet": {nil, "there is no service yet"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, describeImages(test.states, "new", func(digest string) string { return "tag-" + digest }))
		})
	}
}

// engineStopped is an interrupted run of the engine.
type engineStopped struct {
	remaining string
	unclean   bool
}

func (e engineStopped) Error() string     { return "up: interrupted, after 3 changes" }
func (e engineStopped) Remaining() string { return e.remaining }
func (e engineStopped) Clean() bool       { return !e.unclean }
func (e engineStopped) Hint() string      { return "the engine's hint" }

// An interruption states what was done and what there is, and how to continue or to go back.
func TestInterrupted(t *testing.T) {
	api := []serviceState{{role: environment.API, running: 1, desired: 1, digest: *image(1).ImageDigest}}
	lost := &lock.LostError{Environment: "staging", Reason: "it is now held by bob"}
	for name, test := range map[string]struct {
		phase    string
		err      error
		states   []serviceState
		prepare  func(*deployment)
		want     string
		nextStep string
	}{
		"the first provision": {
			Provision, engineStopped{remaining: "under way at that time: rds/instance database 5s"}, nil, func(d *deployment) { d.changed = 88 },
			"stopped during provision: interrupted; under way at that time: rds/instance database 5s; 88 changes were applied and kept; there is no service yet, so nothing serves",
			"run the same command again; it continues from there; `deployer destroy --env staging` deletes what was created",
		},
		"the first one of a protected environment": {
			Provision, engineStopped{}, nil, func(d *deployment) { d.changed, d.deps.Env.Protected = 1, true },
			"stopped during provision: interrupted; 1 change was applied and kept; there is no service yet, so nothing serves", "the engine's hint",
		},
		"a later provision": {
			Provision, engineStopped{}, api, func(*deployment) {},
			"stopped during provision: interrupted; no service was changed: the previous version continues to serve", "the engine's hint",
		},
		"a rollout": {
			Rollout, engineStopped{}, api, func(d *deployment) { d.servicesChanged = true },
			"stopped during rollout: interrupted; no service has the new image: api still has one",
			"to continue, run the same command again; to go back: `deployer rollback --env staging --to 20260101-000000-0001` (one)",
		},
		"an engine that has not ended": {
			Rollout, engineStopped{remaining: "the engine (process 7) was asked to stop and has not ended yet", unclean: true}, api,
			func(d *deployment) { d.servicesChanged = true },
			"stopped during rollout: interrupted; the engine (process 7) was asked to stop and has not ended yet", "the engine's hint",
		},
		"a rollout that lost the lock": {
			Rollout, lost, api, func(d *deployment) { d.servicesChanged = true },
			"stopped during rollout: the lock of staging was lost: it is now held by bob", lost.Hint(),
		},
		"a provision that lost the lock": {
			Provision, engineStopped{}, nil, func(d *deployment) { d.changed = 1 },
			"stopped during provision: the lock of staging was lost: it is now held by bob", lost.Hint(),
		},
		"a migration alone": {
			Migrate, hint.With(errors.New("the migration 7 continues in the background"), "wait for it"), api,
			func(d *deployment) { d.request.Kind = history.Migrate },
			"stopped during migrate: interrupted; the migration 7 continues in the background", "wait for it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := (&fakeStack{}).deployment(t)
			d.readServices = func(context.Context) ([]serviceState, error) { return test.states, nil }
			test.prepare(d)
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("interrupted")
			if strings.Contains(name, "lost the lock") {
				cause = lost
			}
			cancel(cause)
			err := d.interrupted(ctx, test.phase, test.err)
			require.EqualError(t, err, test.want)
			require.Equal(t, test.nextStep, err.Hint())
			if cause == lost {
				back := d.interruptedRollback(ctx, &FailedError{Phase: Rollout, Cause: errors.New("unhealthy")}, test.err)
				require.Equal(t, lost.Hint(), back.Hint())
			}
		})
	}
}

// After a deployment that crashed, a database that it creates is waited for without --wait, and no longer than RDS may take.
func TestCrashedDeploymentIsWaitedFor(t *testing.T) {
	busy := []Problem{{Check: "database", Stops: true, Transient: true}}
	rollout := []Problem{{Check: "rollout", Stops: true, Transient: true}}
	for _, waits := range []bool{true, false} {
		d := &deployment{waitsForCrashed: waits}
		_, problem := d.waitable(busy)
		require.Equal(t, waits, problem != nil)
		_, problem = d.waitable(rollout)
		require.Nil(t, problem, "a rollback may end it")
	}
	for name, test := range map[string]struct {
		last    history.Outcome
		request Request
		crashed bool
	}{
		"it was killed":           {history.Running, Request{}, true},
		"its lock was taken over": {history.Failed, Request{PreviousCrashed: true}, true},
		"it was interrupted":      {history.Interrupted, Request{}, false},
		"it succeeded":            {history.Succeeded, Request{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTestDeployment(t)
			d.request = test.request
			require.NoError(t, d.deps.Records.Save(t.Context(), history.Deployment{ID: "20260101-000000-0001", Stack: "staging", Outcome: test.last, Started: time.Unix(0, 0)}))
			require.Equal(t, test.crashed, d.crashedBefore(t.Context()))
		})
	}
}
