package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

// stopMigrations stops the migrations that are running. It takes no lock: the deployment that waits for one of them may hold it.
func stopMigrations(ctx context.Context, s *services, c *cli.Context) error {
	for _, flag := range []string{"command", "image-tag", "dry-run", "stop-migration", "wait"} {
		if c.IsSet(flag) {
			return hint.With(fmt.Errorf("--stop stops the migration that is running, and takes no --%s", flag), "leave one of them out")
		}
	}
	return s.targets.withOwn(ctx, s.targets.selected, func(t *target.Target) error {
		if t.Env.Protected {
			if err := s.terminal.confirm(ctx, "stop the migration of", t.Name, t.Name+" is protected"); err != nil {
				return err
			}
		}
		started := t.Clock.Now()
		stopped, err := runStop(ctx, s.terminal, t)
		if err != nil {
			return markAttempted(err)
		}
		if s.flags.format == "json" {
			return ui.JSON(s.terminal.out, stopRecord(t, started, stopped))
		}
		if len(stopped) == 0 {
			s.terminal.printf("no migration is running in %s\n", t.Name)
		}
		for _, one := range stopped {
			s.terminal.printf("%s\n", stoppedText(one))
		}
		return nil
	})
}

// runStop stops the migrations, and shows their log and its progress.
func runStop(ctx context.Context, out *terminal, t *target.Target) (stopped []release.StoppedMigration, err error) {
	progress := out.progress()
	defer progress.Close()
	deps := releaseDeps(t, t.Env)
	deps.Report = progress.Report
	err = progress.Step(ctx, release.StopAction, func(func(string)) (summary string, err error) {
		stopped, err = release.StopMigrations(ctx, deps, whoami())
		return fmt.Sprintf("%d stopped", len(stopped)), err
	})
	return stopped, err
}

// stopRecord returns the result as a record, which is not stored: interrupted where a migration was stopped, skipped where none was running.
func stopRecord(t *target.Target, started time.Time, stopped []release.StoppedMigration) history.Deployment {
	record := history.Deployment{
		ID: newID(started), Environment: t.Name, Stack: t.Stack, Kind: history.Migrate, By: whoami(), Started: started.UTC(), Ended: t.Clock.Now().UTC(),
		Outcome: history.Skipped, Phases: []history.Phase{},
	}
	if len(stopped) > 0 {
		record.Outcome, record.Migration = history.Interrupted, &stopped[0].Migration
	}
	return record
}

// stoppedText returns what a migration had done when it was stopped, according to its log.
func stoppedText(m release.StoppedMigration) string {
	text := fmt.Sprintf("the migration %s, started %s, was stopped", m.Task, m.StartedBy)
	if len(m.Begun) == 0 {
		return text + "; by its log it had begun no change of the schema"
	}
	return fmt.Sprintf("%s; by its log it had begun %s: the last of these may be incomplete; "+
		"`deployer migrate --command 'npx prisma migrate status'` shows what the database has", text, strings.Join(m.Begun, ", "))
}
