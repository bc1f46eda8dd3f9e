package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/probe"
)

// The names of the phases, in their usual order.
const (
	Preflight = "preflight"
	Backup    = "backup"
	Provision = "provision"
	Migrate   = "migrate"
	Rollout   = "rollout"
	HealthOf  = "health"
	Validate  = "validate"
)

// PhaseNames returns the phases that --skip takes. Preflight resolves the image and is never left out.
func PhaseNames() []string { return []string{Backup, Provision, Migrate, Rollout, HealthOf, Validate} }

// World is what a deployment acts on.
type World struct {
	Env     *environment.Environment
	AWS     aws.Config
	Network probe.Network
	Clock   clock.Clock
	// Infra opens the stack. It is called when preflight has found no problem, and not in a dry run.
	Infra   func(context.Context) (Infrastructure, error)
	Records record.Store
	Report  Reporter
}

// Request is what one deployment is asked for.
type Request struct {
	// ID names the deployment; By is who asked for it.
	ID, By string
	// Tag is the image's tag or digest.
	Tag string
	// Kind is what sort of deployment it is.
	Kind record.Kind
	// Without are phases to leave out, each with the reason.
	Without map[string]string
	// DryRun ends after preflight.
	DryRun bool
	// WaitDelegation lets preflight wait until the internet knows the zone's name servers.
	WaitDelegation bool
}

// deployment is one deployment under way: what was asked for, and what the phases have found out so far.
type deployment struct {
	World
	Request
	record record.Deployment
	image  *Image
	// infra is the stack, opened by preflight.
	infra Infrastructure
	// touched says that the services may have been changed.
	touched bool
}

// phase is one step of a deployment.
type phase struct {
	name string
	// needless says why there is nothing to do; "" where there is.
	needless string
	// run does it, and says in a few words what came of it.
	run func(context.Context, voice) (string, error)
}

// Deploy runs a full deployment and returns its record. The error, where there is one, is a *NotStartedError, a
// *FailedError or an *InterruptedError; the record is complete in each case.
func Deploy(ctx context.Context, w World, r Request) (record.Deployment, error) {
	waiting := &stopwatch{Clock: w.Clock}
	w.Clock = waiting
	d := &deployment{World: w, Request: r, record: record.Deployment{
		ID: r.ID, Environment: w.Env.Name, Stack: w.Env.Stack, Kind: r.Kind, By: r.By,
		Started: w.Clock.Now().UTC(), Outcome: record.Running,
	}}
	err := d.runPhases(ctx)
	d.record.Ended = w.Clock.Now().UTC()
	d.record.WaitingSeconds = waiting.spent.Seconds()
	d.record.Outcome = outcomeOf(err)
	if err != nil {
		d.record.Error, d.record.Hint = err.Error(), hintOf(err)
	}
	if notStarted := new(NotStartedError); len(d.record.Phases) < 2 || r.DryRun || errors.As(err, &notStarted) {
		return d.record, err
	}
	// The record is written even when the deployment was interrupted, but CI systems then give little time.
	keeping, done := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer done()
	return d.record, errors.Join(err, w.Records.Save(keeping, d.record))
}

// recordLimit is how long keeping the record may take.
const recordLimit = 10 * time.Second

// stopwatch is a clock that knows how much time was spent waiting on it.
type stopwatch struct {
	clock.Clock
	spent time.Duration
}

// Wait implements clock.Clock.
func (s *stopwatch) Wait(ctx context.Context, d time.Duration) error {
	began := s.Now()
	err := s.Clock.Wait(ctx, d)
	s.spent += s.Now().Sub(began)
	return err
}

func outcomeOf(err error) record.Outcome {
	var interrupted *InterruptedError
	switch {
	case err == nil:
		return record.Succeeded
	case errors.As(err, &interrupted):
		return record.Interrupted
	}
	return record.Failed
}

// phases is the deployment as a list.
func (d *deployment) phases() []phase {
	before := d.Env.Deployment.Migrations.Order == environment.BeforeServices
	migrations := phase{name: Migrate, run: d.migrate}
	list := []phase{
		{name: Preflight, run: d.preflight},
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

func (d *deployment) runPhases(ctx context.Context) error {
	for _, p := range d.phases() {
		if d.DryRun && p.name != Preflight {
			p.needless = cmp.Or(p.needless, "dry run")
		}
		err := d.runPhase(ctx, p)
		var notStarted *NotStartedError
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return &InterruptedError{Phase: p.name, Cause: context.Cause(ctx), Left: d.left(p.name, err)}
		case errors.As(err, &notStarted):
			return err
		}
		return &FailedError{Phase: p.name, Cause: err, Undone: d.undo(ctx, p.name)}
	}
	return nil
}

// left is what a stopped deployment leaves: in preflight nothing, later what the phase says of itself.
func (d *deployment) left(phase string, err error) string {
	if phase == Preflight {
		return "nothing was changed"
	}
	return err.Error()
}

// runPhase reports and records one phase.
func (d *deployment) runPhase(ctx context.Context, p phase) error {
	v := voice{phase: p.name, report: d.Report, now: d.Clock.Now}
	began := d.Clock.Now()
	v.report(Event{Time: began, Kind: PhaseStarted, Phase: p.name})
	result := record.Phase{Name: p.name, Outcome: record.Skipped, Message: p.needless}
	var err error
	if p.needless == "" {
		result.Outcome = record.Succeeded
		if result.Message, err = p.run(ctx, v); err != nil {
			result.Outcome, result.Message = record.Failed, err.Error()
			if ctx.Err() != nil {
				result.Outcome = record.Interrupted
			}
		}
	}
	took := d.Clock.Now().Sub(began)
	result.Seconds = took.Seconds()
	d.record.Phases = append(d.record.Phases, result)
	v.report(Event{
		Time: d.Clock.Now(), Kind: PhaseEnded, Phase: p.name, Message: result.Message, Outcome: result.Outcome, Took: took,
	})
	return err
}

func (d *deployment) preflight(ctx context.Context, v voice) (string, error) {
	look := &preflight{env: d.Env, aws: d.AWS, resolver: d.Network.Resolver, now: d.Clock.Now(), tag: d.Tag}
	image, problems := look.run(ctx)
	for d.WaitDelegation && onlyDelegation(problems) {
		v.progress("%s; %s", problems[0].Message, problems[0].Hint)
		if err := d.Clock.Wait(ctx, delegationPoll); err != nil {
			return "", err
		}
		image, problems = look.run(ctx)
	}
	if slices.ContainsFunc(problems, func(p Problem) bool { return p.Stops }) {
		return "", &NotStartedError{Problems: problems}
	}
	for _, p := range problems {
		v.warn("%s: %s", p.Check, p.Message)
		d.record.Warnings = append(d.record.Warnings, p.Message)
	}
	d.image, d.record.Image = image, image.Image
	if !d.DryRun {
		var err error
		if d.infra, err = d.Infra(ctx); err != nil {
			return "", NotStarted("stack", err)
		}
	}
	return fmt.Sprintf("%s is %s", image.Tag, shortDigest(image.Digest)), nil
}

// delegationPoll is how often the registrar's change is looked for.
const delegationPoll = time.Minute

// onlyDelegation reports whether waiting for the registrar is all that is left to do.
func onlyDelegation(problems []Problem) bool {
	stopping := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return !p.Stops })
	return len(stopping) == 1 && stopping[0].Check == "delegation"
}

// shortDigest is enough of a digest for people to recognise it.
func shortDigest(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func (d *deployment) backup(ctx context.Context, v voice) (string, error) {
	b := &backup{env: d.Env, rds: rds.NewFromConfig(d.AWS), clock: d.Clock}
	snapshot, err := b.run(ctx, v)
	if err != nil {
		return "", err
	}
	d.record.Snapshot = snapshot
	if snapshot == "" {
		return "there is no database yet", nil
	}
	return "snapshot " + snapshot, nil
}

func (d *deployment) provision(ctx context.Context, v voice) (string, error) {
	done, err := d.infra.Provision(ctx, d.image.Reference, func(s string) { v.progress("%s", s) })
	return d.changed(done, v), err
}

// changed is the summary of an update; its warnings are passed on.
func (d *deployment) changed(done Update, v voice) string {
	d.record.EngineSeconds += done.Took.Seconds()
	for _, warning := range done.Warnings {
		v.warn("%s", warning)
		d.record.Warnings = append(d.record.Warnings, warning)
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
	network, err := d.infra.TaskNetwork(ctx)
	if err != nil {
		return "", err
	}
	m := &migrate{
		env: d.Env, ecs: ecs.NewFromConfig(d.AWS), logs: cloudwatchlogs.NewFromConfig(d.AWS), clock: d.Clock, deployment: d.ID,
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
	watcher, err := d.watcher(ctx, d.image)
	if err != nil {
		return "", err
	}
	d.touched = true
	done, err := d.infra.Release(ctx, d.image.Reference, func(s string) { v.progress("%s", s) })
	if err != nil {
		return "", err
	}
	summary := d.changed(done, v)
	if d.record.TaskDefinitions, err = watcher.run(ctx, v); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; every task runs %s", summary, shortDigest(d.image.Digest)), nil
}

// watcher knows what the services were doing before they are changed.
func (d *deployment) watcher(ctx context.Context, image *Image) (*rollout, error) {
	r := &rollout{
		env: d.Env, ecs: ecs.NewFromConfig(d.AWS), elb: elb.NewFromConfig(d.AWS),
		logs: cloudwatchlogs.NewFromConfig(d.AWS), clock: d.Clock, image: image,
	}
	return r, r.remember(ctx)
}

func (d *deployment) health(ctx context.Context, v voice) (string, error) {
	results, err := d.probe(ctx, v)
	d.record.Health = results
	if err != nil {
		return "", err
	}
	// Only a rollout brings the image to the services; without one, what answers may be another.
	d.record.Verified = d.touched
	return fmt.Sprintf("%d probes of %s answered well", len(results), d.Env.URL()), nil
}

func (d *deployment) probe(ctx context.Context, v voice) ([]probe.Result, error) {
	h := &health{env: d.Env, elb: elb.NewFromConfig(d.AWS), network: d.Network, clock: d.Clock}
	return h.run(ctx, v)
}

func (d *deployment) validate(ctx context.Context, v voice) (string, error) {
	report := checks.Run(ctx, d.Env, checks.Sources{AWS: d.AWS, Network: d.Network}, checks.Options{}, d.Clock)
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
		if f.Status == checks.Error {
			broken = append(broken, text)
			continue
		}
		d.record.Warnings = append(d.record.Warnings, text)
	}
	if len(broken) > 0 {
		return "", withHint(fmt.Errorf("%d of %d checks failed:\n    %s", len(broken), report.Summary.Total, strings.Join(broken, "\n    ")),
			"`deployer status --env "+d.Env.Stack+" --verbose` shows causes and remedies")
	}
	return fmt.Sprintf("%d of %d checks are healthy", report.Summary.Healthy, report.Summary.Total), nil
}
