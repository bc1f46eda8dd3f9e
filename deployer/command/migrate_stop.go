package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
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
		stopped, err := runStop(ctx, s.terminal, t)
		if s.flags.format == "json" {
			return errors.Join(ui.JSON(s.terminal.out, newStopResult(stopped, err, s.terminal.flags)), markAttempted(err))
		}
		if len(stopped) == 0 && err == nil {
			s.terminal.printf("no migration is running in %s\n", t.Name)
		}
		for _, one := range stopped {
			s.terminal.printf("%s\n", stoppedText(one))
		}
		return markAttempted(err)
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

// A stopResult is what --stop did, as JSON.
type stopResult struct {
	Stopped []stoppedMigration `json:"stopped"`
	// Error and Hint are why another migration was not stopped.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// A stoppedMigration is a migration that was stopped. Begun are the changes of the schema that its log names; the last one may be incomplete.
type stoppedMigration struct {
	Task      string   `json:"task"`
	StartedBy string   `json:"startedBy"`
	Begun     []string `json:"begun"`
	ExitCode  int32    `json:"exitCode"`
}

// newStopResult returns the result of --stop.
func newStopResult(stopped []release.StoppedMigration, err error, flags *flagsInForce) stopResult {
	result := stopResult{Stopped: []stoppedMigration{}}
	for _, one := range stopped {
		result.Stopped = append(result.Stopped, stoppedMigration{
			Task: one.Task, StartedBy: one.StartedBy, Begun: append([]string{}, one.Begun...), ExitCode: one.ExitCode,
		})
	}
	sanitize.Value(&result) // the log is what others wrote
	if err != nil {
		result.Error, result.Hint = flags.addTo(err.Error()), flags.addTo(hint.Of(err))
	}
	return result
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
