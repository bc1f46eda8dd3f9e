package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func snapshotVerb() verb {
	return verb{
		name: "snapshot", usage: "create, list and restore database snapshots",
		verbs: []verb{snapshotCreateVerb(), snapshotListVerb(), snapshotRestoreVerb()},
	}
}

func snapshotCreateVerb() verb {
	return verb{
		name: "create", usage: "create a snapshot of the database",
		changes: true,
		long: `The snapshot is kept until a person deletes it: later deployments delete only snapshots that a deployment created, when
there are more than deployment.snapshotsKept of them.`,
		examples: []string{"deployer snapshot create --env production", "deployer snapshot create --env staging --no-wait"},
		formats:  []string{"text", "json"},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "no-wait", Usage: "return when RDS has started, before the snapshot is available"}, waitFlag(), strictFlag(),
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return snapshotCreateOptions{
				targets: s.targets, terminal: s.terminal, locks: s.locks, format: s.flags.format, noWait: c.Bool("no-wait"),
			}.run(ctx)
		},
	}
}

// snapshotCreateOptions are those of a snapshot that belongs to no deployment.
type snapshotCreateOptions struct {
	targets  *targets
	terminal *terminal
	locks    *locker
	format   string
	noWait   bool
}

func (o snapshotCreateOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if err := requireLifetime(ctx, t); err != nil {
			return err
		}
		if err := rejectAsleep(ctx, t); err != nil {
			return err
		}
		server, name := database.New(t.AWS, t.Env, t.Clock), ""
		err := o.locks.withLock(ctx, t, "snapshot create", func(ctx context.Context) (err error) {
			name, err = o.create(ctx, server)
			return err
		})
		if err != nil {
			return err
		}
		return markAttempted(o.printStatus(ctx, server, name))
	})
}

func (o snapshotCreateOptions) create(ctx context.Context, server database.Instance) (name string, err error) {
	progress := o.terminal.progress()
	defer progress.Close()
	err = progress.Step(ctx, "snapshot", func(report func(string)) (string, error) {
		if name, err = server.CreateSnapshot(ctx, "", whoami(), progressFunc(report)); err != nil || o.noWait {
			return name + " has begun", err
		}
		return name, markAttempted(server.WaitForSnapshot(ctx, name, progressFunc(report)))
	})
	if errors.Is(err, database.ErrNoDatabase) {
		return "", hint.With(fmt.Errorf("%w %s", err, server.Env.DatabaseIdentifier()), "`deployer up --env "+server.Env.Stack+" --image-tag TAG` creates it")
	}
	return name, err
}

// printStatus prints the snapshot's status. The snapshot exists even where that fails.
func (o snapshotCreateOptions) printStatus(ctx context.Context, server database.Instance, name string) error {
	all, err := server.ListSnapshots(ctx)
	if err != nil {
		return fmt.Errorf("the snapshot %s was requested, but its status is unknown: %w", name, err)
	}
	for _, snapshot := range all {
		if snapshot.Name != name {
			continue
		}
		if o.format == "json" {
			return ui.JSON(o.terminal.out, snapshot)
		}
		o.terminal.printf("%s is %s\n", name, snapshot.Status)
	}
	return nil
}

// progressFunc adapts a line of progress to the database's reports.
func progressFunc(report func(string)) database.Progress {
	return func(format string, args ...any) { report(fmt.Sprintf(format, args...)) }
}

func snapshotListVerb() verb {
	return verb{
		name: "list", usage: "list the database's snapshots, newest first",
		long:     "Lists those that people and deployments created, with who did, the final ones of destroy, and RDS's automated ones.",
		examples: []string{"deployer snapshot list --env production", "deployer snapshot list --env production --format json"},
		formats:  []string{"text", "json"},
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return s.targets.with(ctx, s.targets.selected, func(t *target.Target) error {
				all, err := database.New(t.AWS, t.Env, t.Clock).ListSnapshots(ctx)
				if err != nil {
					return err
				}
				return ui.Snapshots(s.terminal.out, all, t.Clock.Now(), s.flags.format, s.terminal.style())
			})
		},
	}
}
