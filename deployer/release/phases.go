package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/probe"
)

// phases is the deployment as a list.
func (d *deployment) phases() []phase {
	migrations := phase{name: Migrate, run: d.migrate}
	if d.Kind == history.Migrate {
		return []phase{{name: Preflight, run: d.preflight}, migrations}
	}
	before := d.Env.Deployment.Migrations.Order == environment.BeforeServices
	list := []phase{
		{name: Preflight, run: d.preflight},
		{name: Repair, run: d.repair, enabled: d.previousCrashed},
		{name: Backup, run: d.backup, skipReason: skipUnless(d.Env.Deployment.Backup == environment.BackupSnapshot, "the environment asks for none")},
		{name: Provision, run: d.provision},
		{name: Rollout, run: d.rollout},
		{name: Health, run: d.health},
		{name: Validate, run: d.validate},
	}
	at := slices.IndexFunc(list, func(p phase) bool { return p.name == Rollout })
	if !before {
		at++
	}
	list = slices.Insert(list, at, migrations)
	for i := range list {
		if why, left := d.SkipPhases[list[i].name]; left {
			list[i].skipReason = why
		}
	}
	return list
}

func skipUnless(wanted bool, why string) string {
	if wanted {
		return ""
	}
	return why
}

func (d *deployment) preflight(ctx context.Context, log phaseLog) (string, error) {
	checker := &preflight{
		env: d.Env, aws: d.AWS, resolver: d.Network.Resolver, now: d.Clock.Now(), tag: d.Tag, warnOnly: d.WarnOnlyChecks,
		checkState: d.CheckState,
	}
	switch {
	case d.Kind.IsCodeOnly(), d.Kind == history.Partial && d.DryRun:
		checker.extraCheck = d.openStack
	case d.Kind == history.Migrate:
		checker.migrationOnly = true
	}
	if d.Wait {
		// The migration's own phase follows it to its end.
		checker.warnOnly = append(slices.Clone(checker.warnOnly), Migration)
	}
	image, problems := checker.run(ctx)
	for reported := ""; ; image, problems = checker.run(ctx) {
		poll, problem := d.waitable(problems)
		if problem == nil {
			break
		}
		if problem.Message != reported {
			log.note("waiting: %s", problem.Message)
			reported = problem.Message
		}
		log.progress("%s; %s", problem.Message, problem.Hint)
		if err := d.Clock.Wait(ctx, poll); err != nil {
			return "", err
		}
		checker.now = d.Clock.Now()
	}
	problems = append(problems, d.databaseSwapPending(ctx)...)
	if slices.ContainsFunc(problems, func(p Problem) bool { return p.Stops }) {
		return "", &NotStartedError{Problems: problems}
	}
	for _, p := range problems {
		d.warn(log, p.Check+": "+p.Message)
	}
	d.image, d.record.Image = image, image.Image
	if d.Kind == history.Migrate {
		if _, err := migrationDefinition(ctx, ecs.NewFromConfig(d.AWS), d.Env, image.Reference); err != nil {
			return "", NotStarted(Migration, err)
		}
	}
	if !d.DryRun {
		if problems := d.openStack(ctx); len(problems) > 0 {
			return "", &NotStartedError{Problems: problems}
		}
		d.codeBefore = d.infra.Deployed(nil).Code()
	}
	if !d.DryRun {
		d.checkPreviousRun(ctx)
	}
	return fmt.Sprintf("%s is %s", image.Tag, shortDigest(image.Digest)), nil
}

// openStack opens the stack, once. One that is there already is opened while preflight looks at everything else.
func (d *deployment) openStack(ctx context.Context) []Problem {
	if d.infra != nil {
		return nil
	}
	start := d.Clock.Now()
	stack, err := d.OpenStack(ctx)
	d.record.EngineSeconds += d.Clock.Now().Sub(start).Seconds()
	if err != nil {
		return blocking("stack", err)
	}
	d.infra = stack
	return nil
}

// waitable is a problem that is to be waited for, and how long until the next look; nil where there is none, or another that does
// not go away.
func (d *deployment) waitable(problems []Problem) (time.Duration, *Problem) {
	stopping := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return !p.Stops })
	switch {
	case d.WaitDelegation && onlyDelegation(problems):
		return delegationInterval, &stopping[0]
	case !d.Wait || len(stopping) == 0 || slices.ContainsFunc(stopping, func(p Problem) bool { return !p.Transient }):
		return 0, nil
	}
	return transientInterval, &stopping[0]
}

// transientInterval is how often something is looked at that ends by itself.
const transientInterval = 5 * time.Second

// delegationInterval is how often the registrar's change is looked for.
const delegationInterval = time.Minute

// onlyDelegation reports whether waiting for the registrar is all that is left to do.
func onlyDelegation(problems []Problem) bool {
	stopping := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return !p.Stops })
	return len(stopping) == 1 && stopping[0].Check == Delegation
}

// shortDigest is enough of a digest for people to recognise it.
func shortDigest(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func (d *deployment) provision(ctx context.Context, v phaseLog) (string, error) {
	done, err := d.infra.Provision(ctx, d.image.Reference, func(s string) { v.progress("%s", s) })
	d.timings.infrastructureChanges = done.InfrastructureChanges
	return d.updateSummary(done, v), err
}

// updateSummary is the summary of an update; its warnings are passed on.
func (d *deployment) updateSummary(done Update, log phaseLog) string {
	d.record.EngineSeconds += done.Took.Seconds()
	for _, warning := range done.Warnings {
		d.warn(log, warning)
	}
	switch done.Changed {
	case 0:
		return "nothing to change"
	case 1:
		return "1 resource changed"
	}
	return fmt.Sprintf("%d resources changed", done.Changed)
}

func (d *deployment) migrate(ctx context.Context, log phaseLog) (string, error) {
	network, err := d.infra.TaskNetwork()
	if err != nil {
		return "", err
	}
	m := &migrationTask{
		env: d.Env, ecs: ecs.NewFromConfig(d.AWS), logs: cloudwatchlogs.NewFromConfig(d.AWS), clock: d.Clock, deployment: d.ID,
		image: d.image.Reference, command: d.Command, wait: d.Wait, stopOnInterrupt: d.StopMigration,
		network: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: network.Subnets, SecurityGroups: network.SecurityGroups, AssignPublicIp: types.AssignPublicIpDisabled,
		}},
	}
	d.record.Migration, err = m.run(ctx, log)
	if err != nil {
		return "", err
	}
	return "exit code 0", nil
}

func (d *deployment) rollout(ctx context.Context, log phaseLog) (string, error) {
	watcher, err := d.newWatcher(ctx, d.Env, d.image)
	if err != nil {
		return "", err
	}
	d.servicesChanged = true
	code := d.Env.Code()
	d.record.Code = &code
	done, err := d.infra.Release(ctx, d.image.Reference, func(s string) { log.progress("%s", s) })
	if err != nil {
		return "", err
	}
	summary := d.updateSummary(done, log)
	if err := d.refreshServices(ctx, log, watcher, d.image); err != nil {
		return "", err
	}
	if d.Restart {
		if err := watcher.restart(ctx); err != nil {
			return "", err
		}
	}
	d.previewPending(ctx)
	if d.record.TaskDefinitions, err = watcher.watch(ctx, log); err != nil {
		if d.Env.Deployment.Rollback != environment.RollbackAutomatic || !d.hasVerifiedImage(ctx) {
			watcher.waitUntilIdle(ctx, log)
		}
		return "", err
	}
	return fmt.Sprintf("%s; every task runs %s", summary, shortDigest(d.image.Digest)), nil
}

// refreshServices brings the services back in step where the state says that they have the image and ECS, which went back
// by itself after an earlier failure, does not.
func (d *deployment) refreshServices(ctx context.Context, log phaseLog, watcher rolloutWatcher, image *Image) error {
	outdated, err := watcher.outdatedServices(ctx)
	if err != nil || len(outdated) == 0 {
		return err
	}
	log.note("ECS went back to an earlier revision of %s by itself; it is brought to %s again", strings.Join(outdated, ", "), image.Tag)
	done, err := d.infra.RefreshServices(ctx, image.Reference, func(s string) { log.progress("%s", s) })
	d.record.EngineSeconds += done.Took.Seconds()
	return err
}

// newECSWatcher knows what the services were doing before they are changed.
func (d *deployment) newECSWatcher(ctx context.Context, env *environment.Environment, image *Image) (rolloutWatcher, error) {
	r := newECSRollout(env, d.AWS, d.Clock, image)
	r.watched = func(w history.RolloutStats) { d.record.Rollout = &w }
	return r, r.captureBaseline(ctx)
}

func (d *deployment) health(ctx context.Context, log phaseLog) (string, error) {
	results, err := d.probe(ctx, log)
	d.record.Health = results
	if err != nil {
		return "", err
	}
	// Only a rollout brings the image to the services; without one, what answers may be another.
	if d.record.Verified = d.servicesChanged; d.servicesChanged {
		d.tagRunningImage(ctx, log)
	}
	return fmt.Sprintf("%d probes of %s answered well", len(results), d.deployedEnvironment().URL()), nil
}

func (d *deployment) probe(ctx context.Context, log phaseLog) ([]probe.Result, error) {
	h := &healthCheck{env: d.deployedEnvironment(), elb: elb.NewFromConfig(d.AWS), network: d.Network, clock: d.Clock}
	return h.run(ctx, log)
}

func (d *deployment) validate(ctx context.Context, log phaseLog) (string, error) {
	report := checks.Run(ctx, d.deployedEnvironment(), checks.Sources{AWS: d.AWS, Network: d.Network}, checks.Options{}, d.Clock)
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var failed []string
	for _, f := range report.Services {
		if f.Status == checks.Healthy {
			continue
		}
		text := fmt.Sprintf("%s: %s", f.Service, f.Message)
		log.warn("%s", text)
		if f.Status == checks.Error && d.isResponsibleFor(f.Component) {
			failed = append(failed, text)
			continue
		}
		d.record.Warnings = append(d.record.Warnings, text)
	}
	if len(failed) > 0 {
		return "", hint.With(fmt.Errorf("%d of %d checks failed:\n    %s", len(failed), report.Summary.Total, strings.Join(failed, "\n    ")),
			"`deployer status --env "+d.Env.Stack+" --verbose` shows causes and remedies")
	}
	return fmt.Sprintf("%d of %d checks are healthy", report.Summary.Healthy, report.Summary.Total), nil
}

// deployedEnvironment returns the environment as it is deployed after the phases so far. Where only some components were, the file is
// ahead of it.
func (d *deployment) deployedEnvironment() *environment.Environment {
	if d.Kind == history.Partial {
		return d.infra.Deployed(nil)
	}
	return d.Env
}

// isResponsibleFor reports whether an error that a check of the component found fails the deployment. One of code or of some
// components leaves everything else as it is: what an earlier deployment left half-way, and, one of code, what was
// changed outside the deployer.
func (d *deployment) isResponsibleFor(component string) bool {
	switch {
	case d.Kind.IsCodeOnly() && component == "compliance":
		return false
	case d.Kind == history.Full || !d.previousIncomplete:
		return true
	}
	return slices.Contains([]string{"ecs_service", "ecs_tasks", "task_definition", "target_groups", "image", "secrets", "endpoint", "readiness"}, component)
}
