package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func snapshotRestoreVerb() verb {
	return verb{
		name: "restore", args: "[SNAPSHOT]", usage: "create a database from a snapshot, and replace the database with it",
		changes: true,
		long: `Without SNAPSHOT, restores the newest available one. The restored database is a separate instance beside the one that
serves, with the class, network, password and protection that the environment's file asks for.

With --switch it replaces the database under its name: the services stop, both instances are renamed,
stack and tasks are updated, and the services start again. The replaced database is kept under another
name; --back switches back to it. After an interruption, run the same command again to continue.`,
		examples: []string{
			"deployer snapshot restore --env staging",
			"deployer snapshot restore v3-backend-production-pre-deploy-20261123-181140 --switch --dry-run --env production",
			"deployer snapshot restore --switch --env production",
			"deployer snapshot restore --back --env production",
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "switch", Usage: "replace the database that serves with the restored one"},
			&cli.BoolFlag{Name: "back", Usage: "undo the last switch: the replaced database serves again"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print what would be done, and do nothing"},
			waitFlag(),
			strictFlag(),
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			o := restoreOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks,
				switches: c.Bool("switch"), back: c.Bool("back"), dryRun: c.Bool("dry-run"), snapshot: c.Args().First(),
			}
			if c.NArg() > 1 || o.back && (o.switches || o.snapshot != "") {
				return hint.With(errors.New("give at most one SNAPSHOT, and none with --back; --back and --switch exclude each other"),
					"`deployer snapshot restore --help` shows the usage")
			}
			return o.run(ctx)
		},
	}
}

type restoreOptions struct {
	targets                *targets
	terminal               *terminal
	stacks                 *stack.Opener
	locks                  *locker
	snapshot               string
	switches, back, dryRun bool
}

// A restoreRun is a restore in its target.
type restoreRun struct {
	options  restoreOptions
	target   *target.Target
	server   database.Instance
	services database.Services
	// last is the newest switch of the database, or nil.
	last *history.Deployment
	// destroyed is the newest destroy, before which no switch counts, or nil.
	destroyed *history.Deployment
}

// restoreAction names the action of the lock's holder during a restore.
const restoreAction = "snapshot restore"

// run holds the environment's lock from the first read on, while it asks, too: what was read is still so when it is changed.
func (o restoreOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if o.dryRun {
			return o.runInTarget(ctx, t)
		}
		if err := requireLifetime(ctx, t); err != nil {
			return err
		}
		return o.locks.withLock(ctx, t, restoreAction, func(ctx context.Context) error { return o.runInTarget(ctx, t) })
	})
}

// restoreHistoryLimit is how many records are searched for the last switch.
const restoreHistoryLimit = 100

// runInTarget restores. In a dry run the lock is not held.
func (o restoreOptions) runInTarget(ctx context.Context, t *target.Target) error {
	if o.switches || o.back {
		if err := rejectAsleep(ctx, t); err != nil {
			return err
		}
	}
	records, err := t.Records.List(ctx, t.Stack, restoreHistoryLimit)
	if err != nil {
		return err
	}
	return restoreRun{
		options: o, target: t, last: history.LastRestore(records), destroyed: history.LastDestroy(records),
		server: database.New(t.AWS, t.Env, t.Clock), services: database.NewServices(t.AWS, t.Env, t.Clock),
	}.run(ctx)
}

const undoRevert = "switch again to the restored database in"

func (r restoreRun) run(ctx context.Context) error {
	switch o := r.options; {
	case r.finishedByCrashed():
		return r.finish(ctx)
	case o.back:
		return r.revert(ctx)
	case r.last.Unfinished() && !o.switches:
		return hint.With(errors.New("a switch of the database has not finished"), r.resumeHint())
	case r.last.Unfinished() && r.last.Restore.Revert:
		return r.reverseSwap(ctx, undoRevert)
	case r.last.Unfinished():
		if o.snapshot != "" && o.snapshot != r.last.Restore.Snapshot {
			return hint.With(fmt.Errorf("a switch to %s has not finished", r.last.Restore.Snapshot), r.resumeHint())
		}
		return r.swap(ctx, *r.last, "continue the switch of")
	case o.switches && r.last != nil && r.last.Restore.Revert && (o.snapshot == "" || o.snapshot == r.last.Restore.Snapshot):
		exists, err := r.server.RestoredExists(ctx, r.last.Restore.Outgoing)
		switch {
		case err != nil:
			return err
		case exists:
			return r.reverseSwap(ctx, undoRevert)
		}
	}
	return r.restore(ctx)
}

// finishedByCrashed reports whether this command repeats one that was killed after its switch was done and recorded. Another switch
// would go to another snapshot, and lose what was written since.
func (r restoreRun) finishedByCrashed() bool {
	if r.last == nil || r.last.Unfinished() || r.target.Held.InterruptedCommand() != restoreAction {
		return false
	}
	if r.options.back != r.last.Restore.Revert || !r.options.back && !r.options.switches {
		return false
	}
	if r.options.snapshot != "" && r.options.snapshot != r.last.Restore.Snapshot {
		return false
	}
	// The record is saved before the first step, so that the phase of a step makes the newest record the crashed command's.
	steps := database.Switch{Instance: r.server, Plan: *r.last.Restore}.Steps()
	return slices.ContainsFunc(steps, func(s database.Step) bool { return s.Name == r.target.Held.InterruptedPhase() })
}

// finish prints the outcome of a switch that was done before its command was killed.
func (r restoreRun) finish(ctx context.Context) error {
	opened, err := r.openStack(ctx)
	if err != nil {
		return err
	}
	progress := r.options.terminal.progress()
	err = opened.RecoverIfNeeded(ctx, progress)
	progress.Close()
	if err != nil {
		return markRun(err)
	}
	r.options.terminal.log("the switch was done before the previous command was killed: nothing is left to do")
	r.printDone(*r.last)
	return nil
}

// resumeHint names the commands that finish a switch.
func (r restoreRun) resumeHint() string {
	return fmt.Sprintf("`%s` continues it; `%s` switches back to the replaced database", r.command("--switch"), r.command("--back"))
}

// command returns this command with a flag, as a person would type it.
func (r restoreRun) command(flag string) string { return r.commandWith(" " + flag) }

// commandWith returns this command with flags, each after a space.
func (r restoreRun) commandWith(flags string) string {
	return "deployer snapshot restore" + flags + " --env " + r.target.Stack
}

// restore creates the instance, and switches to it where that was asked for.
func (r restoreRun) restore(ctx context.Context) error {
	plan, err := r.server.PlanRestore(ctx, r.options.snapshot)
	if err != nil {
		return err
	}
	r.options.terminal.warn(plan.Warning)
	r.printPlan(plan)
	if r.options.dryRun {
		r.printSteps(history.DatabaseSwap{OldName: r.target.Env.ReplacedPrefix() + "YYYYMMDD-HHMMSS"}, r.options.switches)
		return nil
	}
	if err := r.confirm(ctx, "restore the database of"); err != nil {
		return err
	}
	var opened *stack.Stack
	if r.options.switches {
		if opened, err = r.openStack(ctx); err != nil {
			return err
		}
	}
	var id string
	if err := r.runStep(ctx, "restore", func(report database.Progress) (string, error) {
		id, err = r.server.Restore(ctx, plan, report)
		return plan.Instance + " is available", markAttempted(err)
	}); err != nil {
		if ctx.Err() != nil {
			return r.interruptedRestore(ctx, plan)
		}
		return err
	}
	if !r.options.switches {
		r.printNextSteps(plan)
		return nil
	}
	swap, err := r.server.PlanSwitch(ctx, r.services, id, plan.Snapshot.Name)
	if err != nil {
		return markAttempted(err)
	}
	return r.switchTo(ctx, opened, r.newRecord(swap))
}

// interruptedRestore returns the error of a restore that was interrupted while RDS creates the instance.
func (r restoreRun) interruptedRestore(ctx context.Context, plan database.RestorePlan) error {
	flag := ""
	if r.options.switches {
		flag = " --switch"
	}
	return partialFailure{hint.With(fmt.Errorf("%w; RDS may still create %s, and %s serves as before", context.Cause(ctx), plan.Instance,
		r.target.Env.DatabaseIdentifier()), "`"+r.commandWith(flag)+"` continues with it")}
}

// openStack opens the environment's stack, whose services are to use the database.
func (r restoreRun) openStack(ctx context.Context) (*stack.Stack, error) {
	opened, err := r.options.stacks.Open(ctx, r.target, stack.MustExist, stack.Scope{})
	if err != nil {
		return nil, err
	}
	if opened.Recorded() == "" {
		return nil, hint.With(fmt.Errorf("no full deployment of %s has succeeded, so no service uses its database", r.target.Name),
			"deploy it first: `deployer up --env "+r.target.Stack+" --image-tag TAG`")
	}
	return opened, nil
}

// revert switches back to the replaced database.
func (r restoreRun) revert(ctx context.Context) error {
	switch {
	case r.last == nil && r.destroyed != nil:
		return hint.With(fmt.Errorf("%s was not replaced by a switch since the destroy of %s", r.target.Env.DatabaseIdentifier(),
			text.Minute(r.destroyed.Started)), "what was before is in the final snapshots: `deployer snapshot list --env "+r.target.Stack+"`")
	case r.last == nil:
		return hint.With(errors.New(r.target.Env.DatabaseIdentifier()+" was never replaced by a switch"), "there is no switch to revert")
	case r.last.Unfinished() && r.last.Restore.Revert:
		return r.swap(ctx, *r.last, "continue to revert the switch of")
	case r.last.Restore.Revert:
		return hint.With(errors.New("the last switch was reverted already"), "to switch once more: `"+r.command("--switch")+"`")
	}
	return r.reverseSwap(ctx, "switch back to the replaced database in")
}

// reverseSwap exchanges the two databases of the last switch.
func (r restoreRun) reverseSwap(ctx context.Context, action string) error {
	plan, err := r.server.PlanReverse(ctx, r.services, *r.last.Restore)
	if err != nil {
		return err
	}
	return r.swap(ctx, r.newRecord(plan), action)
}

// swap asks, and switches.
func (r restoreRun) swap(ctx context.Context, kept history.Deployment, action string) error {
	if r.options.dryRun {
		r.printSteps(*kept.Restore, true)
		return nil
	}
	opened, err := r.openStack(ctx)
	if err != nil {
		return err
	}
	if err := r.confirm(ctx, action); err != nil {
		return err
	}
	return r.switchTo(ctx, opened, kept)
}

// confirm asks for the environment's name where running services are touched, or no snapshot was named.
func (r restoreRun) confirm(ctx context.Context, action string) error {
	reason := ""
	switch {
	case r.options.switches || r.options.back:
		reason = "its services stop meanwhile"
	case r.target.Env.Protected:
		reason = r.target.Name + " is protected"
	case r.options.snapshot == "":
		reason = "no snapshot was named, it is the newest"
	default:
		return nil
	}
	return r.options.terminal.confirm(ctx, action, r.target.Name, reason)
}

func (r restoreRun) newRecord(plan history.DatabaseSwap) history.Deployment {
	now := r.target.Clock.Now()
	return history.Deployment{
		ID: newID(now), Environment: r.target.Name, Stack: r.target.Stack, Kind: history.Restore, By: whoami(),
		Started: now.UTC(), Snapshot: plan.Snapshot, Restore: &plan,
	}
}

// saveTimeout limits saving the record and reading where the databases are after a switch that failed.
const saveTimeout = 10 * time.Second

// switchTo runs the steps. The plan is recorded before the first of them; where that fails, none is run.
func (r restoreRun) switchTo(ctx context.Context, opened *stack.Stack, kept history.Deployment) error {
	progress := r.options.terminal.progress()
	err := opened.RecoverIfNeeded(ctx, progress)
	progress.Close()
	if err != nil {
		return markRun(err)
	}
	kept.Outcome, kept.Ended = history.Running, time.Time{}
	if err := r.target.Records.Save(ctx, kept); err != nil {
		return fmt.Errorf("the switch was not started, because its plan cannot be recorded: %w", err)
	}
	swap := database.Switch{Instance: r.server, Services: r.services, Stack: opened, Plan: *kept.Restore}
	err = r.runSteps(ctx, swap, &kept)
	kept.Ended, kept.Outcome = r.target.Clock.Now().UTC(), history.Succeeded
	if err != nil {
		kept.Outcome = history.Failed
		if ctx.Err() != nil {
			kept.Outcome, err = history.Interrupted, stoppedStep(ctx, kept.Phases, err)
		}
		kept.Error = err.Error()
	}
	saving, done := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer done()
	if saveErr := r.target.Records.Save(saving, kept); err == nil && saveErr != nil {
		return partialFailure{hint.With(fmt.Errorf("the switch is done, but that could not be recorded: %w", saveErr), r.resumeHint())}
	}
	if err != nil {
		return partialFailure{hint.With(fmt.Errorf("%w\n%s", err, swap.Locations(saving)), r.resumeHint())}
	}
	r.printDone(kept)
	return nil
}

// stoppedStep returns the error of the last step, which ended after its context had: where nothing else went wrong, only what ended it.
func stoppedStep(ctx context.Context, phases []history.Phase, err error) error {
	cause := context.Cause(ctx)
	if len(phases) > 0 && (errors.Is(err, ctx.Err()) || errors.Is(err, cause)) {
		return fmt.Errorf("%w during %s", cause, phases[len(phases)-1].Name)
	}
	return fmt.Errorf("%w: %w", cause, err)
}

func (r restoreRun) runSteps(ctx context.Context, swap database.Switch, kept *history.Deployment) error {
	kept.Phases = nil
	for _, step := range swap.Steps() {
		began := r.target.Clock.Now()
		phase := history.Phase{Name: step.Name, Outcome: history.Succeeded}
		err := r.runStep(ctx, step.Name, func(report database.Progress) (summary string, err error) {
			phase.Message, err = step.Run(ctx, report)
			return phase.Message, err
		})
		phase.Seconds = r.target.Clock.Now().Sub(began).Seconds()
		if err != nil {
			phase.Outcome, phase.Message = history.Failed, err.Error()
			if ctx.Err() != nil {
				phase.Outcome, phase.Message = history.Interrupted, ""
			}
		}
		kept.Phases = append(kept.Phases, phase)
		if err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

// runStep shows the progress of one step.
func (r restoreRun) runStep(ctx context.Context, name string, run func(database.Progress) (string, error)) error {
	r.target.Held.Phase(name)
	progress := r.options.terminal.progress()
	defer progress.Close()
	return progress.Step(ctx, name, func(report func(string)) (string, error) { return run(progressFunc(report)) })
}

// printPlan prints what is restored, and as what.
func (r restoreRun) printPlan(plan database.RestorePlan) {
	out := r.options.terminal.err
	if r.options.dryRun {
		out = r.options.terminal.out
	}
	o, d := plan.Snapshot, r.target.Env.Database
	zones := "in one zone"
	if d.MultiZone {
		zones = "in two zones"
	}
	_, _ = fmt.Fprintf(out, "%s\n  of %s (%s), %d GiB, %s %s\n", o.Name, text.Minute(o.Created),
		ui.Age(r.target.Clock.Now().Sub(o.Created)), o.SizeGiB, o.Engine, o.Version)
	if plan.Started {
		_, _ = fmt.Fprintf(out, "was restored to %s before; that instance is used\n", plan.Instance)
		return
	}
	_, _ = fmt.Fprintf(out, "becomes %s\n  %s %s, with its own password; it lacks what was written after the snapshot\n", plan.Instance, d.InstanceClass, zones)
}

// printSteps prints what a switch would do.
func (r restoreRun) printSteps(plan history.DatabaseSwap, switches bool) {
	if switches {
		for _, step := range (database.Switch{Instance: r.server, Plan: plan}).Steps() {
			r.options.terminal.printf("%-10s %s\n", step.Name, step.Description)
		}
	}
	r.options.terminal.printf("%s\n", dryRunNote)
}

// printNextSteps prints what a restore without --switch leaves to people.
func (r restoreRun) printNextSteps(plan database.RestorePlan) {
	r.options.terminal.printf(`%s is available; %s still serves.
connect to it from a task, with the password that RDS created:
  aws rds describe-db-instances --region %s --db-instance-identifier %s
replace the database with it:
  %s
or delete it:
%s
`, plan.Instance, r.target.Env.DatabaseIdentifier(), r.target.Region, plan.Instance, r.command("--switch"), r.server.DeleteCommand(plan.Instance))
}

// printDone prints where the databases are after a switch.
func (r restoreRun) printDone(kept history.Deployment) {
	now, again := "the database from "+kept.Restore.Snapshot, "to revert the switch: `"+r.command("--back")+"`"
	if kept.Restore.Revert {
		now, again = "the database from before the switch", "to switch once more: `"+r.command("--switch")+"`"
	}
	lines := []string{fmt.Sprintf("%s is %s; the services use it", r.target.Env.DatabaseIdentifier(), now)}
	if kept.Restore.Outgoing != "" {
		lines = append(lines, "the other one is kept as "+kept.Restore.OldName+" at the same cost; "+again,
			"when it is no longer needed:", r.server.DeleteCommand(kept.Restore.OldName))
	}
	r.options.terminal.printf("%s\n", strings.Join(lines, "\n"))
}
