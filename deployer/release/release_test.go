package release

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/record"
)

// under is a deployment under way that acts on nothing.
func under(t *testing.T) *deployment {
	return &deployment{
		World:  World{Env: staging(t), Clock: clock.Real(), Report: func(Event) {}, Records: record.Dir(t.TempDir())},
		record: record.Deployment{ID: "20260101-000000-aaaa", Stack: "staging", Outcome: record.Running},
	}
}

func does(name string, err error) phase {
	return phase{name: name, run: func(context.Context, voice) (string, error) { return "", err }}
}

var errBusy = &BusyError{Err: errors.New("stack staging is locked")}

// A stack that somebody else is changing keeps a deployment from starting. Once something was changed it is a failure.
func TestBusyStack(t *testing.T) {
	var notStarted *NotStartedError
	var failed *FailedError

	err := under(t).runPhases(t.Context(), []phase{does(Preflight, nil), does(Provision, errBusy)})
	require.ErrorAs(t, err, &notStarted)

	d := under(t)
	err = d.runPhases(t.Context(), []phase{does(Preflight, nil), does(Migrate, nil), does(Rollout, errBusy)})
	require.ErrorAs(t, err, &failed)
	require.Equal(t, Rollout, failed.Phase)
	require.Equal(t, "no service was touched: what ran before goes on serving", failed.Undone)
	require.NotContains(t, err.Error(), "nothing was changed")
}

func TestPhasesEndWithTheFirstFailure(t *testing.T) {
	d := under(t)
	err := d.runPhases(t.Context(), []phase{
		does(Preflight, nil), {name: Backup, needless: "the environment asks for none"}, does(Provision, errors.New("no capacity")),
		does(Migrate, errors.New("not reached")),
	})
	require.EqualError(t, err, "provision: no capacity\nno service was touched: what ran before goes on serving")
	var outcomes []record.Outcome
	for _, p := range d.record.Phases {
		outcomes = append(outcomes, p.Outcome)
	}
	require.Equal(t, []record.Outcome{record.Succeeded, record.Skipped, record.Failed}, outcomes)
}

func TestInterruptedPhase(t *testing.T) {
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cut := phase{name: Rollout, run: func(context.Context, voice) (string, error) {
		cancel(stop)
		return "", advice.With(errors.New("two operations are pending"), "look at them")
	}}
	d := under(t)
	err := d.runPhases(ctx, []phase{does(Preflight, nil), cut, does(HealthOf, nil)})
	require.ErrorIs(t, err, stop)
	require.EqualError(t, err, "stopped during rollout: interrupted; two operations are pending")
	require.Equal(t, "look at them", advice.Of(err))
	require.Equal(t, record.Interrupted, d.record.Phases[1].Outcome)
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
		err := &InterruptedError{Phase: Backup, Cause: stop, Left: left}
		require.EqualError(t, err, "stopped during backup: the time limit of 1s has passed"+want)
	}
}

func TestDryRunEndsAfterPreflight(t *testing.T) {
	d := under(t)
	d.DryRun = true
	require.NoError(t, d.runPhases(t.Context(), []phase{does(Preflight, nil), does(Provision, errors.New("not reached"))}))
	require.Equal(t, record.Skipped, d.record.Phases[1].Outcome)
}

func TestPhasesInTheirOrder(t *testing.T) {
	names := func(d *deployment) (names []string) {
		for _, p := range d.phases() {
			names = append(names, p.name)
		}
		return names
	}
	d := under(t)
	require.Equal(t, []string{Preflight, Repair, Backup, Provision, Migrate, Rollout, HealthOf, Validate}, names(d))
	d.Env.Deployment.Migrations.Order = "after"
	require.Equal(t, []string{Preflight, Repair, Backup, Provision, Rollout, Migrate, HealthOf, Validate}, names(d))
}

// A record that cannot be kept does not make a deployment that is done a failure.
func TestRecordThatCannotBeKept(t *testing.T) {
	d := under(t)
	d.Records = record.Dir("/dev/null")
	var told []Event
	d.Report = func(e Event) { told = append(told, e) }
	d.keep(t.Context())
	require.Len(t, told, 1)
	require.Equal(t, Warning, told[0].Kind)
	require.Len(t, d.record.Warnings, 1)
}

// A deployment that is killed has left a record of how far it got.
func TestARecordIsThereWhileADeploymentRuns(t *testing.T) {
	d := under(t)
	var seen []record.Deployment
	look := phase{name: Rollout, run: func(context.Context, voice) (string, error) {
		var err error
		seen, err = d.Records.List(t.Context(), d.record.Stack, 10)
		return "", err
	}}
	require.NoError(t, d.runPhases(t.Context(), []phase{does(Preflight, nil), does(Provision, nil), look}))
	require.Len(t, seen, 1)
	require.Equal(t, record.Running, seen[0].Outcome)
	require.Equal(t, []record.Outcome{record.Succeeded, record.Succeeded, record.Running},
		[]record.Outcome{seen[0].Phases[0].Outcome, seen[0].Phases[1].Outcome, seen[0].Phases[2].Outcome})
	require.Empty(t, record.RunningImage(seen), "nobody can say what runs after a rollout that has not ended")
}
