package release

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/probe"
)

// The names of the phases, in their usual order.
const (
	Preflight = "preflight"
	Backup    = "backup"
	Provision = "provision"
	Migrate   = "migrate"
	Rollout   = "rollout"
	Health    = "health"
	Validate  = "validate"
)

// PhaseNames returns the phases that --skip takes. Preflight resolves the image and is never left out.
func PhaseNames() []string { return []string{Backup, Provision, Migrate, Rollout, Health, Validate} }

// Deps is what a deployment acts on.
type Deps struct {
	Env     *environment.Environment
	AWS     aws.Config
	Network probe.Network
	Clock   clock.Clock
	// OpenStack opens the stack. It is called when preflight has found no problem, and not in a dry run.
	OpenStack func(context.Context) (Infrastructure, error)
	Records   history.Store
	// CheckState says what is wrong with where the stack's state lies; nil where preflight is not to look.
	CheckState func(context.Context) error
	Report     Reporter
}

// Request is what one deployment is asked for.
type Request struct {
	// ID names the deployment; By is who asked for it.
	ID, By string
	// Tag is the image's tag or digest; "" means the image that runs.
	Tag string
	// Kind is what sort of deployment it is; Leaves is the image that a rollback by hand is to leave.
	Kind         history.Kind
	RollbackFrom *history.Image
	// Database is what is left of the database of the time that a rollback goes back to.
	Database *history.PriorDatabase
	// SkipPhases are phases to leave out, each with the reason.
	SkipPhases map[string]string
	// Restart starts the services anew where the program has nothing to change.
	Restart bool
	// WarnOnlyChecks are checks of preflight that only warn.
	WarnOnlyChecks []string
	// DryRun ends after preflight.
	DryRun bool
	// Command is the migration's, instead of the environment's own.
	Command []string
	// Wait lets preflight wait for what ends by itself, instead of stopping: a rollout or a migration under way, a database in the making; StopMigration stops this one's when its watch is
	// interrupted.
	Wait, StopMigration bool
	// WaitDelegation lets preflight wait until the internet knows the zone's name servers.
	WaitDelegation bool
	// PreviousCrashed says that whoever held the environment's lock before died with it.
	PreviousCrashed bool
}

// deployment is one deployment under way: what was asked for, and what the phases have found out so far.
type deployment struct {
	Deps
	Request
	record history.Deployment
	image  *Image
	// infra is the stack, opened by preflight.
	infra Infrastructure
	// servicesChanged says that the services may have been changed.
	servicesChanged bool
	// recordStarted says that a record of this deployment was asked for, dumb that it could not be kept.
	recordStarted, recordFailed bool
	// timings is where the time went, phase by phase.
	timings phaseTimings
	// codeBefore is the code that was deployed when this deployment began.
	codeBefore environment.Code
	// previousIncomplete says that the last deployment of infrastructure did not come to its end.
	previousIncomplete bool
	// pending looks beside the rollout for what is left to a full deployment; nil where nobody asked.
	pending *pendingChanges
	// images is the registry; follow begins to follow the services, before they are changed.
	images     registry
	newWatcher func(context.Context, *environment.Environment, *Image) (rolloutWatcher, error)
}

// phase is one step of a deployment.
type phase struct {
	name string
	// enabled, where it is not nil, says whether there is such a phase at all.
	enabled func() bool
	// skipReason says why there is nothing to do; "" where there is.
	skipReason string
	// run does it, and says in a few words what came of it.
	run func(context.Context, phaseLog) (string, error)
}

// Deploy runs a full deployment and returns its record. The error, where there is one, is a *NotStartedError, a
// *FailedError or an *InterruptedError; the record is complete in each case.
func Deploy(ctx context.Context, deps Deps, request Request) (history.Deployment, error) {
	timing := &timingClock{Clock: deps.Clock}
	deps.Clock = timing
	start := timing.read()
	d := &deployment{Deps: deps, Request: request, images: ecr.NewFromConfig(deps.AWS), record: history.Deployment{
		ID: request.ID, Environment: deps.Env.Name, Stack: deps.Env.Stack, Kind: request.Kind, By: request.By, Restarted: request.Restart,
		RolledBackFrom: request.RollbackFrom, Database: request.Database, Image: history.Image{Tag: request.Tag}, Started: deps.Clock.Now().UTC(), Outcome: history.Running,
	}}
	d.newWatcher = d.newECSWatcher
	err := d.runPhases(ctx, d.phases())
	if err == nil {
		d.reportPending()
	}
	d.record.Ended = deps.Clock.Now().UTC()
	total := timing.read().sub(start)
	d.record.WaitingSeconds = total.waited.Seconds()
	d.record.Outcome = outcomeOf(err)
	d.record.Slow = total.scaled() >= longDeployment
	if err == nil && d.record.Slow {
		d.record.Saving = d.timings.saving(d.Env, d.record, total)
	}
	if err != nil {
		d.record.Error, d.record.Hint = err.Error(), hint.Of(err)
	}
	if notStarted := new(NotStartedError); !d.recordStarted && (len(d.record.Phases) < 2 || request.DryRun || errors.As(err, &notStarted)) {
		return d.record, err
	}
	d.saveRecord(ctx)
	return d.record, err
}

// warn says what did not stop the deployment, and remembers it.
func (d *deployment) warn(log phaseLog, message string) {
	log.warn("%s", message)
	d.record.Warnings = append(d.record.Warnings, message)
}

func outcomeOf(err error) history.Outcome {
	var interrupted *InterruptedError
	switch {
	case err == nil:
		return history.Succeeded
	case errors.As(err, &interrupted):
		return history.Interrupted
	}
	return history.Failed
}

func (d *deployment) runPhases(ctx context.Context, phases []phase) error {
	for _, p := range phases {
		if p.enabled != nil && !p.enabled() {
			continue
		}
		if d.DryRun && p.name != Preflight {
			p.skipReason = cmp.Or(p.skipReason, "dry run")
		}
		err := d.runPhase(ctx, p)
		if err != nil {
			d.pending.stop()
		}
		var notStarted *NotStartedError
		var busy *BusyError
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return &InterruptedError{Phase: p.name, Cause: context.Cause(ctx), Remaining: err}
		case errors.As(err, &notStarted):
			return err
		case errors.As(err, &busy) && !d.changedAnything():
			return NotStarted("stack", busy)
		}
		outcome, rollbackErr := d.rollback(ctx, p.name)
		failed := &FailedError{Phase: p.name, Cause: err, Rollback: outcome}
		if rollbackErr != nil && ctx.Err() != nil {
			return &InterruptedError{Phase: rollbackPhase, Cause: context.Cause(ctx), Remaining: rollbackErr, RollbackOf: failed, NextStep: "`deployer rollback --env " +
				d.Env.Stack + "` brings back the last image that was verified healthy"}
		}
		return failed
	}
	return nil
}

// changedAnything reports whether a phase after preflight has ended well, and so may have changed something. What a repair puts
// right, the deployment before it had changed.
func (d *deployment) changedAnything() bool {
	return slices.ContainsFunc(d.record.Phases, func(p history.Phase) bool {
		return p.Name != Preflight && p.Name != Repair && p.Outcome == history.Succeeded
	})
}

// runPhase reports and records one phase.
func (d *deployment) runPhase(ctx context.Context, p phase) error {
	log := phaseLog{phase: p.name, report: d.Report, now: d.Clock.Now}
	started := d.Clock.Now()
	start := readClock(d.Clock)
	log.report(Event{Time: started, Kind: PhaseStarted, Phase: p.name})
	result := history.Phase{Name: p.name, Outcome: history.Skipped, Message: p.skipReason}
	var err error
	if p.skipReason == "" {
		d.saveStarted(ctx, log)
		result.Outcome = history.Succeeded
		if result.Message, err = p.run(ctx, log); err != nil {
			result.Outcome, result.Message = history.Failed, err.Error()
			if ctx.Err() != nil {
				result.Outcome = history.Interrupted
			}
		}
	}
	took := d.Clock.Now().Sub(started)
	result.Seconds = took.Seconds()
	d.record.Phases = append(d.record.Phases, result)
	d.timings.add(p.name, readClock(d.Clock).sub(start))
	log.report(Event{
		Time: d.Clock.Now(), Kind: PhaseEnded, Phase: p.name, Message: result.Message, Outcome: result.Outcome, Took: took,
	})
	return err
}
