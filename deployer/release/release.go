package release

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/bake"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/probe"
)

// The names of the phases, in their usual order, which PhaseOrder returns.
const (
	Preflight = "preflight"
	Repair    = "repair" // only after a deployment that crashed
	Wake      = "wake"   // only where the environment is asleep
	Backup    = "backup"
	Provision = "provision"
	Migrate   = "migrate"
	Rollout   = "rollout"
	Health    = "health"
	Bake      = "bake"
	Validate  = "validate"
)

// PhaseOrder returns the names of all phases in their usual order. Migrations may run after the rollout.
func PhaseOrder() []string {
	return []string{Preflight, Repair, Wake, Backup, Provision, Migrate, Rollout, Health, Bake, Validate}
}

// PhaseNames returns the phases that --skip accepts. Preflight resolves the image and is never skipped, and the
// others cannot start without repair and wake.
func PhaseNames() []string {
	return list.Filter(PhaseOrder(), func(name string) bool { return !slices.Contains([]string{Preflight, Repair, Wake}, name) })
}

// Deps holds what a deployment depends on.
type Deps struct {
	Env     *environment.Environment
	AWS     aws.Config
	Network probe.Network
	Clock   clock.Clock
	// OpenStack opens the stack. It is called once preflight has found no problem, and never in a dry run.
	OpenStack func(context.Context) (Infrastructure, error)
	// Deployed returns the environment as its stack describes it, nil where there is no stack. It creates none. A nil func skips the
	// comparison with it.
	Deployed func(context.Context) (*environment.Environment, error)
	Records  history.Store
	// CheckState returns an error where the stack's state cannot be stored; nil skips the check.
	CheckState func(context.Context) error
	Report     Reporter
	// Started is called with the record so far when the first phase after preflight starts, never in a dry run; nil is not
	// called.
	Started func(history.Deployment)
}

// Request describes one deployment.
type Request struct {
	// ID names the deployment; By is the user who started it.
	ID, By string
	// Tag is the image's tag, digest or TAG@DIGEST; "" means the running image.
	Tag  string
	Kind history.Kind
	// Components are those that are deployed, of a deployment of some.
	Components []string
	// Unverified is why an image may be deployed that deployment.verifiedIn does not let through; "" where it may not.
	Unverified string
	// RollbackFrom is the image that a manual rollback replaces, Database the database as its target left it.
	RollbackFrom *history.Image
	Database     *history.PriorDatabase
	// SkipPhases maps the phases to skip to the reason.
	SkipPhases map[string]string
	// LeftOut are those that the user left out: without them a deployment is incomplete.
	LeftOut []string
	// Restart redeploys the services that the program does not change.
	Restart bool
	// RestartOnly limits Restart to one service; "" is all of them.
	RestartOnly environment.Role
	// WarnOnlyChecks are preflight checks whose problems only warn.
	WarnOnlyChecks []string
	// ChangesNetwork and ChangesDatabase report that the deployment applies the environment's description of them.
	ChangesNetwork, ChangesDatabase bool
	// DryRun ends after preflight.
	DryRun bool
	// Command replaces the environment's migration command.
	Command []string
	// Wait makes preflight wait for transient problems: a rollout, a migration or a database change in progress.
	Wait bool
	// StopMigration stops the migration when the deployment is interrupted.
	StopMigration bool
	// WaitDelegation makes preflight wait until the domain is delegated to the zone's name servers.
	WaitDelegation bool
	// PreviousCrashed reports that the previous holder of the environment's lock crashed or was killed.
	PreviousCrashed bool
}

// deployment is the state of one deployment.
type deployment struct {
	deps    Deps
	request Request
	record  history.Deployment
	image   *Image
	// infra is the stack, opened by preflight.
	infra Infrastructure
	// upgradesDatabase reports that the deployment upgrades the major version of the database.
	upgradesDatabase bool
	// servicesChanged reports that the services may have been changed.
	servicesChanged bool
	// recordStarted reports that saving the record was attempted, recordFailed that it failed.
	recordStarted, recordFailed bool
	// earlier are the records of earlier deployments, once they have been read.
	earlier []history.Deployment
	timings phaseTimings
	// codeBefore is the code that was deployed before this deployment.
	codeBefore environment.Code
	// waitsForCrashed reports that the previous deployment crashed or was killed: a migration or a change of the database that it left is
	// waited for.
	waitsForCrashed bool
	// asleep has what marks the environment as asleep, where it is.
	asleep sleep.State
	// previousIncomplete reports that the last deployment of infrastructure did not succeed.
	previousIncomplete bool
	// pending is the preview of what a code-only deployment leaves to a full one; nil where there is none.
	pending *pendingChanges
	// started is what the rollout started; baker watches it.
	started startedRollout
	// unjudged is why the bake does not verify the image, although it found no failure; "" where it does.
	unjudged string
	baker    baker
	// images is the registry. newWatcher is called before the services are changed.
	images     ecrimage.Client
	newWatcher func(context.Context, *environment.Environment, *Image) (rolloutWatcher, error)
	// probeHealth probes an environment. readServices reads the services as they are now. changed counts the resources that the engine has changed so far.
	probeHealth  func(context.Context, phaseLog, *environment.Environment) ([]probe.Result, error)
	readServices func(context.Context) ([]serviceState, error)
	changed      int
}

// phase is one step of a deployment.
type phase struct {
	name string
	// enabled reports whether the deployment has the phase at all; nil means that it has.
	enabled func() bool
	// skipReason is why the phase is skipped; "" where it runs. skip returns it where it depends on the phases before; it may be nil.
	skipReason string
	skip       func(context.Context) string
	// run returns a short summary of the outcome.
	run func(context.Context, phaseLog) (string, error)
}

// Deploy runs a deployment and returns its record, which is complete in every case. The error is a *NotStartedError, a
// *FailedError or an *InterruptedError.
func Deploy(ctx context.Context, deps Deps, request Request) (history.Deployment, error) {
	timing := &timingClock{Clock: deps.Clock}
	deps.Clock = timing
	start := timing.read()
	d := &deployment{deps: deps, request: request, images: ecr.NewFromConfig(deps.AWS), record: history.Deployment{
		ID: request.ID, Environment: deps.Env.Name, Stack: deps.Env.Stack, Kind: request.Kind, Components: request.Components, By: request.By,
		Restarted: request.Restart, RestartedOnly: request.RestartOnly,
		RolledBackFrom: request.RollbackFrom, Database: request.Database, Image: requestedImage(request.Tag),
		Started: deps.Clock.Now().UTC(), Outcome: history.Running,
	}}
	d.newWatcher = d.newECSWatcher
	d.probeHealth = func(ctx context.Context, log phaseLog, env *environment.Environment) ([]probe.Result, error) {
		return deps.probe(ctx, log, env, d.image.Tag)
	}
	d.baker = &bake.Watcher{AWS: deps.AWS, Clock: deps.Clock}
	d.readServices = func(ctx context.Context) ([]serviceState, error) {
		return readServiceStates(ctx, ecs.NewFromConfig(deps.AWS), deps.Env)
	}
	err := d.runPhases(ctx, d.phases())
	if err == nil {
		d.reportPending()
	}
	d.record.Ended = deps.Clock.Now().UTC()
	total := timing.read().sub(start)
	d.record.WaitingSeconds = total.waited.Seconds()
	d.record.Outcome, d.record.DryRun = outcomeOf(err, request), request.DryRun
	if err == nil && d.unjudged != "" {
		d.record.Outcome = history.Incomplete
	}
	d.record.Slow = total.scaled() >= longDeployment
	if err == nil && d.record.Slow {
		d.record.Saving = d.timings.saving(deps.Env, d.record, total)
	}
	if err != nil {
		d.record.Error, d.record.Hint = err.Error(), hint.Of(err)
	}
	if notStarted := new(NotStartedError); !d.recordStarted && (len(d.record.Phases) < 2 || request.DryRun || errors.As(err, &notStarted)) {
		d.record.ID = "" // no record has it
		return d.record, err
	}
	d.saveRecord(ctx)
	return d.record, err
}

// requestedImage returns an image as it was requested, before it is resolved.
func requestedImage(name string) history.Image {
	tag, digest := SplitImage(name)
	return history.Image{Tag: cmp.Or(tag, digest), Digest: digest}
}

// warn reports a warning and adds it to the record.
func (d *deployment) warn(log phaseLog, message string) {
	log.warn("%s", message)
	d.record.Warnings = append(d.record.Warnings, message)
}

func (d *deployment) phaseLog(phase string) phaseLog {
	return phaseLog{phase: phase, report: d.deps.Report, now: d.deps.Clock.Now}
}

// records returns the record of this deployment, once it is saved, and earlier ones, the newest first. Those are read once: while the deployment
// holds the lock, nothing else writes any.
func (d *deployment) records(ctx context.Context) ([]history.Deployment, error) {
	if d.earlier == nil {
		all, err := d.deps.Records.List(ctx, d.deps.Env.Stack, historyLimit)
		if err != nil {
			return nil, err
		}
		d.earlier = list.Filter(all, func(r history.Deployment) bool { return r.ID != d.record.ID })
	}
	if !d.recordStarted {
		return slices.Clone(d.earlier), nil
	}
	return append([]history.Deployment{d.record}, d.earlier...), nil
}

// historyLimit is how many records are searched, for the image of a rollback among others.
const historyLimit = 100

func outcomeOf(err error, request Request) history.Outcome {
	var interrupted *InterruptedError
	switch {
	case err == nil && len(request.LeftOut) > 0 && !request.DryRun:
		return history.Incomplete
	case err == nil:
		return history.Succeeded
	case errors.As(err, &interrupted) && interrupted.RollbackOf == nil:
		return history.Interrupted
	}
	return history.Failed
}

func (d *deployment) runPhases(ctx context.Context, phases []phase) error {
	for _, p := range phases {
		if p.enabled != nil && !p.enabled() {
			continue
		}
		if p.skip != nil && p.skipReason == "" {
			p.skipReason = p.skip(ctx)
		}
		if d.request.DryRun && p.name != Preflight {
			p.skipReason = cmp.Or(p.skipReason, "dry run")
		}
		err := d.runPhase(ctx, p)
		if err == nil {
			continue
		}
		d.pending.stop()
		var notStarted *NotStartedError
		var busy *BusyError
		switch {
		case ctx.Err() != nil:
			return d.interrupted(ctx, p.name, err)
		case errors.As(err, &notStarted):
			return err
		case errors.As(err, &busy) && !d.changedAnything():
			return NotStarted("stack", busy)
		}
		err = nameExpired(err)
		outcome, rollbackErr := d.rollback(ctx, p.name, err)
		failed := &FailedError{Phase: p.name, Cause: err, Rollback: outcome}
		if rollbackErr != nil && ctx.Err() != nil {
			return d.interruptedRollback(ctx, failed, rollbackErr)
		}
		return failed
	}
	return nil
}

// changedAnything reports whether a phase after preflight succeeded, and so may have changed something. A repair does not count:
// it completes what the previous deployment had changed.
func (d *deployment) changedAnything() bool {
	return slices.ContainsFunc(d.record.Phases, func(p history.Phase) bool {
		return p.Name != Preflight && p.Name != Repair && p.Outcome == history.Succeeded
	})
}

// runPhase runs one phase, reports it and adds it to the record.
func (d *deployment) runPhase(ctx context.Context, p phase) error {
	log := d.phaseLog(p.name)
	started, start := d.deps.Clock.Now(), readClock(d.deps.Clock)
	result := history.Phase{Name: p.name, Outcome: history.Skipped, Message: p.skipReason}
	var err error
	if p.skipReason == "" {
		log.report(Event{Time: started, Kind: PhaseStarted, Phase: p.name})
		d.saveStarted(ctx, log)
		result.Outcome = history.Succeeded
		if result.Message, err = p.run(ctx, log); err != nil {
			result.Outcome, result.Message = failedOutcome(ctx), endMessage(ctx, err)
		} else if p.name == Bake && d.unjudged != "" {
			result.Outcome = history.Incomplete
		}
	}
	took := d.deps.Clock.Now().Sub(started)
	result.Seconds = took.Seconds()
	d.record.Phases = append(d.record.Phases, result)
	d.timings.add(p.name, readClock(d.deps.Clock).sub(start))
	if !d.request.DryRun || p.name == Preflight { // a dry run has no other phase
		log.ended(result.Outcome, result.Message, took)
	}
	return err
}

// failedOutcome returns the outcome of what did not succeed: interrupted where its context has ended.
func failedOutcome(ctx context.Context) history.Outcome {
	if ctx.Err() != nil {
		return history.Interrupted
	}
	return history.Failed
}

// endMessage returns why a phase did not succeed: the cause of an interruption rather than the error of a context that ended.
func endMessage(ctx context.Context, err error) string {
	if cause := context.Cause(ctx); cause != nil && withoutCause(err, cause) == "" {
		return cause.Error()
	}
	return err.Error()
}

// saveTimeout bounds writing the record. CI systems give about 10 s after an interruption.
const saveTimeout = 5 * time.Second

// saveRecord writes the final record, even when the deployment was interrupted. Failing to do so does not fail the deployment,
// but a later rollback will not find it.
func (d *deployment) saveRecord(ctx context.Context) {
	if err := d.save(ctx, d.record); err != nil {
		d.warn(d.phaseLog("record"), "this deployment could not be recorded, so a rollback will not find it: "+err.Error())
	}
}

// saveStarted writes the record when a phase starts, so that a deployment that is killed leaves how far it got. A failure is
// reported once; saveRecord tries again at the end.
func (d *deployment) saveStarted(ctx context.Context, log phaseLog) {
	if d.recordFailed || d.request.DryRun || log.phase == Preflight {
		return
	}
	if !d.recordStarted && d.deps.Started != nil {
		d.deps.Started(d.record)
	}
	d.recordStarted = true
	current := d.record
	current.Phases = append(slices.Clone(current.Phases), history.Phase{Name: log.phase, Outcome: history.Running})
	d.saveProgress(ctx, log, current)
}

// saveProgress writes a record of a deployment that has not ended, and reports once that it could not.
func (d *deployment) saveProgress(ctx context.Context, log phaseLog, current history.Deployment) {
	if d.recordFailed {
		return
	}
	if err := d.save(ctx, current); err != nil {
		d.recordFailed = true
		d.warn(log, "the progress of this deployment is not recorded: "+err.Error())
	}
}

// save writes a record without log lines of containers: everyone who may read the account's configuration may read
// records, but not logs.
func (d *deployment) save(ctx context.Context, r history.Deployment) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return d.deps.Records.Save(bounded, WithoutLogExcerpts(r))
}

// WithoutLogExcerpts returns a record with the number of lines in place of log lines of containers.
func WithoutLogExcerpts(r history.Deployment) history.Deployment {
	r.Error, r.Warnings = withoutLogExcerpts(r.Error), list.Map(r.Warnings, withoutLogExcerpts)
	r.Phases = slices.Clone(r.Phases)
	for i := range r.Phases {
		r.Phases[i].Message = withoutLogExcerpts(r.Phases[i].Message)
	}
	return r
}
