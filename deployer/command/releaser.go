package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

// A releaser runs deployments, of up, migrate and rollback, and shows their progress and result.
type releaser struct {
	terminal *terminal
	stacks   *stack.Opener
	format   string
	// wait waits for a migration that runs already.
	wait bool
	// plan returns what the deployment would change with an image, for a dry run; nil where that is nothing.
	plan func(ctx context.Context, image string) (ui.Preview, error)
	// notifier is nil without --notify.
	notifier *deploymentNotifier
}

// A result is the record of a deployment as JSON, with the plan of a dry run.
type result struct {
	history.Deployment
	Plan *ui.PlanJSON `json:"plan,omitempty"`
}

func (s *services) releaser() releaser {
	return releaser{terminal: s.terminal, stacks: s.stacks, format: s.flags.format, wait: s.locks.wait}
}

// run deploys. Env describes the environment as the deployment leaves it; open opens its stack once preflight has passed, so that a
// deployment that cannot start leaves no stack. The request's ID, By, PreviousCrashed and Wait are set here.
func (r releaser) run(ctx context.Context, t *target.Target, env *environment.Environment,
	open func(context.Context) (release.Infrastructure, error), request release.Request) (history.Deployment, error) {
	if t.Simulated != nil {
		// Phases are timed by the machine's clock, and what AWS would take by the account's.
		r.terminal.log(fmt.Sprintf("simulated account (--local): a second is %d seconds of AWS's time, in which time limits are counted",
			local.DefaultSpeed))
	}
	progress := r.terminal.progress()
	deps := releaseDeps(t, env)
	deps.OpenStack, deps.Report = open, r.notifier.watch(reportPhases(t.Held, progress.Report))
	if r.notifier != nil {
		deps.Started, r.notifier.clock = r.notifier.started, t.Clock
	}
	deps.Deployed = func(ctx context.Context) (*environment.Environment, error) { return r.stacks.Deployed(ctx, t) }
	request.ID, request.By, request.PreviousCrashed, request.Wait = newID(t.Clock.Now()), whoami(), t.Held.TakenOver(), r.wait
	did, err := release.Deploy(ctx, deps, request)
	progress.Close()
	r.notifier.ended(did)
	printed := result{Deployment: did}
	if err == nil && request.DryRun && r.plan != nil {
		plan, planErr := r.plan(ctx, did.Image.Reference)
		switch {
		case planErr != nil:
			err = release.NotStarted("plan", planErr)
			printed.Outcome, printed.Error, printed.Hint = history.Failed, err.Error(), hint.Of(err)
		case r.format == "json":
			printed.Plan = plan.JSON()
		default:
			r.terminal.warn(ui.Plan(r.terminal.out, plan.Plan, r.terminal.style()))
		}
	}
	r.terminal.warnings.Add(int64(len(did.Warnings)))
	if !r.terminal.quiet && r.format != "json" {
		ui.TimeBreakdown(r.terminal.err, did, r.terminal.style())
	}
	printed.Deployment = r.terminal.flags.addToRecord(printed.Deployment)
	r.terminal.warn(writeJobSummary(os.Getenv("GITHUB_STEP_SUMMARY"), printed.Deployment))
	if r.format == "json" {
		r.terminal.warn(ui.JSON(r.terminal.out, printed))
	}
	return did, err
}

// releaseDeps returns what a deployment acts on, except for the stack.
func releaseDeps(t *target.Target, env *environment.Environment) release.Deps {
	return release.Deps{
		Env: env, AWS: t.AWS, Network: t.Network, Clock: t.Clock, Records: t.Records,
		CheckState: func(ctx context.Context) error {
			_, err := t.Locks.Get(ctx, env.Stack)
			return err
		},
	}
}

// reportPhases passes events on, and notes in the lock which phase the deployment is in.
func reportPhases(held *lock.Held, report release.Reporter) release.Reporter {
	if held == nil {
		return report
	}
	return func(e release.Event) {
		if e.Kind == release.PhaseStarted {
			held.Phase(e.Phase)
		}
		report(e)
	}
}

// took returns how long a deployment took, and that the account is simulated where it is.
func (t *terminal) took(result history.Deployment) string {
	took := result.Ended.Sub(result.Started).Round(100 * time.Millisecond).String()
	if t.flags.simulated() {
		took += " (simulated account)"
	}
	return took
}

// writeJobSummary adds the deployment to the summary page of a GitHub Actions job; outside one, path is "".
func writeJobSummary(path string, result history.Deployment) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	_, err = f.WriteString(ui.JobSummary(result))
	return errors.Join(err, f.Close())
}
