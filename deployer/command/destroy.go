package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// destroyName is the command that no typing error suggests.
const destroyName = "destroy"

func destroyVerb() verb {
	return verb{
		name: destroyName, usage: "delete an environment's resources",
		changes: true,
		long: `Rejects a protected environment, unless its file removes the protection; production is never destroyed. The configuration
secret, the images and the hosted zone stay, and a final snapshot of the database is kept; databases that a restore
or its switch left beside it are deleted too, each after a final snapshot of its own. --dry-run lists what would be
deleted and what stays. After an interruption, run the same command again to delete the rest.`,
		examples: []string{"deployer destroy --env dev", "deployer destroy --env dev --dry-run", "deployer destroy --env dev --local --yes"},
		formats:  []string{"text", "json"},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Usage: "list what would be deleted and what stays, and change nothing"},
			waitFlag(), strictFlag(),
		},
		engine: true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			o := destroyOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks, format: s.flags.format, dryRun: c.Bool("dry-run"),
			}
			return s.withJSONResult(history.Destroy, "", func() error { return o.run(ctx) })
		},
	}
}

type destroyOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
	format   string
	dryRun   bool
}

func (o destroyOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if err := rejectProtected(t.Env); err != nil {
			return err
		}
		if o.dryRun {
			return o.printPlan(ctx, t)
		}
		if err := requireLifetime(ctx, t); err != nil {
			return err
		}
		// The state is read under the lock: another holder may have changed it.
		return o.locks.withLock(ctx, t, stack.DestroyAction, func(ctx context.Context) error { return o.destroy(ctx, t) })
	})
}

// printPlan prints what would be deleted, and what stays. The lock is not held.
func (o destroyOptions) printPlan(ctx context.Context, t *target.Target) error {
	opened, err := o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
	if err != nil {
		return err
	}
	leftovers, err := database.New(t.AWS, t.Env, t.Clock).Leftovers(ctx)
	if err != nil {
		return err
	}
	snapshots := list.Map(leftovers, finalSnapshotOf)
	if hasDatabase(opened) {
		snapshots = append([]string{finalSnapshotOf(t.Env.DatabaseIdentifier())}, snapshots...)
	}
	plan := ui.DestroyPlan{DryRun: true, Environment: t.Name, Stack: t.Stack, Kind: history.Destroy, Keep: whatStays(t.Env, snapshots)}
	for _, name := range leftovers {
		plan.Delete = append(plan.Delete, ui.DestroyedResource{Type: instanceType, Name: name, ID: name})
	}
	for _, r := range stack.Resources(opened.State()) {
		if !r.Deletable() {
			plan.Keep = append(plan.Keep, engine.ShortType(r.Type)+" "+r.Name+", which only the stack forgets")
			continue
		}
		plan.Delete = append(plan.Delete, ui.DestroyedResource{Type: engine.ShortType(r.Type), Name: r.Name, ID: r.ID})
	}
	if err := ui.Destroy(o.terminal.out, plan, o.format); err != nil || o.format == "json" {
		return err
	}
	o.terminal.printf("%s of %s would be deleted; %s\n", text.Plural(len(plan.Delete), "resource", ""), t.Name, dryRunNote)
	return nil
}

// finalSnapshotOf returns the form of the name of an instance's final snapshot, which contains the time.
func finalSnapshotOf(instance string) string { return instance + "-final-YYYYMMDD-HHMMSS" }

// instanceType is the short type of a database.
const instanceType = "rds/instance"

// hasDatabase reports whether a stack has the environment's database.
func hasDatabase(opened *stack.Stack) bool {
	return slices.ContainsFunc(opened.State().Resources, func(r engine.Resource) bool { return engine.ShortType(r.Type) == instanceType })
}

// whatStays returns what a destroy of an environment does not delete.
func whatStays(env *environment.Environment, finalSnapshots []string) []string {
	stays := list.Map(finalSnapshots, func(name string) string { return "the final snapshot " + name })
	return append(stays, "the secret "+env.SecretName(), "the records of deployments")
}

// destroy asks, deletes the resources, and records the outcome.
func (o destroyOptions) destroy(ctx context.Context, t *target.Target) error {
	opened, err := o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
	if err != nil {
		return err
	}
	instance := database.New(t.AWS, t.Env, t.Clock)
	leftovers, err := instance.Leftovers(ctx)
	if err != nil {
		return err
	}
	count := len(stack.Deletable(opened.State())) + len(leftovers)
	reason := fmt.Sprintf("%s of it will be deleted and cannot be restored", text.Plural(count, "resource", ""))
	if hasDatabase(opened) {
		reason += ", with the database " + t.Env.DatabaseIdentifier() + ", of which a final snapshot stays"
	}
	if len(leftovers) > 0 {
		reason += ", with what restores left beside it, of each of which a final snapshot stays: " + strings.Join(leftovers, ", ")
	}
	if err := o.terminal.confirm(ctx, "destroy", t.Name, reason); err != nil {
		return err
	}
	now := t.Clock.Now().UTC()
	record := history.Deployment{
		ID: newID(now), Environment: t.Name, Stack: t.Stack, Kind: history.Destroy, By: whoami(), Started: now, Outcome: history.Running,
		Phases: []history.Phase{{Name: stack.DestroyAction, Outcome: history.Running}},
	}
	o.terminal.warn(t.Records.Save(ctx, record))
	progress := o.terminal.progress()
	var snapshots []string
	marker, unread := asleep.Read(ctx, t.AWS, t.Env)
	step := stack.DestroyAction
	if err = ctx.Err(); err == nil {
		o.terminal.warn(unread) // an environment that is not known to be asleep is deleted as one that is awake
	}
	if err == nil && marker != nil && hasDatabase(opened) {
		step = "database"
		// RDS takes a snapshot of a database only while that is available.
		err = progress.Step(ctx, "database", func(report func(string)) (string, error) {
			return t.Env.DatabaseIdentifier() + " was asleep, and is available", instance.Start(ctx, progressFunc(report))
		})
	}
	if err == nil && len(leftovers) > 0 {
		err = progress.Step(ctx, "databases", func(report func(string)) (string, error) {
			snapshots, err = instance.DeleteLeftovers(ctx, leftovers, progressFunc(report))
			return text.Plural(len(leftovers), "database", "") + " deleted that restores left", err
		})
	}
	var done stack.Destruction
	if err == nil {
		done, err = opened.Destroy(ctx, progress)
		done.Deleted += len(leftovers)
	}
	progress.Close()
	o.terminal.warnings.Add(int64(len(done.Warnings)))
	if err == nil && marker != nil {
		o.terminal.warn(sleep.New(t.AWS, t.Env, t.Clock, whoami()).Forget(ctx))
	}
	if marker != nil && err != nil && ctx.Err() != nil && step == "database" && done.Deleted == 0 && done.Left == 0 {
		err = describeStoppedStart(ctx, t.Env, err)
		record.Phases[0].Name = step
	}
	err = markRun(describeDestroy(ctx, t.Env, done, err))
	o.complete(ctx, t, &record, done, err)
	if o.format == "json" {
		o.terminal.warn(ui.JSON(o.terminal.out, o.terminal.flags.addToRecord(record)))
		return err
	}
	if err == nil {
		if record.Snapshot != "" {
			snapshots = append([]string{record.Snapshot}, snapshots...)
		}
		o.printDestroyed(t.Env, record, done, snapshots)
	}
	return err
}

// complete adds the outcome to the record and saves it. The final snapshot is recorded only where RDS has it.
func (o destroyOptions) complete(ctx context.Context, t *target.Target, record *history.Deployment, done stack.Destruction, err error) {
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	record.Ended, record.Deleted, record.Outcome, record.Warnings = t.Clock.Now().UTC(), done.Deleted, history.Succeeded, done.Warnings
	if err != nil {
		record.Outcome, record.Error, record.Hint = history.Failed, err.Error(), hint.Of(err)
		if ctx.Err() != nil {
			record.Outcome = history.Interrupted
		}
	}
	record.Phases[0].Outcome, record.Phases[0].Seconds = record.Outcome, record.Ended.Sub(record.Started).Seconds()
	if done.FinalSnapshot != "" {
		status, unknown := database.New(t.AWS, t.Env, t.Clock).SnapshotStatus(saving, done.FinalSnapshot)
		o.terminal.warn(unknown)
		if unknown == nil && status != database.Gone {
			record.Snapshot = done.FinalSnapshot
		}
	}
	o.terminal.warn(t.Records.Save(saving, *record))
}

// printDestroyed prints that the environment is gone, and what stays.
func (o destroyOptions) printDestroyed(env *environment.Environment, record history.Deployment, done stack.Destruction, snapshots []string) {
	stays := text.Join(whatStays(env, snapshots), "and") + " stay"
	if done.Deleted == 0 {
		o.terminal.printf("nothing of %s was left to delete; %s\n", env.Name, stays)
		return
	}
	o.terminal.printf("%s was destroyed: %s deleted, after %s; %s\n", env.Name, text.Plural(done.Deleted, "resource", ""), o.terminal.took(record), stays)
}

// describeDestroy returns the error of a destroy that did not reach its end, with what was deleted, what is still there, and the commands
// that continue.
func describeDestroy(ctx context.Context, env *environment.Environment, done stack.Destruction, err error) error {
	var stopped *engine.InterruptedError
	counts := text.Plural(done.Deleted, "resource was", "resources were") + " deleted"
	if done.Left > 0 {
		counts += ", " + text.Plural(done.Left, "resource is", "resources are") + " still there"
	}
	resume := fmt.Sprintf("`deployer destroy --env %[1]s` deletes the rest; `deployer up --env %[1]s --image-tag TAG` creates again what was deleted", env.Stack)
	var lost *lock.LostError
	switch {
	case err == nil:
		return nil
	case errors.As(context.Cause(ctx), &lost): // another deployment may act now: counts and commands of this one do not hold
		message := "stopped during destroy: " + lost.Error()
		if errors.As(err, &stopped) && stopped.Remaining() != "" {
			message += "; " + stopped.Remaining()
		}
		return hint.With(&restated{message, err}, lost.Hint())
	case errors.As(err, &stopped):
		message := fmt.Sprintf("stopped during destroy: %s", context.Cause(ctx))
		if stopped.RunningPID == 0 {
			message += "; " + counts
		}
		if remaining := stopped.Remaining(); remaining != "" {
			message += "; " + remaining
		}
		if !stopped.Clean() {
			resume = stopped.Hint()
		}
		return hint.With(&restated{message, err}, resume)
	case done.Deleted > 0:
		return fmt.Errorf("%w\nof %s, %s", err, env.Name, counts)
	}
	return err
}

// describeStoppedStart returns the error of a destroy that was interrupted while the database of an asleep environment started, or soon after:
// nothing was deleted.
func describeStoppedStart(ctx context.Context, env *environment.Environment, err error) error {
	var stopped *engine.InterruptedError
	var lost *lock.LostError
	if errors.As(err, &stopped) || errors.As(context.Cause(ctx), &lost) {
		return err
	}
	return hint.With(&restated{fmt.Sprintf("stopped during destroy: %s; 0 resources were deleted", context.Cause(ctx)), err},
		fmt.Sprintf("`deployer destroy --env %[1]s` continues; `deployer sleep --env %[1]s` stops the database again", env.Stack))
}

// A restated error has another text.
type restated struct {
	text string
	err  error
}

func (r *restated) Error() string { return r.text }

// Unwrap returns the error as it was.
func (r *restated) Unwrap() error { return r.err }

// rejectProtected rejects a protected environment, with a hint how to remove the protection. Nothing removes
// production's: a file without it is not valid.
func rejectProtected(env *environment.Environment) error {
	if !env.Protected {
		return nil
	}
	remedy := "set `protected: false` in " + environment.FileName(env.Stack) + ", deploy that, then destroy"
	if env.Stack == environment.StackOf("production") {
		remedy = fmt.Sprintf("this program never destroys production, whatever its file contains; to do it manually: in the account, disable the deletion "+
			"protection of the database %s and the load balancer %s and empty the bucket %s, then `pulumi destroy --stack %s`",
			env.DatabaseIdentifier(), env.LoadBalancerName(), env.LogBucketName(), env.Stack)
	}
	return hint.With(fmt.Errorf("%s is protected and is not destroyed", env.Name), remedy)
}
