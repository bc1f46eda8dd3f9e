package release

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

// newTestDeployment is a deployment under way that acts on nothing.
func newTestDeployment(t *testing.T) *deployment {
	return &deployment{
		Deps:   Deps{Env: staging(t), Clock: clock.Real(), Report: func(Event) {}, Records: history.Store{Files: blob.Dir(t.TempDir())}},
		record: history.Deployment{ID: "20260101-000000-aaaa", Stack: "staging", Outcome: history.Running},
	}
}

func testPhase(name string, err error) phase {
	return phase{name: name, run: func(context.Context, phaseLog) (string, error) { return "", err }}
}

var errBusy = &BusyError{Err: errors.New("stack staging is locked")}

// A stack that somebody else is changing keeps a deployment from starting. Once something was changed it is a failure.
func TestBusyStack(t *testing.T) {
	var notStarted *NotStartedError
	var failed *FailedError

	err := newTestDeployment(t).runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Provision, errBusy)})
	require.ErrorAs(t, err, &notStarted)

	d := newTestDeployment(t)
	err = d.runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Migrate, nil), testPhase(Rollout, errBusy)})
	require.ErrorAs(t, err, &failed)
	require.Equal(t, Rollout, failed.Phase)
	require.Equal(t, "no service was touched: what ran before goes on serving", failed.Rollback)
	require.NotContains(t, err.Error(), "nothing was changed")
}

func TestPhasesEndWithTheFirstFailure(t *testing.T) {
	d := newTestDeployment(t)
	err := d.runPhases(t.Context(), []phase{
		testPhase(Preflight, nil), {name: Backup, skipReason: "the environment asks for none"}, testPhase(Provision, errors.New("no capacity")),
		testPhase(Migrate, errors.New("not reached")),
	})
	require.EqualError(t, err, "provision: no capacity\nno service was touched: what ran before goes on serving")
	var outcomes []history.Outcome
	for _, p := range d.record.Phases {
		outcomes = append(outcomes, p.Outcome)
	}
	require.Equal(t, []history.Outcome{history.Succeeded, history.Skipped, history.Failed}, outcomes)
}

func TestInterruptedPhase(t *testing.T) {
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cut := phase{name: Rollout, run: func(context.Context, phaseLog) (string, error) {
		cancel(stop)
		return "", hint.With(errors.New("two operations are pending"), "look at them")
	}}
	d := newTestDeployment(t)
	err := d.runPhases(ctx, []phase{testPhase(Preflight, nil), cut, testPhase(Health, nil)})
	require.ErrorIs(t, err, stop)
	require.EqualError(t, err, "stopped during rollout: interrupted; two operations are pending")
	require.Equal(t, "look at them", hint.Of(err))
	require.Equal(t, history.Interrupted, d.record.Phases[1].Outcome)
	require.Len(t, d.record.Phases, 2)
}

// What is left is said once, and what every stop of a context says of itself not at all.
func TestWhatAnInterruptionLeaves(t *testing.T) {
	stop := errors.New("the time limit of 1s has passed")
	for left, want := range map[error]string{
		fmt.Errorf("RDS goes on with the snapshot s by itself: %w", stop):             "; RDS goes on with the snapshot s by itself",
		fmt.Errorf("RDS goes on with the snapshot s by itself: %w", context.Canceled): "; RDS goes on with the snapshot s by itself",
		context.Canceled:              "",
		context.DeadlineExceeded:      "",
		errors.New("two are pending"): "; two are pending",
	} {
		err := &InterruptedError{Phase: Backup, Cause: stop, Remaining: left}
		require.EqualError(t, err, "stopped during backup: the time limit of 1s has passed"+want)
	}
}

func TestDryRunEndsAfterPreflight(t *testing.T) {
	d := newTestDeployment(t)
	d.DryRun = true
	require.NoError(t, d.runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Provision, errors.New("not reached"))}))
	require.Equal(t, history.Skipped, d.record.Phases[1].Outcome)
}

func TestPhasesInTheirOrder(t *testing.T) {
	names := func(d *deployment) (names []string) {
		for _, p := range d.phases() {
			names = append(names, p.name)
		}
		return names
	}
	d := newTestDeployment(t)
	require.Equal(t, []string{Preflight, Repair, Backup, Provision, Migrate, Rollout, Health, Validate}, names(d))
	d.Env.Deployment.Migrations.Order = "after"
	require.Equal(t, []string{Preflight, Repair, Backup, Provision, Rollout, Migrate, Health, Validate}, names(d))
}

// A record that cannot be kept does not make a deployment that is done a failure.
func TestRecordThatCannotBeKept(t *testing.T) {
	d := newTestDeployment(t)
	d.Records = history.Store{Files: blob.Dir("/dev/null")}
	var told []Event
	d.Report = func(e Event) { told = append(told, e) }
	d.saveRecord(t.Context())
	require.Len(t, told, 1)
	require.Equal(t, Warning, told[0].Kind)
	require.Len(t, d.record.Warnings, 1)
}

// A deployment that is killed has left a record of how far it got.
func TestARecordIsThereWhileADeploymentRuns(t *testing.T) {
	d := newTestDeployment(t)
	var seen []history.Deployment
	look := phase{name: Rollout, run: func(context.Context, phaseLog) (string, error) {
		var err error
		seen, err = d.Records.List(t.Context(), d.record.Stack, 10)
		return "", err
	}}
	require.NoError(t, d.runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Provision, nil), look}))
	require.Len(t, seen, 1)
	require.Equal(t, history.Running, seen[0].Outcome)
	require.Equal(t, []history.Outcome{history.Succeeded, history.Succeeded, history.Running},
		[]history.Outcome{seen[0].Phases[0].Outcome, seen[0].Phases[1].Outcome, seen[0].Phases[2].Outcome})
	require.Empty(t, history.RunningImage(seen), "nobody can say what runs after a rollout that has not ended")
}
