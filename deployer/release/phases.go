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
	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/probe"
)

// phases is the deployment as a list.
func (d *deployment) phases() []phase {
	migrations := phase{name: Migrate, run: d.migrate}
	if d.Kind == record.Migrate {
		return []phase{{name: Preflight, run: d.preflight}, migrations}
	}
	before := d.Env.Deployment.Migrations.Order == environment.BeforeServices
	list := []phase{
		{name: Preflight, run: d.preflight},
		{name: Repair, run: d.repair, only: d.died},
		{name: Backup, run: d.backup, needless: unless(d.Env.Deployment.Backup == environment.BackupSnapshot, "the environment asks for none")},
		{name: Provision, run: d.provision},
		{name: Rollout, run: d.rollout},
		{name: HealthOf, run: d.health},
		{name: Validate, run: d.validate},
	}
	at := slices.IndexFunc(list, func(p phase) bool { return p.name == Rollout })
	if !before {
		at++
	}
	list = slices.Insert(list, at, migrations)
	for i := range list {
		if why, left := d.Without[list[i].name]; left {
			list[i].needless = why
		}
	}
	return list
}

func unless(wanted bool, why string) string {
	if wanted {
		return ""
	}
	return why
}

func (d *deployment) preflight(ctx context.Context, v voice) (string, error) {
	look := &preflight{
		env: d.Env, aws: d.AWS, resolver: d.Network.Resolver, now: d.Clock.Now(), tag: d.Tag, tolerated: d.Tolerated,
		state: d.State,
	}
	switch {
	case d.Kind.OnlyCode(), d.Kind == record.Partial && d.DryRun:
		look.also = d.openStack
	case d.Kind == record.Migrate:
		look.migrationOnly = true
	}
	if d.Wait {
		// The migration's own phase follows it to its end.
		look.tolerated = append(slices.Clone(look.tolerated), Migration)
	}
	image, problems := look.run(ctx)
	for told := ""; ; image, problems = look.run(ctx) {
		poll, awaited := d.awaited(problems)
		if awaited == nil {
			break
		}
		if awaited.Message != told {
			v.note("waiting: %s", awaited.Message)
			told = awaited.Message
		}
		v.progress("%s; %s", awaited.Message, awaited.Hint)
		if err := d.Clock.Wait(ctx, poll); err != nil {
			return "", err
		}
		look.now = d.Clock.Now()
	}
	problems = append(problems, d.exchanging(ctx)...)
	if slices.ContainsFunc(problems, func(p Problem) bool { return p.Stops }) {
		return "", &NotStartedError{Problems: problems}
	}
	for _, p := range problems {
		d.warn(v, p.Check+": "+p.Message)
	}
	d.image, d.record.Image = image, image.Image
	if d.Kind == record.Migrate {
		if _, err := migrationDefinition(ctx, ecs.NewFromConfig(d.AWS), d.Env, image.Reference); err != nil {
			return "", NotStarted(Migration, err)
		}
	}
	if !d.DryRun {
		if problems := d.openStack(ctx); len(problems) > 0 {
			return "", &NotStartedError{Problems: problems}
		}
		d.before = d.infra.Deployed(nil).Code()
	}
	if !d.DryRun {
		d.lookBack(ctx)
	}
	return fmt.Sprintf("%s is %s", image.Tag, shortDigest(image.Digest)), nil
}

// openStack opens the stack, once. One that is there already is opened while preflight looks at everything else.
func (d *deployment) openStack(ctx context.Context) []Problem {
	if d.infra != nil {
		return nil
	}
	began := d.Clock.Now()
	opened, err := d.Infra(ctx)
	d.record.EngineSeconds += d.Clock.Now().Sub(began).Seconds()
	if err != nil {
		return stop("stack", err)
	}
	d.infra = opened
	return nil
}

// awaited is a problem that is to be waited for, and how long until the next look; nil where there is none, or another that does
// not go away.
func (d *deployment) awaited(problems []Problem) (time.Duration, *Problem) {
	stopping := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return !p.Stops })
	switch {
	case d.WaitDelegation && onlyDelegation(problems):
		return delegationPoll, &stopping[0]
	case !d.Wait || len(stopping) == 0 || slices.ContainsFunc(stopping, func(p Problem) bool { return !p.Passes }):
		return 0, nil
	}
	return passingPoll, &stopping[0]
}

// passingPoll is how often something is looked at that ends by itself.
const passingPoll = 5 * time.Second

// delegationPoll is how often the registrar's change is looked for.
const delegationPoll = time.Minute

// onlyDelegation reports whether waiting for the registrar is all that is left to do.
func onlyDelegation(problems []Problem) bool {
	stopping := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return !p.Stops })
	return len(stopping) == 1 && stopping[0].Check == Delegation
}

// shortDigest is enough of a digest for people to recognise it.
func shortDigest(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func (d *deployment) provision(ctx context.Context, v voice) (string, error) {
	done, err := d.infra.Provision(ctx, d.image.Reference, func(s string) { v.progress("%s", s) })
	d.spent.beyond = done.Beyond
	return d.changed(done, v), err
}

// changed is the summary of an update; its warnings are passed on.
func (d *deployment) changed(done Update, v voice) string {
	d.record.EngineSeconds += done.Took.Seconds()
	for _, warning := range done.Warnings {
		d.warn(v, warning)
	}
	switch done.Changed {
	case 0:
		return "nothing to change"
	case 1:
		return "1 resource changed"
	}
	return fmt.Sprintf("%d resources changed", done.Changed)
}

func (d *deployment) migrate(ctx context.Context, v voice) (string, error) {
	network, err := d.infra.TaskNetwork()
	if err != nil {
		return "", err
	}
	m := &migrate{
		env: d.Env, ecs: ecs.NewFromConfig(d.AWS), logs: cloudwatchlogs.NewFromConfig(d.AWS), clock: d.Clock, deployment: d.ID,
		image: d.image.Reference, command: d.Command, wait: d.Wait, stopWithWatch: d.StopMigration,
		network: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: network.Subnets, SecurityGroups: network.SecurityGroups, AssignPublicIp: types.AssignPublicIpDisabled,
		}},
	}
	d.record.Migration, err = m.run(ctx, v)
	if err != nil {
		return "", err
	}
	return "exit code 0", nil
}

func (d *deployment) rollout(ctx context.Context, v voice) (string, error) {
	watcher, err := d.follow(ctx, d.Env, d.image)
	if err != nil {
		return "", err
	}
	d.touched = true
	code := d.Env.Code()
	d.record.Code = &code
	done, err := d.infra.Release(ctx, d.image.Reference, func(s string) { v.progress("%s", s) })
	if err != nil {
		return "", err
	}
	summary := d.changed(done, v)
	if err := d.reconcile(ctx, v, watcher, d.image); err != nil {
		return "", err
	}
	if d.Restart {
		if err := watcher.restart(ctx); err != nil {
			return "", err
		}
	}
	d.lookAhead(ctx)
	if d.record.TaskDefinitions, err = watcher.run(ctx, v); err != nil {
		if d.Env.Deployment.Rollback != environment.RollbackAutomatic || !d.hasGood(ctx) {
			watcher.settle(ctx, v)
		}
		return "", err
	}
	return fmt.Sprintf("%s; every task runs %s", summary, shortDigest(d.image.Digest)), nil
}

// reconcile brings the services back in step where the state says that they have the image and ECS, which went back
// by itself after an earlier failure, does not.
func (d *deployment) reconcile(ctx context.Context, v voice, watcher follower, image *Image) error {
	behind, err := watcher.outOfStep(ctx)
	if err != nil || len(behind) == 0 {
		return err
	}
	v.note("ECS went back to an earlier revision of %s by itself; it is brought to %s again", strings.Join(behind, ", "), image.Tag)
	done, err := d.infra.Reconcile(ctx, image.Reference, func(s string) { v.progress("%s", s) })
	d.record.EngineSeconds += done.Took.Seconds()
	return err
}

// watcher knows what the services were doing before they are changed.
func (d *deployment) watcher(ctx context.Context, env *environment.Environment, image *Image) (follower, error) {
	r := newRollout(env, d.AWS, d.Clock, image)
	r.watched = func(w record.Watch) { d.record.Rollout = &w }
	return r, r.remember(ctx)
}

func (d *deployment) health(ctx context.Context, v voice) (string, error) {
	results, err := d.probe(ctx, v)
	d.record.Health = results
	if err != nil {
		return "", err
	}
	// Only a rollout brings the image to the services; without one, what answers may be another.
	if d.record.Verified = d.touched; d.touched {
		d.mark(ctx, v)
	}
	return fmt.Sprintf("%d probes of %s answered well", len(results), d.deployed().URL()), nil
}

func (d *deployment) probe(ctx context.Context, v voice) ([]probe.Result, error) {
	h := &health{env: d.deployed(), elb: elb.NewFromConfig(d.AWS), network: d.Network, clock: d.Clock}
	return h.run(ctx, v)
}

func (d *deployment) validate(ctx context.Context, v voice) (string, error) {
	report := checks.Run(ctx, d.deployed(), checks.Sources{AWS: d.AWS, Network: d.Network}, checks.Options{}, d.Clock)
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var broken []string
	for _, f := range report.Services {
		if f.Status == checks.Healthy {
			continue
		}
		text := fmt.Sprintf("%s: %s", f.Service, f.Message)
		v.warn("%s", text)
		if f.Status == checks.Error && d.answersFor(f.Component) {
			broken = append(broken, text)
			continue
		}
		d.record.Warnings = append(d.record.Warnings, text)
	}
	if len(broken) > 0 {
		return "", advice.With(fmt.Errorf("%d of %d checks failed:\n    %s", len(broken), report.Summary.Total, strings.Join(broken, "\n    ")),
			"`deployer status --env "+d.Env.Stack+" --verbose` shows causes and remedies")
	}
	return fmt.Sprintf("%d of %d checks are healthy", report.Summary.Healthy, report.Summary.Total), nil
}

// deployed returns the environment as it is deployed after the phases so far. Where only some components were, the file is
// ahead of it.
func (d *deployment) deployed() *environment.Environment {
	if d.Kind == record.Partial {
		return d.infra.Deployed(nil)
	}
	return d.Env
}

// answersFor reports whether an error that a check of the component found fails the deployment. One of code or of some
// components leaves everything else as it is: what an earlier deployment left half-way, and, one of code, what was
// changed outside the deployer.
func (d *deployment) answersFor(component string) bool {
	switch {
	case d.Kind.OnlyCode() && component == "compliance":
		return false
	case d.Kind == record.Full || !d.halfDone:
		return true
	}
	return slices.Contains([]string{"ecs_service", "ecs_tasks", "task_definition", "target_groups", "image", "secrets", "endpoint", "readiness"}, component)
}
