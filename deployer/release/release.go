package release

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/record"
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
	HealthOf  = "health"
	Validate  = "validate"
)

// PhaseNames returns the phases that --skip takes. Preflight resolves the image and is never left out.
func PhaseNames() []string { return []string{Backup, Provision, Migrate, Rollout, HealthOf, Validate} }

// World is what a deployment acts on.
type World struct {
	Env     *environment.Environment
	AWS     aws.Config
	Network probe.Network
	Clock   clock.Clock
	// Infra opens the stack. It is called when preflight has found no problem, and not in a dry run.
	Infra   func(context.Context) (Infrastructure, error)
	Records record.Store
	// State says what is wrong with where the stack's state lies; nil where preflight is not to look.
	State  func(context.Context) error
	Report Reporter
}

// Request is what one deployment is asked for.
type Request struct {
	// ID names the deployment; By is who asked for it.
	ID, By string
	// Tag is the image's tag or digest; "" means the image that runs.
	Tag string
	// Kind is what sort of deployment it is; Leaves is the image that a rollback by hand is to leave.
	Kind   record.Kind
	Leaves *record.Image
	// Database is what is left of the database of the time that a rollback goes back to.
	Database *record.DatabaseThen
	// Without are phases to leave out, each with the reason.
	Without map[string]string
	// Restart starts the services anew where the program has nothing to change.
	Restart bool
	// Tolerated are checks of preflight that only warn.
	Tolerated []string
	// DryRun ends after preflight.
	DryRun bool
	// Command is the migration's, instead of the environment's own.
	Command []string
	// Wait lets preflight wait for what ends by itself, instead of stopping: a rollout or a migration under way, a database in the making; StopMigration stops this one's when its watch is
	// interrupted.
	Wait, StopMigration bool
	// WaitDelegation lets preflight wait until the internet knows the zone's name servers.
	WaitDelegation bool
	// Died says that whoever held the environment's lock before died with it.
	Died bool
}

// deployment is one deployment under way: what was asked for, and what the phases have found out so far.
type deployment struct {
	World
	Request
	record record.Deployment
	image  *Image
	// infra is the stack, opened by preflight.
	infra Infrastructure
	// touched says that the services may have been changed.
	touched bool
	// began says that a record of this deployment was asked for, dumb that it could not be kept.
	began, dumb bool
	// spent is where the time went, phase by phase.
	spent budget
	// before is the code that was deployed when this deployment began.
	before environment.Code
	// halfDone says that the last deployment of infrastructure did not come to its end.
	halfDone bool
	// ahead looks beside the rollout for what is left to a full deployment; nil where nobody asked.
	ahead *ahead
	// images is the registry; follow begins to follow the services, before they are changed.
	images registry
	follow func(context.Context, *environment.Environment, *Image) (follower, error)
}

// phase is one step of a deployment.
type phase struct {
	name string
	// only, where it is not nil, says whether there is such a phase at all.
	only func() bool
	// needless says why there is nothing to do; "" where there is.
	needless string
	// run does it, and says in a few words what came of it.
	run func(context.Context, voice) (string, error)
}

// Deploy runs a full deployment and returns its record. The error, where there is one, is a *NotStartedError, a
// *FailedError or an *InterruptedError; the record is complete in each case.
func Deploy(ctx context.Context, w World, r Request) (record.Deployment, error) {
	waiting := &stopwatch{Clock: w.Clock}
	w.Clock = waiting
	began := waiting.lap()
	d := &deployment{World: w, Request: r, images: ecr.NewFromConfig(w.AWS), record: record.Deployment{
		ID: r.ID, Environment: w.Env.Name, Stack: w.Env.Stack, Kind: r.Kind, By: r.By, Restarted: r.Restart,
		RolledBackFrom: r.Leaves, Database: r.Database, Image: record.Image{Tag: r.Tag}, Started: w.Clock.Now().UTC(), Outcome: record.Running,
	}}
	d.follow = d.watcher
	err := d.runPhases(ctx, d.phases())
	if err == nil {
		d.tellWaiting()
	}
	d.record.Ended = w.Clock.Now().UTC()
	whole := waiting.lap().since(began)
	d.record.WaitingSeconds = whole.waited.Seconds()
	d.record.Outcome = outcomeOf(err)
	d.record.Long = whole.clocked() >= longDeployment
	if err == nil && d.record.Long {
		d.record.Saving = d.spent.saving(d.Env, d.record, whole)
	}
	if err != nil {
		d.record.Error, d.record.Hint = err.Error(), advice.Of(err)
	}
	if notStarted := new(NotStartedError); !d.began && (len(d.record.Phases) < 2 || r.DryRun || errors.As(err, &notStarted)) {
		return d.record, err
	}
	d.keep(ctx)
	return d.record, err
}

// warn says what did not stop the deployment, and remembers it.
func (d *deployment) warn(v voice, message string) {
	v.warn("%s", message)
	d.record.Warnings = append(d.record.Warnings, message)
}

func outcomeOf(err error) record.Outcome {
	var interrupted *InterruptedError
	switch {
	case err == nil:
		return record.Succeeded
	case errors.As(err, &interrupted):
		return record.Interrupted
	}
	return record.Failed
}

func (d *deployment) runPhases(ctx context.Context, phases []phase) error {
	for _, p := range phases {
		if p.only != nil && !p.only() {
			continue
		}
		if d.DryRun && p.name != Preflight {
			p.needless = cmp.Or(p.needless, "dry run")
		}
		err := d.runPhase(ctx, p)
		if err != nil {
			d.ahead.stop()
		}
		var notStarted *NotStartedError
		var busy *BusyError
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return &InterruptedError{Phase: p.name, Cause: context.Cause(ctx), Left: err}
		case errors.As(err, &notStarted):
			return err
		case errors.As(err, &busy) && !d.changedAnything():
			return NotStarted("stack", busy)
		}
		undone, cut := d.undo(ctx, p.name)
		failed := &FailedError{Phase: p.name, Cause: err, Undone: undone}
		if cut != nil && ctx.Err() != nil {
			return &InterruptedError{Phase: undoing, Cause: context.Cause(ctx), Left: cut, After: failed, Advice: "`deployer rollback --env " +
				d.Env.Stack + "` brings back the last image that was verified healthy"}
		}
		return failed
	}
	return nil
}

// changedAnything reports whether a phase after preflight has ended well, and so may have changed something. What a repair puts
// right, the deployment before it had changed.
func (d *deployment) changedAnything() bool {
	return slices.ContainsFunc(d.record.Phases, func(p record.Phase) bool {
		return p.Name != Preflight && p.Name != Repair && p.Outcome == record.Succeeded
	})
}

// runPhase reports and records one phase.
func (d *deployment) runPhase(ctx context.Context, p phase) error {
	v := voice{phase: p.name, report: d.Report, now: d.Clock.Now}
	began := d.Clock.Now()
	lap := lapOf(d.Clock)
	v.report(Event{Time: began, Kind: PhaseStarted, Phase: p.name})
	result := record.Phase{Name: p.name, Outcome: record.Skipped, Message: p.needless}
	var err error
	if p.needless == "" {
		d.keepBeginning(ctx, v)
		result.Outcome = record.Succeeded
		if result.Message, err = p.run(ctx, v); err != nil {
			result.Outcome, result.Message = record.Failed, err.Error()
			if ctx.Err() != nil {
				result.Outcome = record.Interrupted
			}
		}
	}
	took := d.Clock.Now().Sub(began)
	result.Seconds = took.Seconds()
	d.record.Phases = append(d.record.Phases, result)
	d.spent.add(p.name, lapOf(d.Clock).since(lap))
	v.report(Event{
		Time: d.Clock.Now(), Kind: PhaseEnded, Phase: p.name, Message: result.Message, Outcome: result.Outcome, Took: took,
	})
	return err
}
