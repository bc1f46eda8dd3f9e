package command

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A previewFunc returns what a deployment of an image, or a part of it, would change.
type previewFunc func(ctx context.Context, image string, report func(engine.Event)) (engine.Plan, error)

// planOf returns what a deployment of a stack's scope would change with an image, and shows the progress of the preview.
func (t *terminal) planOf(ctx context.Context, opened *stack.Stack, environment, image string, preview previewFunc, restarts []string) (ui.Preview, error) {
	found := ui.Preview{Environment: environment, Image: image, NewStack: len(opened.State().Resources) == 0}
	progress := t.progress()
	defer progress.Close()
	err := progress.Step(ctx, "preview", func(report func(string)) (string, error) {
		var err error
		found.Plan, err = preview(ctx, image, func(e engine.Event) {
			if e.Changes() && !e.Component {
				report(engine.ShortType(e.Type) + " " + e.Name)
			}
		})
		found.Plan.Restarts = restarts
		return ui.PlanSummary(found.Plan), err
	})
	return found, err
}

// plan returns what the deployment would change with an image in the phases that are not skipped. The rollout of a full deployment applies
// whatever its provision has not.
func (o upOptions) plan(ctx context.Context, t *target.Target, image string) (ui.Preview, error) {
	skipped := o.skippedPhases(t.Env)
	if skipped[release.Provision] != "" && skipped[release.Rollout] != "" {
		return ui.Preview{Environment: t.Name, Image: image}, nil
	}
	opened, discard, err := o.openToPreview(ctx, t)
	if err != nil {
		return ui.Preview{}, err
	}
	defer discard()
	if o.refresh {
		opened.RefreshFirst()
	}
	if image == "" {
		image = opened.ImageOrPlaceholder()
	}
	preview, restarts := opened.PreviewDeployment, o.restarts(t.Env)
	if skipped[release.Rollout] != "" {
		preview, restarts = opened.PreviewProvision, nil
	}
	return o.terminal.planOf(ctx, opened, t.Name, image, preview, restarts)
}

// restarts returns the services that are restarted; none where the deployment is no restart.
func (o upOptions) restarts(env *environment.Environment) (services []string) {
	for _, s := range env.Services.List() {
		if o.restart && (o.service == "" || o.service == s.Role) {
			services = append(services, env.ServiceName(s.Role))
		}
	}
	return services
}

// openToPreview opens the stack with the scope of the deployment, until discard is called.
func (o upOptions) openToPreview(ctx context.Context, t *target.Target) (opened *stack.Stack, discard func(), err error) {
	if !o.codeOnly {
		return o.stacks.OpenToPreview(ctx, t, o.mode(), stack.Scope{Components: o.components})
	}
	if opened, err = o.stacks.OpenCode(ctx, t); err == nil {
		o.setCode(t, opened)
	}
	return opened, func() {}, err
}

// mode returns what happens where there is no stack.
func (o upOptions) mode() stack.Mode {
	if o.newStack {
		return stack.CreateEmpty
	}
	return stack.Create
}

// shortPlan returns what the deployment would change, in short, for the question that precedes it; "" where that is not known yet, because
// the simulated account lacks the shared stack, which is deployed after the question. The error is that of an interruption.
func (o upOptions) shortPlan(ctx context.Context, t *target.Target, image string) (string, error) {
	if t.Simulated != nil {
		if missing, err := o.shared.missing(ctx, t); missing != nil || err != nil {
			return "", err
		}
	}
	plan, err := o.plan(ctx, t, image)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	short := o.terminal.describePlan(plan, err)
	if t.Env.Deployment.Backup == environment.BackupSnapshot && o.skippedPhases(t.Env)[release.Backup] == "" && !plan.NewStack {
		short += ", a snapshot first"
	}
	if bake := t.Env.Deployment.Rollout.Bake; bake > 0 && !o.restart && o.skippedPhases(t.Env)[release.Rollout] == "" && o.skippedPhases(t.Env)[release.Bake] == "" {
		short += ", then a bake of " + bake.String()
	}
	return short, nil
}

// maxReviewed is how many changes are listed before a question.
const maxReviewed = 10

// describePlan prints the changes to review first, and returns a plan in short for the question that follows. An error is no reason not to
// ask: the deployment reports it.
func (t *terminal) describePlan(plan ui.Preview, err error) string {
	if err != nil {
		return "what it would change is unknown: " + text.FirstLine(err.Error())
	}
	lines := plan.Highlights()
	if len(lines) > maxReviewed {
		lines = append(lines[:maxReviewed:maxReviewed], fmt.Sprintf("and %d more", len(lines)-maxReviewed))
	}
	for _, line := range lines {
		_, _ = fmt.Fprintf(t.err, "review first: %s\n", line)
	}
	return ui.PlanSummary(plan.Plan)
}
