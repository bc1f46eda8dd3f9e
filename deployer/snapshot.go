package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func snapshotVerb() verb {
	return verb{
		name: "snapshot", usage: "database snapshots: take, list, restore",
		verbs: []verb{snapshotCreateVerb(), snapshotListVerb(), snapshotRestoreVerb()},
	}
}

func snapshotCreateVerb() verb {
	return verb{
		name: "create", usage: "take a snapshot of the database",
		about: `It stays until somebody deletes it: only snapshots that a deployment took are deleted by later ones, when
there are more than deployment.snapshotsKept of them.`,
		examples: []string{"deployer snapshot create --env production", "deployer snapshot create --env staging --no-wait"},
		formats:  []string{"text", "json"},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-wait", Usage: "leave when RDS has begun, before the snapshot can be used"}, waitFlag(), strictFlag(),
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return snapshotCreate{settings: s, noWait: c.Bool("no-wait")}.run(ctx)
		},
	}
}

// snapshotCreate takes a snapshot that no deployment asked for.
type snapshotCreate struct {
	settings
	noWait bool
}

func (s snapshotCreate) run(ctx context.Context) error {
	if err := s.checkRegion(); err != nil {
		return err
	}
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		server, name := database.New(p.aws, env, p.clock), ""
		err := s.exclusively(ctx, p, env, "snapshot create", func(ctx context.Context, _ *lock.Held) (err error) {
			name, err = s.take(ctx, server)
			return err
		})
		if err != nil {
			return err
		}
		return failed(s.tellTaken(ctx, server, name))
	})
}

// tellTaken says how the snapshot is. It is there, whatever comes of asking.
func (s snapshotCreate) tellTaken(ctx context.Context, server database.Instance, name string) error {
	all, err := server.ListSnapshots(ctx)
	if err != nil {
		return fmt.Errorf("the snapshot %s was asked for, but how it is is not known: %w", name, err)
	}
	for _, snapshot := range all {
		if snapshot.Name != name {
			continue
		}
		if s.format == "json" {
			return ui.JSON(s.out, snapshot)
		}
		_, err = fmt.Fprintf(s.out, "%s is %s\n", name, snapshot.Status)
	}
	return err
}

func (s snapshotCreate) take(ctx context.Context, server database.Instance) (name string, err error) {
	progress := ui.NewProgress(s.err, s.progressOptions())
	defer progress.Close()
	err = progress.Step("snapshot", func(say func(string)) (string, error) {
		tell := said(say)
		if name, err = server.CreateSnapshot(ctx, "", tell); err != nil || s.noWait {
			return name + " has begun", err
		}
		return name, failed(server.WaitForSnapshot(ctx, name, tell))
	})
	if errors.Is(err, database.ErrNoDatabase) {
		return "", hint.With(fmt.Errorf("%w %s", err, server.Env.DatabaseIdentifier()), "`deployer up --env "+server.Env.Stack+"` makes it")
	}
	return name, err
}

// said is how the database's room speaks to a line of progress.
func said(say func(string)) database.Progress {
	return func(format string, args ...any) { say(fmt.Sprintf(format, args...)) }
}

// failed marks what went wrong after something was changed.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

func snapshotListVerb() verb {
	return verb{
		name: "list", usage: "the database's snapshots, the newest first",
		about:    "Those that people and deployments took, and those that RDS takes by itself.",
		examples: []string{"deployer snapshot list --env production", "deployer snapshot list --env production --format json"},
		formats:  []string{"text", "json"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return s.visit(ctx, func(env *environment.Environment, p *place) error {
				all, err := database.New(p.aws, env, p.clock).ListSnapshots(ctx)
				if err != nil {
					return err
				}
				return ui.Snapshots(s.out, all, p.clock.Now(), s.format, s.style())
			})
		},
	}
}
