package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
)

// The stack's outputs that tasks need.
const (
	outputSubnets        = "privateSubnetIds"
	outputSecurityGroups = "taskSecurityGroupId"
)

// A Scope is the part of a stack that deployments change. The zero Scope is all of it.
type Scope struct {
	// Code limits them to task definitions and services, which get this code.
	Code *environment.Code
	// Components limits them to these components of the program.
	Components []string
}

// A Stack is an environment's stack. It implements release.Infrastructure and database.Stack.
type Stack struct {
	recovery    recoverer
	handle      *engine.Handle
	target      *target.Target
	env         *environment.Environment
	endpointURL string
	scope       Scope
	// recorded is the image that the stack's output names; "" before a rollout.
	recorded string
	// deployed describes the environment as it was deployed last.
	deployed *environment.Environment
	// refresh reads the account before the next update.
	refresh bool
	// withoutBudget leaves the budget out of the next updates, because one failed at it.
	withoutBudget bool
	// unrefreshed is the program of the state from before a refresh; nil where a deployment of code has followed it.
	unrefreshed *engine.Replay
}

func newStack(handle *engine.Handle, t *target.Target, endpointURL string, deployed *environment.Environment, scope Scope) *Stack {
	return &Stack{
		recovery: recoverer{handle, t}, handle: handle, target: t, env: t.Env, endpointURL: endpointURL, scope: scope,
		recorded: handle.Current().Text(infra.OutputImage), deployed: deployed,
	}
}

// Recorded returns the image that the stack's output names; "" before the first rollout.
func (s *Stack) Recorded() string { return s.recorded }

// State returns the state as it was read last.
func (s *Stack) State() engine.State { return s.handle.Current() }

// Outputs returns the stack's outputs.
func (s *Stack) Outputs() map[string]engine.Output { return s.handle.Outputs() }

// SetCode limits deployments to task definitions and services, with a code or, where it is nil, the one that is deployed. It
// returns the code.
func (s *Stack) SetCode(code *environment.Code) *environment.Code {
	chosen := s.codeOr(code)
	s.scope = Scope{Code: &chosen}
	return &chosen
}

// RefreshFirst lets the next update read the account first, so that it reverts what was changed outside the deployer.
func (s *Stack) RefreshFirst() { s.refresh = true }

// program returns the environment's program with an image for the tasks and one for the stack's output.
func (s *Stack) program(image, recorded string) pulumi.RunFunc {
	return s.programWith(image, image, recorded)
}

// programWith returns the environment's program, whose migration may have another image than the services.
func (s *Stack) programWith(image, migration, recorded string) pulumi.RunFunc {
	return infra.Deploy(s.env, infra.Release{
		Image: image, MigrationImage: migration, RecordedImage: recorded, RecordedEnvironment: s.deployed, DatabaseVersion: databaseVersion(s.handle.Current()), FinalSnapshot: finalSnapshot(s.handle.Current()), EndpointURL: s.endpointURL,
	})
}

// ImageOrPlaceholder returns the recorded image, or one that stands for it before the first rollout.
func (s *Stack) ImageOrPlaceholder() string { return cmp.Or(s.recorded, PlaceholderImage(s.env)) }

// PlaceholderImage stands for the image of an environment that has none yet.
func PlaceholderImage(env *environment.Environment) string {
	const emptyDigest = "0000000000000000000000000000000000000000000000000000000000000000"
	return env.ImageReference("sha256:" + emptyDigest)
}

// Preview returns what a full deployment of an image would change. Without an image, it is the one that runs, and the migration keeps its own:
// a deployment that was not rolled out has migrated with another image, which is no change that waits.
func (s *Stack) Preview(ctx context.Context, image string, refresh bool, report func(engine.Event)) (engine.Plan, error) {
	program := s.program(image, image)
	if image == "" {
		runs := s.ImageOrPlaceholder()
		program = s.programWith(runs, s.migrationImage(), runs)
	}
	plan, err := s.handle.Preview(ctx, engine.Update{Program: program, Refresh: refresh}, report)
	if err != nil {
		return plan, err
	}
	return s.explainWaiting(ctx, plan, true), nil
}

// PreviewDeployment returns what a deployment of the scope would change with an image.
func (s *Stack) PreviewDeployment(ctx context.Context, image string, report func(engine.Event)) (engine.Plan, error) {
	var update engine.Update
	switch {
	case s.scope.Code != nil:
		changed, err := s.newCodeUpdate(ctx, codeUpdate{image: image, code: *s.scope.Code})
		if err != nil {
			return engine.Plan{}, err
		}
		update = changed.Update
	case s.scope.Components != nil:
		update.Program, update.Excludes = s.program(image, image), urnsOfOthers(s.scope.Components)
	default:
		return s.Preview(ctx, image, s.refresh, report)
	}
	update.Refresh = update.Refresh || s.refresh
	return s.handle.Preview(ctx, update, report)
}

// PreviewProvision returns what Provision would change with an image: what a deployment without its rollout changes.
func (s *Stack) PreviewProvision(ctx context.Context, image string, report func(engine.Event)) (engine.Plan, error) {
	var update engine.Update
	if s.scope.Code != nil {
		changed, err := s.newCodeUpdate(ctx, codeUpdate{image: image, code: *s.scope.Code, migrationOnly: true})
		if err != nil {
			return engine.Plan{}, err
		}
		update = changed.Update
	} else {
		update = s.provisionUpdate(image)
	}
	update.Refresh = update.Refresh || s.refresh
	return s.handle.Preview(ctx, update, report)
}

// PreviewRefresh returns what differs between the account and the stack.
func (s *Stack) PreviewRefresh(ctx context.Context, report func(engine.Event)) (engine.Plan, error) {
	plan, err := s.handle.PreviewRefresh(ctx, engine.Update{}, report)
	if err != nil {
		return plan, err
	}
	return s.explainWaiting(ctx, plan, false), nil
}

// Provision implements release.Infrastructure: it updates the infrastructure of the scope, and the migration's task
// definition, but no service.
func (s *Stack) Provision(ctx context.Context, image string, progress release.ProgressFunc) (release.Update, error) {
	if s.scope.Code != nil {
		return s.updateCode(ctx, codeUpdate{image: image, code: *s.scope.Code, migrationOnly: true, message: "migrate with " + image}, progress)
	}
	if s.scope.Components == nil || slices.Contains(s.scope.Components, DatabaseComponent) {
		if err := s.renewTakenFinalSnapshot(ctx); err != nil {
			return release.Update{}, err
		}
	}
	s.describeComponents(s.provisioned())
	beyond := 0
	done, err := s.update(ctx, s.provisionUpdate(image), progress, func(e engine.Event) {
		if e.Status == engine.Done && e.Changes() && !infra.IsMigrationTaskDefinition(e.URN) {
			beyond++
		}
	})
	if s.scope.Components == nil {
		done.InfrastructureChanges = beyond
	}
	return done, err
}

// provisioned returns the components of the scope that are deployed before the services.
func (s *Stack) provisioned() []string {
	return slices.DeleteFunc(s.components(), func(name string) bool { return name == ServicesComponent })
}

// provisionUpdate returns the update of the infrastructure of the scope, without the services.
func (s *Stack) provisionUpdate(image string) engine.Update {
	update := engine.Update{Program: s.program(image, s.recorded), Message: "provision " + image, Excludes: infra.ServiceURNs(), ExcludeDependents: true}
	if s.scope.Components != nil {
		update.Message, update.Excludes, update.ExcludeDependents = "provision components with "+image, urnsOfOthers(s.provisioned()), false
	}
	return update
}

// Release implements release.Infrastructure: it updates the services and, in the scope, what they needed until now.
func (s *Stack) Release(ctx context.Context, image string, progress release.ProgressFunc) (release.Update, error) {
	update := engine.Update{Message: "release " + image}
	switch {
	case s.scope.Code != nil:
		return s.DeployCode(ctx, image, s.scope.Code, progress)
	case s.scope.Components != nil:
		code := s.env.Code()
		code.Tasks[environment.Migration] = s.deployed.Code().Tasks[environment.Migration]
		s.describeComponents(s.scope.Components)
		s.deployed = s.deployed.WithCode(code)
		update.Message, update.Excludes = "release components with "+image, urnsOfOthers(s.scope.Components)
	default:
		s.deployed = s.env
	}
	update.Program = s.program(image, image)
	done, err := s.update(ctx, update, progress, nil)
	if err == nil {
		s.recorded = image
	}
	return done, err
}

// PendingChanges implements release.Infrastructure. The engine's lock is not taken: a preview reads the state as it is.
func (s *Stack) PendingChanges(ctx context.Context, image string) ([]history.Change, error) {
	program := infra.Deploy(s.env, infra.Release{
		Image: image, RecordedImage: image, DatabaseVersion: databaseVersion(s.handle.Current()), FinalSnapshot: finalSnapshot(s.handle.Current()), EndpointURL: s.endpointURL,
	})
	plan, err := s.handle.Preview(ctx, engine.Update{Program: program}, nil)
	var changes []history.Change
	for _, step := range plan.Steps {
		changes = append(changes, history.Change{Op: step.Op, Type: engine.ShortType(step.Type), Name: step.Name})
	}
	return changes, err
}

// HasPendingOperations implements release.Infrastructure.
func (s *Stack) HasPendingOperations() bool { return s.recovery.hasPendingOperations() }

// Repair implements release.Infrastructure.
func (s *Stack) Repair(ctx context.Context, image string, progress release.ProgressFunc) ([]string, error) {
	done, err := s.recovery.recover(ctx, s.program(image, image), func(line string) { progress(line) })
	switch {
	case s.scope.Code != nil:
		if unplanned := (*planError)(nil); errors.As(err, &unplanned) {
			// An invalid file is no reason not to deploy code: what an earlier deployment left is for the next full one.
			return []string{"the next full deployment looks up what the previous deployment left: " + err.Error()}, nil
		}
	case s.scope.Components != nil && err == nil:
		// What has to be deployed with the components is known only now.
		if err = s.checkComponents(ctx); err != nil {
			err = release.NotStarted("components", err)
		}
	}
	return done, err
}

// RecoverIfNeeded recovers the stack in a step of its own, for commands that are no deployment.
func (s *Stack) RecoverIfNeeded(ctx context.Context, progress Progress) error {
	if !s.recovery.required() {
		return nil
	}
	image := s.ImageOrPlaceholder()
	return s.recovery.runStep(ctx, progress, s.program(image, image))
}

// TaskNetwork implements release.Infrastructure.
func (s *Stack) TaskNetwork() (release.TaskNetwork, error) {
	var network release.TaskNetwork
	outputs := s.handle.Outputs()
	subnets, _ := outputs[outputSubnets].Value.([]any)
	for _, subnet := range subnets {
		network.Subnets = append(network.Subnets, fmt.Sprint(subnet))
	}
	if group, ok := outputs[outputSecurityGroups].Value.(string); ok {
		network.SecurityGroups = []string{group}
	}
	if len(network.Subnets) == 0 || len(network.SecurityGroups) == 0 {
		return network, hint.With(fmt.Errorf("the stack %s has no outputs for the network of its tasks", s.env.Stack),
			"provision it first: `deployer up --env "+s.env.Stack+" --image-tag TAG`, without --skip provision")
	}
	return network, nil
}

// MigrationDefinition implements release.Infrastructure.
func (s *Stack) MigrationDefinition() string { return s.migrationDefinition().ARN }

// migrationImage returns the image of the migration's task definition; "" where there is none.
func (s *Stack) migrationImage() string {
	return infra.ImageOf(s.migrationDefinition().Inputs, s.env, environment.Migration)
}

// migrationDefinition returns the migration's task definition; none is the zero value.
func (s *Stack) migrationDefinition() engine.Resource {
	for _, r := range s.handle.Current().Resources {
		if infra.IsMigrationTaskDefinition(r.URN) && !r.PendingDeletion {
			return r
		}
	}
	return engine.Resource{}
}

// update runs the engine. Each event goes to observe, too, where it is not nil.
func (s *Stack) update(ctx context.Context, u engine.Update, progress release.ProgressFunc, observe func(engine.Event)) (release.Update, error) {
	var done engine.Summary
	err := s.recovery.run(ctx, func(line string) { progress(line) }, func() error {
		err := s.refreshState(ctx, u.Targets, progress)
		if err != nil {
			return err
		}
		done, err = s.up(ctx, u, func(e engine.Event) {
			reportEvent(e, progress)
			if observe != nil {
				observe(e)
			}
		})
		return err
	})
	if busy := (*engine.ConcurrentUpdateError)(nil); errors.As(err, &busy) {
		return release.Update{}, &release.BusyError{Err: busy}
	}
	return release.Update{Changed: done.Changed(), Took: done.Duration, Warnings: done.Warnings}, explainPending(explainExpired(err), s.env.Stack)
}

// explainPending gives the error of a run that failed at a certificate's validation alone the hint that helps.
// Source: https://docs.aws.amazon.com/acm/latest/userguide/certificate-validation.html
func explainPending(err error, stack string) error {
	var failed *engine.FailedError
	var expired *release.ExpiredError
	if errors.As(err, &expired) || !errors.As(err, &failed) || len(failed.Resources) == 0 || len(failed.Pending) > 0 ||
		slices.ContainsFunc(failed.Resources, func(r engine.ResourceError) bool {
			return r.Type != "aws:acm/certificateValidation:CertificateValidation"
		}) {
		return err
	}
	return hint.With(err, fmt.Sprintf("ACM issues the certificate when it finds the validation record through the domain's delegation, and where a CAA record "+
		"allows amazon.com: see `deployer status --env %s --only certificate,delegation`; then run the same command again", stack))
}

// explainExpired returns an error of the engine as a *release.ExpiredError where a provider, or the backend, was rejected for expired
// credentials: the engine passes their errors on as text.
func explainExpired(err error) error {
	if err == nil || !expiry.InText(err.Error()) {
		return err
	}
	return &release.ExpiredError{Err: err}
}

// up runs the engine. Where AWS refuses the budget alone, which nothing depends on, it runs it again without the budget and adds a warning,
// unless the budget is all that is to be deployed.
func (s *Stack) up(ctx context.Context, u engine.Update, observe func(engine.Event)) (engine.Summary, error) {
	leaveOut := func() {
		if len(u.Targets) == 0 {
			u.Excludes = slices.Concat(u.Excludes, infra.BudgetURNs())
		}
	}
	if s.withoutBudget {
		leaveOut()
	}
	done, err := s.handle.Up(ctx, u, observe)
	reason, onlyBudget := budgetFailure(err)
	if !onlyBudget || slices.Equal(s.scope.Components, []string{budgetComponent}) {
		return done, err
	}
	s.withoutBudget = true
	leaveOut()
	rest, err := s.handle.Up(ctx, u, observe)
	rest = done.Plus(rest)
	if err == nil {
		rest.Warnings = append(rest.Warnings, "AWS did not create or change the budget, and the rest was deployed without it: "+reason)
	}
	return rest, err
}

// budgetFailure returns why AWS refused the budget in a run, and whether the run failed at nothing else. In an organization, a member account
// can have a budget only after the management account has enabled it.
// Source: https://github.com/org-formation/org-formation-cli/pull/198
func budgetFailure(err error) (reason string, only bool) {
	var failed *engine.FailedError
	if !errors.As(err, &failed) || failed.Killed || failed.StateWrite != nil || len(failed.Pending) > 0 || len(failed.Resources) == 0 {
		return "", false
	}
	if slices.ContainsFunc(failed.Resources, func(r engine.ResourceError) bool {
		return r.Type != budgetType || !strings.Contains(r.Message, "AccessDenied")
	}) {
		return "", false
	}
	return failed.Resources[0].Message, true
}

// budgetType is the type of a budget of AWS.
const budgetType = "aws:budgets/budget:Budget"

// refreshState reads the account into the state, where that was asked for: everything once, or the targets of each update.
// It is a run of its own because the refresh of an update reads no more than the update is about, and provision excludes the
// services.
func (s *Stack) refreshState(ctx context.Context, targets []string, progress release.ProgressFunc) error {
	if !s.refresh {
		return nil
	}
	progress("reading the account")
	_, err := s.handle.Refresh(ctx, engine.Update{Targets: targets, Message: "refresh"}, func(e engine.Event) {
		if e.Status == engine.Done && e.Changes() {
			progress(fmt.Sprintf("%s %s has drifted", engine.ShortType(e.Type), e.Name))
		}
	})
	s.refresh = err != nil || len(targets) > 0
	return err
}

// reportTo returns a function that reports the engine's operations as progress of a phase.
func reportTo(progress Progress, phase string) func(engine.Event) {
	report := func(line string, activity ...release.Activity) {
		progress.Report(release.Event{Kind: release.Progress, Phase: phase, Message: line, Activity: activity[0]})
	}
	return func(e engine.Event) { reportEvent(e, report) }
}

// reportEvent reports an operation of the engine that begins or fails in one line, and at its end what is still running.
func reportEvent(e engine.Event, progress release.ProgressFunc) {
	activity := release.Activity{Running: e.Running, Done: e.Done, Total: e.Total}
	switch {
	case e.URN == "":
	case e.Status == engine.Started && e.Changes():
		progress(progressText(e), activity)
	case e.Status == engine.Failed && e.Changes():
		progress(fmt.Sprintf("%s %s failed", engine.ShortType(e.Type), e.Name), activity)
	case e.Status == engine.Done:
		progress("", activity)
	}
}

// progressText returns what an operation does; "" where it does nothing in the account: components stand for other resources, and the
// revisions of a task definition stay when the state forgets them.
func progressText(e engine.Event) string {
	verb, what := progressVerb(e.Op), engine.ShortType(e.Type)
	if e.Type == infra.TaskDefinitionType {
		switch e.Op {
		case "create-replacement", "replace":
			verb, what = "creating", "a revision of "+what
		case "delete", "delete-replaced":
			return ""
		}
	}
	if e.Component {
		return ""
	}
	return verb + " " + what + " " + e.Name
}

func progressVerb(op string) string {
	verbs := map[string]string{
		"create": "creating", "create-replacement": "creating the new", "update": "updating", "replace": "replacing",
		"delete": "deleting", "delete-replaced": "deleting the old", "import": "importing",
	}
	return cmp.Or(verbs[op], op)
}
