package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func snapshotRestoreVerb() verb {
	return verb{
		name: "restore", args: "[SNAPSHOT]", usage: "make a database from a snapshot, and put it in the database's place",
		about: `Without SNAPSHOT it is the newest that can be used. The restored database is an instance of its own beside the
one that serves, with the class, network, password and protection that the environment's file asks for.

With --switch it takes the place and the name of the database: the services stop, both instances are renamed,
the stack and the tasks learn of it, and the services start again. The database before is kept under another
name; --back puts it in its place again. Whatever is interrupted goes on when the command is run again.`,
		examples: []string{
			"deployer snapshot restore --env staging",
			"deployer snapshot restore v3-backend-production-pre-deploy-20261123-181140 --switch --dry-run --env production",
			"deployer snapshot restore --switch --env production",
			"deployer snapshot restore --back --env production",
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "switch", Usage: "put the restored database in the place of the one that serves"},
			&cli.BoolFlag{Name: "back", Usage: "put the database that the last switch replaced in its place again"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done, and do nothing"},
			waitFlag(),
			strictFlag(),
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			r := snapshotRestore{settings: s, switches: c.Bool("switch"), back: c.Bool("back"), dryRun: c.Bool("dry-run"), snapshot: c.Args().First()}
			if c.NArg() > 1 || r.back && (r.switches || r.snapshot != "") {
				return hint.With(errors.New("give one SNAPSHOT at most, and none with --back, which goes without --switch"),
					"`deployer snapshot restore --help` shows the usage")
			}
			return r.run(ctx)
		},
	}
}

// snapshotRestore makes a database from a snapshot.
type snapshotRestore struct {
	settings
	snapshot               string
	switches, back, dryRun bool
}

// restoring is a restore under way.
type restoring struct {
	snapshotRestore
	env      *environment.Environment
	place    *place
	server   database.Instance
	services database.Services
	held     *lock.Held
	// last is the newest exchange of the database, or nil.
	last *history.Deployment
}

// run holds the environment's lock from the first look on, while it asks too: what was looked at is still so when it is
// changed.
func (s snapshotRestore) run(ctx context.Context) error {
	if err := s.checkRegion(); err != nil {
		return err
	}
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		if s.dryRun {
			return s.in(ctx, p, env, nil)
		}
		return s.exclusively(ctx, p, env, "snapshot restore", func(ctx context.Context, held *lock.Held) error {
			return s.in(ctx, p, env, held)
		})
	})
}

// in restores in a place. Nobody holds the lock in a dry run.
func (s snapshotRestore) in(ctx context.Context, p *place, env *environment.Environment, held *lock.Held) error {
	records, err := p.records.List(ctx, env.Stack, recordsRead)
	if err != nil {
		return err
	}
	return restoring{
		snapshotRestore: s, env: env, place: p, held: held, last: history.LastRestore(records),
		server: database.New(p.aws, env, p.clock), services: database.NewServices(p.aws, env, p.clock),
	}.run(ctx)
}

// recordsRead is how many records are looked through for the last exchange.
const recordsRead = 100

func (r restoring) run(ctx context.Context) error {
	switch {
	case r.back:
		return r.goBack(ctx)
	case r.last.Unfinished() && !r.switches:
		return hint.With(fmt.Errorf("a switch of the database was begun and not brought to its end"), r.goOn())
	case r.last.Unfinished() && r.last.Restore.Revert:
		return r.reverse(ctx, "put the restored database in its place again in")
	case r.last.Unfinished():
		if r.snapshot != "" && r.snapshot != r.last.Restore.Snapshot {
			return hint.With(fmt.Errorf("a switch to %s was begun and not brought to its end", r.last.Restore.Snapshot), r.goOn())
		}
		return r.exchange(ctx, *r.last, "go on with the switch of")
	}
	if r.switches && r.last != nil && r.last.Restore.Revert && (r.snapshot == "" || r.snapshot == r.last.Restore.Snapshot) {
		waits, err := r.server.RestoredExists(ctx, r.last.Restore.Outgoing)
		switch {
		case err != nil:
			return err
		case waits:
			return r.reverse(ctx, "put the restored database in its place again in")
		}
	}
	return r.restore(ctx)
}

// goOn says how an unfinished switch comes to an end.
func (r restoring) goOn() string {
	return fmt.Sprintf("`%s` goes on from here; `%s` puts the database before in its place again", r.command("--switch"), r.command("--back"))
}

// command is this command with a flag, as a person would type it here.
func (r restoring) command(flag string) string {
	words := "deployer snapshot restore " + flag + " --env " + r.env.Stack
	if r.local {
		words += " --local"
	}
	return words
}

// restore makes the instance, and switches to it where that was asked for.
func (r restoring) restore(ctx context.Context) error {
	plan, err := r.server.PlanRestore(ctx, r.snapshot)
	if err != nil {
		return err
	}
	r.tellRestoration(plan)
	if r.dryRun {
		r.tellSteps(history.DatabaseSwap{OldName: r.env.ReplacedPrefix() + "YYYYMMDD-HHMMSS"})
		return nil
	}
	if err := r.ask(ctx, "restore the database of"); err != nil {
		return err
	}
	var stack *stack
	if r.switches {
		if stack, err = r.openStack(ctx); err != nil {
			return err
		}
	}
	var id string
	if err := r.step(ctx, "restore", func(ctx context.Context, say database.Progress) (string, error) {
		id, err = r.server.Restore(ctx, plan, say)
		return plan.Instance + " is there", failed(err)
	}); err != nil {
		return err
	}
	if !r.switches {
		return r.leftToDo(plan)
	}
	exchange, err := r.server.PlanSwitch(ctx, r.services, id, plan.Snapshot.Name)
	if err != nil {
		return failed(err)
	}
	return r.switchTo(ctx, stack, r.newRecord(exchange))
}

// openStack opens the environment's stack, whose services are to use the database.
func (r restoring) openStack(ctx context.Context) (*stack, error) {
	opened, err := r.openEnvironment(ctx, r.place, r.env, true)
	if err != nil {
		return nil, err
	}
	if opened.recorded == "" {
		return nil, hint.With(fmt.Errorf("%s was never deployed whole, no service uses its database", r.env.Name), "run `up` first")
	}
	opened.held = r.held
	return opened, nil
}

// goBack puts the database before in its place again.
func (r restoring) goBack(ctx context.Context) error {
	switch {
	case r.last == nil:
		return hint.With(errors.New("no other database was ever put in the place of "+r.env.DatabaseIdentifier()), "there is nothing to go back to")
	case r.last.Unfinished() && r.last.Restore.Revert:
		return r.exchange(ctx, *r.last, "go on with the way back of")
	case r.last.Restore.Revert:
		return hint.With(errors.New("the last switch was taken back already"), "to switch once more: `"+r.command("--switch")+"`")
	}
	return r.reverse(ctx, "put the database before in its place again in")
}

// reverse turns the last exchange round: what went comes in, and the other way about.
func (r restoring) reverse(ctx context.Context, doing string) error {
	plan, err := r.server.PlanReverse(ctx, r.services, *r.last.Restore)
	if err != nil {
		return err
	}
	return r.exchange(ctx, r.newRecord(plan), doing)
}

// exchange asks, and switches.
func (r restoring) exchange(ctx context.Context, kept history.Deployment, doing string) error {
	if r.dryRun {
		r.switches = true
		r.tellSteps(*kept.Restore)
		return nil
	}
	stack, err := r.openStack(ctx)
	if err != nil {
		return err
	}
	if err := r.ask(ctx, doing); err != nil {
		return err
	}
	return r.switchTo(ctx, stack, kept)
}

// ask wants the environment's name, wherever something that serves is touched or nobody has said which snapshot.
func (r restoring) ask(ctx context.Context, doing string) error {
	switch {
	case r.switches || r.back:
		return r.confirm(ctx, doing, r.env.Name, "its services stop meanwhile")
	case r.env.Protected:
		return r.confirm(ctx, doing, r.env.Name, r.env.Name+" is protected")
	case r.snapshot == "":
		return r.confirm(ctx, doing, r.env.Name, "no snapshot was named, it is the newest")
	}
	return nil
}

func (r restoring) newRecord(plan history.DatabaseSwap) history.Deployment {
	now := r.place.clock.Now()
	return history.Deployment{
		ID: newID(now), Environment: r.env.Name, Stack: r.env.Stack, Kind: history.Restore, By: whoami(),
		Started: now.UTC(), Snapshot: plan.Snapshot, Restore: &plan,
	}
}

// switchTo makes the steps. What is meant is kept before the first of them; without that nothing is begun.
func (r restoring) switchTo(ctx context.Context, stack *stack, kept history.Deployment) error {
	if stack.needed() {
		progress := ui.NewProgress(r.err, r.progressOptions())
		err := stack.step(ctx, progress, stack.program(stack.recorded, stack.recorded))
		progress.Close()
		if err != nil {
			return err
		}
	}
	kept.Outcome, kept.Ended = history.Running, time.Time{}
	if err := r.place.records.Save(ctx, kept); err != nil {
		return fmt.Errorf("the switch was not begun, because what it means to do cannot be kept: %w", err)
	}
	exchange := database.Switch{Instance: r.server, Services: r.services, Stack: stack, Plan: *kept.Restore}
	err := r.steps(ctx, exchange, &kept)
	kept.Ended, kept.Outcome = r.place.clock.Now().UTC(), history.Succeeded
	if err != nil {
		kept.Outcome, kept.Error = history.Failed, err.Error()
		if ctx.Err() != nil {
			kept.Outcome, err = history.Interrupted, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
	keeping, done := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer done()
	if saved := r.place.records.Save(keeping, kept); err == nil && saved != nil {
		return failure{hint.With(fmt.Errorf("the switch is done, but cannot be noted as done: %w", saved), r.goOn())}
	}
	if err != nil {
		return failure{hint.With(fmt.Errorf("%w\n%s", err, exchange.Locations(keeping)), r.goOn())}
	}
	return r.tellDone(kept)
}

// keepLimit is how long keeping the record, and looking where things are, may take.
const keepLimit = 10 * time.Second

func (r restoring) steps(ctx context.Context, exchange database.Switch, kept *history.Deployment) error {
	kept.Phases = nil
	for _, step := range exchange.Steps() {
		began := r.place.clock.Now()
		phase := history.Phase{Name: step.Name, Outcome: history.Succeeded}
		err := r.step(ctx, step.Name, func(ctx context.Context, say database.Progress) (summary string, err error) {
			phase.Message, err = step.Run(ctx, say)
			return phase.Message, err
		})
		phase.Seconds = r.place.clock.Now().Sub(began).Seconds()
		if err != nil {
			phase.Outcome, phase.Message = history.Failed, err.Error()
		}
		kept.Phases = append(kept.Phases, phase)
		if err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

// step shows one step as it goes.
func (r restoring) step(ctx context.Context, name string, run func(context.Context, database.Progress) (string, error)) error {
	r.held.Phase(name)
	progress := ui.NewProgress(r.err, r.progressOptions())
	defer progress.Close()
	return progress.Step(name, func(say func(string)) (string, error) { return run(ctx, said(say)) })
}

// tellRestoration says what is restored, and as what.
func (r restoring) tellRestoration(plan database.RestorePlan) {
	out := r.err
	if r.dryRun {
		out = r.out
	}
	o, d := plan.Snapshot, r.env.Database
	zones := "in one zone"
	if d.MultiZone {
		zones = "in two zones"
	}
	_, _ = fmt.Fprintf(out, "%s\n  of %s (%s), %d GiB, %s %s\n", o.Name, o.Created.Format("2006-01-02 15:04 UTC"),
		ui.Age(r.place.clock.Now().Sub(o.Created)), o.SizeGiB, o.Engine, o.Version)
	if plan.Started {
		_, _ = fmt.Fprintf(out, "was restored to %s before; that is used\n", plan.Instance)
		return
	}
	_, _ = fmt.Fprintf(out, "becomes %s\n  %s %s, a password of its own; what was written after the snapshot is not in it\n", plan.Instance, d.InstanceClass, zones)
}

// tellSteps says what a switch would do.
func (r restoring) tellSteps(plan history.DatabaseSwap) {
	if r.switches {
		for _, step := range (database.Switch{Instance: r.server, Plan: plan}).Steps() {
			_, _ = fmt.Fprintf(r.out, "%-10s %s\n", step.Name, step.Description)
		}
	}
	_, _ = fmt.Fprintln(r.out, "dry run: nothing was done")
}

// leftToDo says what a restore without --switch leaves to people.
func (r restoring) leftToDo(plan database.RestorePlan) error {
	_, err := fmt.Fprintf(r.out, `%s is there; %s serves as before.
look into it from a task, with the password that RDS made:
  aws rds describe-db-instances --region %s --db-instance-identifier %s
put it in the database's place:
  %s
or delete it:
%s
`, plan.Instance, r.env.DatabaseIdentifier(), r.env.Region, plan.Instance, r.command("--switch"), r.server.DeleteCommand(plan.Instance))
	return err
}

// tellDone says what is where after a switch.
func (r restoring) tellDone(kept history.Deployment) error {
	what := "the database from " + kept.Restore.Snapshot
	again := "to go back: " + r.command("--back")
	if kept.Restore.Revert {
		what, again = "the database before", "to switch once more: "+r.command("--switch")
	}
	lines := []string{fmt.Sprintf("%s is %s; the services run on it", r.env.DatabaseIdentifier(), what)}
	if kept.Restore.Outgoing != "" {
		lines = append(lines, "the other one is kept as "+kept.Restore.OldName+" and costs what it did; "+again,
			"when nobody needs it any more:", r.server.DeleteCommand(kept.Restore.OldName))
	}
	_, err := fmt.Fprintln(r.out, strings.Join(lines, "\n"))
	return err
}
