package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/shlex"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func migrateVerb() verb {
	return verb{
		name: "migrate", usage: "run the database migration as a one-off task, and judge how it ends",
		about: `Runs the migration's task in the environment's private network, with the image that runs, or another one that was
provisioned before; passes its log on, and judges its exit code. A migration that is running already, whoever started it, is
never joined by a second one. Interrupted, the watch ends and the migration goes on.`,
		examples: []string{
			"deployer migrate --env staging",
			"deployer migrate --env staging --command 'npx prisma migrate status'",
			"deployer migrate --env staging --image-tag 1.41.8-abc123def --wait",
			"deployer migrate --env production --dry-run",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "command", Usage: "the `COMMAND` in the words of a shell, instead of the environment's own; no shell runs it"},
			&cli.StringFlag{Name: "image-tag", Aliases: []string{"t"}, Usage: "the image's `TAG` or sha256 digest", DefaultText: "the image that runs"},
			&cli.BoolFlag{Name: "dry-run", Usage: "look whether it could run, and run nothing"},
			stopMigrationFlag(),
			waitFlag(),
			strictFlag(),
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return s.wholly(history.Migrate, c.String("image-tag"), func(s settings) error {
				command, err := commandWords(c.String("command"), c.IsSet("command"))
				if err != nil {
					return err
				}
				return migration{
					settings: s, command: command, tag: c.String("image-tag"), dryRun: c.Bool("dry-run"), stop: c.Bool("stop-migration"),
				}.run(ctx)
			})
		},
	}
}

// stopMigrationFlag is on the commands that run a migration.
func stopMigrationFlag() cli.Flag {
	return &cli.BoolFlag{Name: "stop-migration", Usage: "when interrupted, stop the migration too instead of letting it go on"}
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

// migration is the migration without a deployment around it.
type migration struct {
	settings
	command []string
	tag     string

	dryRun, stop bool
}

func (m migration) run(ctx context.Context) error {
	if m.tag != "" {
		if err := checkTag(m.tag); err != nil {
			return err
		}
	}
	if err := m.checkRegion(); err != nil {
		return err
	}
	return m.visit(ctx, func(env *environment.Environment, p *place) error {
		if m.dryRun {
			return m.release(ctx, p, env, nil)
		}
		if env.Protected {
			if err := m.confirm(ctx, "migrate the database of", env.Name, env.Name+" is protected"); err != nil {
				return err
			}
		}
		return m.exclusively(ctx, p, env, "migrate", func(ctx context.Context, held *lock.Held) error {
			return m.release(ctx, p, env, held)
		})
	})
}

func (m migration) release(ctx context.Context, p *place, env *environment.Environment, held *lock.Held) error {
	progress := ui.NewProgress(m.err, m.progressOptions())
	result, err := release.Deploy(ctx, release.Deps{
		Env: env, AWS: p.aws, Network: p.network, Clock: p.clock, Records: p.records, Report: phases(held, progress.Report),
		OpenStack: func(ctx context.Context) (release.Infrastructure, error) {
			opened, err := m.openEnvironment(ctx, p, env, true)
			if err != nil {
				return nil, err
			}
			opened.held = held
			return opened, nil
		},
	}, release.Request{
		ID: newID(p.clock.Now()), By: whoami(), Tag: m.tag, Kind: history.Migrate, Command: m.command, Wait: m.wait,
		StopMigration: m.stop, PreviousCrashed: held.TakenOver(), DryRun: m.dryRun,
	})
	progress.Close()
	m.count(len(result.Warnings))
	m.warn(writeJobSummary(os.Getenv("GITHUB_STEP_SUMMARY"), result))
	switch {
	case m.format == "json":
		m.warn(ui.JSON(m.out, result))
	case err == nil:
		m.tellDone(env, result)
	}
	return err
}

// tellDone says what came of it, or what would have run.
func (m migration) tellDone(env *environment.Environment, result history.Deployment) {
	command := m.command
	if len(command) == 0 {
		command = env.Deployment.Migrations.Command
	}
	if m.dryRun {
		_, _ = fmt.Fprintf(m.out, "`%s` can be run in %s with %s\n", strings.Join(command, " "), env.Name, result.Image.Tag)
		return
	}
	_, _ = fmt.Fprintf(m.out, "`%s` of %s ended well in %s, exit code 0, after %s\n",
		strings.Join(command, " "), result.Image.Tag, env.Name, result.Ended.Sub(result.Started).Round(100*time.Millisecond))
}
