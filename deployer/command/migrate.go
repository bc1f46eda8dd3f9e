package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/shlex"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

func migrateVerb() verb {
	return verb{
		name: "migrate", usage: "run the database migration as a one-off task, and report its outcome",
		changes: true,
		long: `Runs the migration's task in the environment's private network, with the image that runs, or another one that was
provisioned before; prints its log and evaluates its exit code. While a migration runs, no second one is started, even if
another user or a deployment started the first. When interrupted, the command ends and the migration continues; --stop stops it.`,
		examples: []string{
			"deployer migrate --env staging",
			"deployer migrate --env staging --command 'npx prisma migrate status'",
			"deployer migrate --env staging --image-tag 1.41.8-abc123def --wait",
			"deployer migrate --env production --dry-run",
			"deployer migrate --env staging --stop",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "command", Usage: "the `COMMAND`, split into words as by a shell, instead of the environment's own; no shell runs it"},
			imageTagFlag("the image that runs"),
			&cli.BoolFlag{Name: "dry-run", Usage: "check whether the migration can run, and run nothing"},
			&cli.BoolFlag{Name: "stop", Usage: "stop the migration that is running, wait for its end, and report what it had done; needs no lock"},
			stopMigrationFlag(),
			waitFlag(),
			strictFlag(),
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return s.withJSONResult(history.Migrate, c.String("image-tag"), func() error {
				if c.Bool("stop") {
					return stopMigrations(ctx, s, c)
				}
				command, err := commandWords(c.String("command"), c.IsSet("command"))
				if err != nil {
					return err
				}
				return migrateOptions{
					targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks, releaser: s.releaser(),
					command: command, tag: c.String("image-tag"), dryRun: c.Bool("dry-run"), stop: c.Bool("stop-migration"),
				}.run(ctx)
			})
		},
	}
}

// commandWords splits a command as a shell does.
func commandWords(text string, given bool) ([]string, error) {
	words, err := shlex.Split(text)
	if err != nil {
		return nil, hint.With(fmt.Errorf("--command %q: %w", text, err), "quote it as in a shell: --command 'npx prisma migrate status'")
	}
	if given && len(words) == 0 {
		return nil, hint.With(errors.New("--command is empty"), "leave it out for the environment's own command")
	}
	return words, nil
}

// migrateOptions are those of a migration without a deployment around it.
type migrateOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
	releaser releaser

	command []string
	// tag is "" for the image that runs.
	tag          string
	dryRun, stop bool
}

func (o migrateOptions) run(ctx context.Context) error {
	if o.tag != "" {
		env, err := o.targets.environment(o.targets.selected)
		if err != nil {
			return err
		}
		if o.tag, err = checkTag(env, o.tag); err != nil {
			return err
		}
	}
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if o.dryRun {
			return o.release(ctx, t)
		}
		return o.locks.withLock(ctx, t, "migrate", func(ctx context.Context) error {
			if t.Env.Protected {
				if err := o.terminal.confirm(ctx, "migrate the database of", t.Name, t.Name+" is protected"); err != nil {
					return err
				}
			}
			return o.release(ctx, t)
		})
	})
}

func (o migrateOptions) release(ctx context.Context, t *target.Target) error {
	open := func(ctx context.Context) (release.Infrastructure, error) {
		return o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
	}
	result, err := o.releaser.run(ctx, t, t.Env, open, release.Request{
		Tag: o.tag, Kind: history.Migrate, Command: o.command, StopMigration: o.stop, DryRun: o.dryRun,
	})
	if err == nil && o.releaser.format != "json" {
		o.printSummary(t.Env, result)
	}
	return err
}

// printSummary prints the outcome, or what would have run.
func (o migrateOptions) printSummary(env *environment.Environment, result history.Deployment) {
	words := o.command
	if len(words) == 0 {
		words = env.Deployment.Migrations.Command
	}
	command := strings.Join(words, " ")
	if o.dryRun {
		o.terminal.printf("`%s` can be run in %s with %s; %s\n", sanitize.Text(command), env.Name, result.Image.Tag, dryRunNote)
		return
	}
	o.terminal.printf("`%s` of %s succeeded in %s with exit code 0, after %s\n", sanitize.Text(command), result.Image.Tag, env.Name, o.terminal.took(result))
}
