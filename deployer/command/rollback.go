package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func rollbackVerb() verb {
	return verb{
		name: "rollback", usage: "redeploy an image that was deployed successfully",
		changes: true,
		long: `Without --to, redeploys the last image that was verified healthy before the one that runs. Only code is rolled back: task
definitions and services get that image and what was deployed with it: command, CPU and memory, variables, health check.
Everything else stays as it is deployed, even if the environment's file has changed since. No migration runs and the database
does not change; the snapshot that fits is named. A second rollback goes further back. A tag that was moved since it
was deployed here is rejected.`,
		examples: []string{
			"deployer rollback --env staging",
			"deployer rollback --env staging --dry-run",
			"deployer rollback --env production --to 1.41.7-9f8e7d6c5 --yes",
			"deployer rollback --env staging --to api:41",
			"deployer rollback --env staging --to 20261123-161530-1f3a",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "the `IMAGE`: a tag, a digest or at least 7 digits of it, TAG@DIGEST, a task definition's revision such as api:41, or a deployment's ID"},
			&cli.BoolFlag{Name: "dry-run", Usage: "show the image and what would change, and change nothing"},
			deploymentNotifyFlag(),
			waitFlag(),
			strictFlag(),
		},
		engine: true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			o := rollbackOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks, releaser: s.releaser(),
				to: c.String("to"), dryRun: c.Bool("dry-run"),
			}
			return s.withNotifier(ctx, c.String("notify"), func(n *deploymentNotifier) error {
				o.releaser.notifier = n
				return s.withJSONResult(history.Rollback, o.to, func() error { return o.run(ctx) })
			})
		},
	}
}

type rollbackOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
	releaser releaser

	// to is "" for the last image that was verified healthy.
	to     string
	dryRun bool
}

func (o rollbackOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if o.dryRun {
			return o.rollBack(ctx, t)
		}
		return o.locks.withLock(ctx, t, "rollback", func(ctx context.Context) error { return o.rollBack(ctx, t) })
	})
}

// rollBack resolves the image and deploys it. The question is asked under the lock, so that what is confirmed is what is done; in
// a dry run the lock is not held.
func (o rollbackOptions) rollBack(ctx context.Context, t *target.Target) error {
	opened, err := o.stacks.OpenCode(ctx, t)
	if err != nil {
		return err
	}
	env := opened.Deployed(nil)
	to, err := releaseDeps(t, env).ResolveRollback(ctx, opened.Recorded(), o.to)
	if err != nil {
		return err
	}
	for _, damaged := range to.UnreadableRecords {
		o.terminal.warn(errors.New(damaged.Error))
	}
	o.terminal.warn(to.SnapshotErr)
	opened.SetCode(to.Code)
	if o.dryRun {
		plan, err := o.terminal.planOf(ctx, opened, t.Name, to.Reference, opened.PreviewDeployment, nil)
		if err != nil {
			return release.NotStarted("plan", err)
		}
		state, err := sleep.New(t.AWS, t.Env, t.Clock, whoami()).ReadMarks(ctx)
		if o.terminal.warn(err); state.Marked() {
			o.terminal.log(release.WakesFirst(t.Env, state))
		}
		return o.printPreview(env, opened, to, plan)
	}
	if t.Env.Protected { // by its file, whatever is deployed
		action := fmt.Sprintf("roll back from %s to %s (%s)%s in", awsx.ShortDigest(awsx.DigestOf(opened.Recorded())), to.Tag, to.Digest, verifiedSuffix(to))
		reason := env.Name + " is protected"
		if o.terminal.asks() {
			plan, err := o.terminal.planOf(ctx, opened, t.Name, to.Reference, opened.PreviewDeployment, nil)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			reason += "; " + o.terminal.describePlan(plan, err) + "; the database does not change" + databaseNote(env.Stack, to.Database)
		}
		if err := o.terminal.confirm(ctx, action, env.Name, reason); err != nil {
			return err
		}
	}
	t.Held.Image(to.Tag)
	return o.deploy(ctx, t, opened, to)
}

// rollbackPreview is what a rollback would deploy, with the keys of the result of one.
type rollbackPreview struct {
	DryRun      bool          `json:"dry_run"`
	Environment string        `json:"environment"`
	Stack       string        `json:"stack"`
	Kind        history.Kind  `json:"kind"`
	Image       history.Image `json:"image"`
	// Deployment is the newest that verified the image healthy, VerifiedAt when it ended; both are missing where none did.
	Deployment     string                 `json:"deployment,omitempty"`
	VerifiedAt     time.Time              `json:"verifiedAt,omitzero"`
	RolledBackFrom *history.Image         `json:"rolledBackFrom"`
	Database       *history.PriorDatabase `json:"database,omitempty"`
	Plan           *ui.PlanJSON           `json:"plan"`
}

// printPreview prints what a rollback would deploy.
func (o rollbackOptions) printPreview(env *environment.Environment, opened *stack.Stack, to *release.RollbackTarget, plan ui.Preview) error {
	if o.releaser.format == "json" {
		would := rollbackPreview{
			DryRun: true, Environment: env.Name, Stack: env.Stack, Kind: history.Rollback, Image: to.Image.Image,
			RolledBackFrom: currentImage(opened), Database: to.Database, Plan: plan.JSON(),
		}
		if to.Verified != nil {
			would.Deployment, would.VerifiedAt = to.Verified.ID, to.Verified.Ended
		}
		return ui.JSON(o.terminal.out, would)
	}
	o.printDatabaseNote(env, to)
	if err := ui.Plan(o.terminal.out, plan.Plan, o.terminal.style()); err != nil {
		return err
	}
	o.terminal.printf("%s can be rolled back to %s (%s)%s; %s\n", env.Name, to.Tag, to.Digest, verifiedSuffix(to), dryRunNote)
	return nil
}

// currentImage returns the image that a rollback replaces: the one in the stack's output.
func currentImage(opened *stack.Stack) *history.Image {
	return &history.Image{Digest: awsx.DigestOf(opened.Recorded()), Reference: opened.Recorded()}
}

// deploy deploys the code of an earlier deployment.
func (o rollbackOptions) deploy(ctx context.Context, t *target.Target, opened *stack.Stack, to *release.RollbackTarget) error {
	const why = "a rollback changes only code"
	env := opened.Deployed(opened.SetCode(to.Code))
	if to.Verified == nil {
		o.terminal.warn(fmt.Errorf("%s was never verified healthy in %s", to.Tag, env.Name))
	}
	open := func(context.Context) (release.Infrastructure, error) { return opened, nil }
	result, err := o.releaser.run(ctx, t, env, open, release.Request{
		Tag: to.Digest, Kind: history.Rollback, RollbackFrom: currentImage(opened), Database: to.Database,
		SkipPhases:     map[string]string{release.Backup: why, release.Provision: why, release.Migrate: why},
		WarnOnlyChecks: release.ChecksIgnoredByRollback(),
	})
	if err != nil || o.releaser.format == "json" {
		return err
	}
	o.printDatabaseNote(env, to)
	again := ""
	if to.Verified != nil {
		again = " again"
	}
	baked := bakedText(env, result)
	o.terminal.printf("%s runs in %s%s at %s%s, after %s%s\n", to.Tag, env.Name, again, env.URL(), baked, o.terminal.took(result), warningCount(result))
	return nil
}

// verifiedSuffix returns when the image was verified healthy.
func verifiedSuffix(to *release.RollbackTarget) string {
	if to.Verified == nil {
		return ", which was never verified healthy here"
	}
	return ", which was deployed successfully on " + text.Minute(to.Verified.Ended)
}

// printDatabaseNote prints that the database is not rolled back, and which snapshot would be restored.
func (o rollbackOptions) printDatabaseNote(env *environment.Environment, to *release.RollbackTarget) {
	_, _ = fmt.Fprintf(o.terminal.err, "the database %s does not change%s\n", env.DatabaseIdentifier(), databaseNote(env.Stack, to.Database))
}

// databaseNote returns what is known about the database at the time of an earlier deployment; "" where it is as it is now.
func databaseNote(stack string, then *history.PriorDatabase) string {
	switch {
	case then == nil, then.Snapshot == "" && !then.MigratedSince:
		return ""
	case then.Snapshot == "":
		return ", with the migrations since then; no deployment took a snapshot before them"
	}
	state := "its state before the migrations since then"
	if !then.MigratedSince {
		state = "its state at that time"
	}
	switch then.SnapshotStatus {
	case database.Available:
		return "; " + state + " is in the snapshot " + then.Snapshot
	case database.Gone:
		return "; " + state + " was in the snapshot " + then.Snapshot + ", which was deleted: `deployer snapshot list --env " + stack +
			"` shows what is left"
	case release.SnapshotUnknown:
		return "; " + state + " is in the snapshot " + then.Snapshot + ", if that still exists: it could not be checked"
	}
	return "; " + state + " is in the snapshot " + then.Snapshot + ", which is " + then.SnapshotStatus
}
