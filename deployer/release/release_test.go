package release

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/blob"
	"github.com/balancer/v3-backend-infra/probe"
)

// newTestDeployment returns a deployment that acts on nothing.
func newTestDeployment(t *testing.T) *deployment {
	return &deployment{
		deps:   Deps{Env: staging(t), Clock: clock.Real(), Report: func(Event) {}, Records: history.Store{Files: blob.Dir(t.TempDir())}},
		record: history.Deployment{ID: "20260101-000000-aaaa", Stack: "staging", Outcome: history.Running},
		probeHealth: func(context.Context, phaseLog, *environment.Environment) ([]probe.Result, error) {
			return make([]probe.Result, 4), nil
		},
		readServices: func(context.Context) ([]serviceState, error) {
			return []serviceState{{role: environment.API, running: 1, desired: 1}}, nil
		},
	}
}

func testPhase(name string, err error) phase {
	return phase{name: name, run: func(context.Context, phaseLog) (string, error) { return "", err }}
}

var errBusy = &BusyError{Err: errors.New("stack staging is locked")}

// The start is reported once, with the image, before the first phase that may change something; not of a dry run, nor where preflight fails.
func TestStarted(t *testing.T) {
	started := func(dryRun bool, phases ...phase) (images []string) {
		d := newTestDeployment(t)
		d.request.DryRun, d.deps.Started = dryRun, func(r history.Deployment) { images = append(images, r.Image.Tag) }
		resolve := phase{name: Preflight, run: func(context.Context, phaseLog) (string, error) {
			require.Empty(t, images)
			d.record.Image.Tag = "1.0.0"
			return "", nil
		}}
		_ = d.runPhases(t.Context(), append([]phase{resolve}, phases...))
		return images
	}
	require.Equal(t, []string{"1.0.0"}, started(false, phase{name: Backup, skipReason: "none"}, testPhase(Provision, nil), testPhase(Rollout, nil)))
	require.Equal(t, []string{"1.0.0"}, started(false, testPhase(Provision, errors.New("failed"))))
	require.Empty(t, started(true, testPhase(Provision, nil)))
	require.Empty(t, started(false))
}

// A stack that another process is changing prevents a deployment from starting. Once something was changed it is a failure.
func TestBusyStack(t *testing.T) {
	var notStarted *NotStartedError
	var failed *FailedError

	err := newTestDeployment(t).runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Provision, errBusy)})
	require.ErrorAs(t, err, &notStarted)

	d := newTestDeployment(t)
	err = d.runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Migrate, nil), testPhase(Rollout, errBusy)})
	require.ErrorAs(t, err, &failed)
	require.Equal(t, Rollout, failed.Phase)
	require.Equal(t, "no service was changed: the previous version continues to serve", failed.Rollback)
	require.NotContains(t, err.Error(), "nothing was changed")
}

func TestPhasesStopAtFirstFailure(t *testing.T) {
	d := newTestDeployment(t)
	err := d.runPhases(t.Context(), []phase{
		testPhase(Preflight, nil), {name: Backup, skipReason: "deployment.backup is none"}, testPhase(Provision, errors.New("no capacity")),
		testPhase(Migrate, errors.New("not reached")),
	})
	require.EqualError(t, err, "provision: no capacity\nno service was changed: the previous version continues to serve")
	var outcomes []history.Outcome
	for _, p := range d.record.Phases {
		outcomes = append(outcomes, p.Outcome)
	}
	require.Equal(t, []history.Outcome{history.Succeeded, history.Skipped, history.Failed}, outcomes)
}

func TestInterruptedPhase(t *testing.T) {
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := phase{name: Rollout, run: func(context.Context, phaseLog) (string, error) {
		cancel(stop)
		return "", hint.With(errors.New("two operations are pending"), "check them")
	}}
	d := newTestDeployment(t)
	err := d.runPhases(ctx, []phase{testPhase(Preflight, nil), interrupted, testPhase(Health, nil)})
	require.ErrorIs(t, err, stop)
	require.EqualError(t, err, "stopped during rollout: interrupted; two operations are pending; no service was changed: the previous version continues to serve")
	require.Equal(t, "check them", hint.Of(err))
	require.Equal(t, history.Interrupted, d.record.Phases[1].Outcome)
	require.Len(t, d.record.Phases, 2)
}

// What remains is reported once, without the text of the context's error.
func TestInterruptedErrorRemaining(t *testing.T) {
	stop := errors.New("the time limit of 1s has passed")
	for left, want := range map[error]string{
		fmt.Errorf("RDS continues the snapshot s in the background: %w", stop):             "; RDS continues the snapshot s in the background",
		fmt.Errorf("RDS continues the snapshot s in the background: %w", context.Canceled): "; RDS continues the snapshot s in the background",
		context.Canceled:              "",
		context.DeadlineExceeded:      "",
		errors.New("two are pending"): "; two are pending",
		fmt.Errorf("read: %w", &smithy.OperationError{ServiceID: "ECS", OperationName: "ListTasks", Err: context.Canceled}):        "",
		fmt.Errorf("restart: %w", &smithy.OperationError{ServiceID: "ECS", OperationName: "UpdateService", Err: context.Canceled}): "; restart: operation error ECS: UpdateService",
	} {
		err := &InterruptedError{Phase: Backup, Cause: stop, Remaining: left}
		require.EqualError(t, err, "stopped during backup: the time limit of 1s has passed"+want)
	}
}

func TestDryRunEndsAfterPreflight(t *testing.T) {
	d := newTestDeployment(t)
	d.request.DryRun = true
	require.NoError(t, d.runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Provision, errors.New("not reached"))}))
	require.Equal(t, history.Skipped, d.record.Phases[1].Outcome)
}

func TestPhaseOrder(t *testing.T) {
	names := func(d *deployment) (names []string) {
		for _, p := range d.phases() {
			names = append(names, p.name)
		}
		return names
	}
	d := newTestDeployment(t)
	require.Equal(t, []string{Preflight, Repair, Wake, Backup, Provision, Migrate, Rollout, Health, Bake, Validate}, names(d))
	d.deps.Env.Deployment.Migrations.Order = "after"
	require.Equal(t, []string{Preflight, Repair, Wake, Backup, Provision, Rollout, Migrate, Health, Bake, Validate}, names(d))
}

// A record that cannot be saved does not fail a deployment that succeeded.
func TestRecordThatCannotBeSaved(t *testing.T) {
	d := newTestDeployment(t)
	d.deps.Records = history.Store{Files: blob.Dir("/dev/null")}
	var events []Event
	d.deps.Report = func(e Event) { events = append(events, e) }
	d.saveRecord(t.Context())
	require.Len(t, events, 1)
	require.Equal(t, Warning, events[0].Kind)
	require.Len(t, d.record.Warnings, 1)
}

// A deployment that is killed leaves a record of how far it got.
func TestRecordDuringDeployment(t *testing.T) {
	d := newTestDeployment(t)
	var seen []history.Deployment
	list := phase{name: Rollout, run: func(context.Context, phaseLog) (string, error) {
		var err error
		seen, err = d.deps.Records.List(t.Context(), d.record.Stack, 10)
		return "", err
	}}
	require.NoError(t, d.runPhases(t.Context(), []phase{testPhase(Preflight, nil), testPhase(Provision, nil), list}))
	require.Len(t, seen, 1)
	require.Equal(t, history.Running, seen[0].Outcome)
	require.Equal(t, []history.Outcome{history.Succeeded, history.Succeeded, history.Running},
		[]history.Outcome{seen[0].Phases[0].Outcome, seen[0].Phases[1].Outcome, seen[0].Phases[2].Outcome})
	require.Empty(t, history.VerifiedImage(seen), "what runs is not known after a rollout that has not ended")
}

// Each read of the records takes a request for each of them.
func TestEarlierRecordsAreReadOnce(t *testing.T) {
	d := (&fakeStack{}).deployment(t)
	before, err := d.records(t.Context())
	require.NoError(t, err)
	require.Len(t, before, 1)
	d.saveStarted(t.Context(), d.phaseLog(Provision))
	d.record.Migration = &history.Migration{}
	d.deps.Records = history.Store{}
	all, err := d.records(t.Context())
	require.NoError(t, err)
	require.Equal(t, append([]history.Deployment{d.record}, before...), all, "its own record is the current one")
}
