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
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// phases returns the phases of the deployment, in order.
func (d *deployment) phases() []phase {
	migrations := phase{name: Migrate, run: d.migrate}
	if d.request.Kind == history.Migrate {
		return []phase{{name: Preflight, run: d.preflight}, migrations}
	}
	settings := d.deps.Env.Deployment
	backup := phase{name: Backup, run: d.backup, skip: func(context.Context) string {
		// A major upgrade cannot be undone, even where the environment has no backup.
		if settings.Backup == environment.BackupSnapshot || d.upgradesDatabase {
			return ""
		}
		return "deployment.backup is none in " + environment.FileName(d.deps.Env.Stack)
	}}
	phases := []phase{
		{name: Preflight, run: d.preflight},
		{name: Repair, run: d.repair, enabled: d.previousCrashed},
		{name: Wake, run: d.wake, enabled: d.isWoken},
		backup,
		{name: Provision, run: d.provision},
		{name: Rollout, run: d.rollout},
		{name: Health, run: d.health, skip: d.nothingToProbe},
		{name: Bake, run: d.bake, enabled: d.isBakeConfigured, skip: d.nothingToBake},
		{name: Validate, run: d.validate},
	}
	at := slices.IndexFunc(phases, func(p phase) bool { return p.name == Rollout })
	if settings.Migrations.Order != environment.BeforeServices {
		at++
	}
	phases = slices.Insert(phases, at, migrations)
	for i := range phases {
		if reason, skipped := d.request.SkipPhases[phases[i].name]; skipped {
			phases[i].skipReason = reason
		}
	}
	return phases
}

func (d *deployment) preflight(ctx context.Context, log phaseLog) (string, error) {
	d.waitsForCrashed = !d.request.DryRun && d.crashedBefore(ctx)
	image, problems, err := d.checkUntilReady(ctx, log)
	if err != nil {
		return "", err
	}
	problems = append(problems, d.databaseSwapPending(ctx)...)
	stops := func(p Problem) bool { return p.Stops }
	if stopping := slices.ContainsFunc(problems, stops); stopping || d.request.DryRun {
		problems = append(problems, d.recordedProblems(ctx, stopping)...)
	}
	if slices.ContainsFunc(problems, stops) {
		return "", &NotStartedError{Problems: problems}
	}
	for _, p := range problems {
		d.warn(log, p.Check+": "+p.Message)
	}
	d.image, d.record.Image = image, image.Image
	if d.isWoken() {
		log.note("%s", WakesFirst(d.deps.Env, d.asleep))
	}
	if d.request.Kind == history.Migrate || d.migratesUnprovisioned() {
		if err := anyDefinition(ctx, ecs.NewFromConfig(d.deps.AWS), d.deps.Env, image.Reference); err != nil {
			return "", NotStarted(Migration, err)
		}
	}
	if !d.request.DryRun {
		if problems := d.openStack(ctx); len(problems) > 0 {
			return "", &NotStartedError{Problems: problems}
		}
		deployed := d.infra.Deployed(nil)
		if d.appliesFile() {
			if problems := fixedProblems(d.deps.Env, deployed); len(problems) > 0 {
				return "", &NotStartedError{Problems: problems}
			}
		}
		d.codeBefore = deployed.Code()
		d.checkPreviousRun(ctx)
	}
	return fmt.Sprintf("%s is %s", image.Tag, awsx.ShortDigest(image.Digest)), nil
}

// migratesUnprovisioned reports whether the migration runs although no phase before it registers a task definition with the image.
func (d *deployment) migratesUnprovisioned() bool {
	skipped := d.request.SkipPhases
	return skipped[Provision] != "" && skipped[Migrate] == "" &&
		(d.deps.Env.Deployment.Migrations.Order == environment.BeforeServices || skipped[Rollout] != "")
}

// checkUntilReady runs the checks of preflight, again and again while there is a problem that is to be waited for.
func (d *deployment) checkUntilReady(ctx context.Context, log phaseLog) (*Image, []Problem, error) {
	checker := &preflight{
		env: d.deps.Env, aws: d.deps.AWS, clock: d.deps.Clock, resolver: d.deps.Network.Resolver, tag: d.request.Tag,
		records: d.deps.Records, unverified: d.request.Unverified, restart: d.request.Restart,
		warnOnly: d.request.WarnOnlyChecks, checkState: d.deps.CheckState, migrationOnly: d.request.Kind == history.Migrate,
		backup: d.request.SkipPhases[Backup] == "", migrates: d.request.SkipPhases[Migrate] == "",
		appliesFile: d.appliesFile() || d.request.Kind == history.CodeOnly && !d.request.Restart,
		rollsOut:    d.request.SkipPhases[Rollout] == "", replacesTasks: d.request.Kind == history.Full,
		bakes: d.isBakeConfigured() && d.request.SkipPhases[Bake] == "",
	}
	if phase := programPhase(d.request.SkipPhases); phase != "" {
		checker.changesNetwork = d.request.ChangesNetwork
		if d.request.ChangesDatabase {
			checker.databasePhase = phase
		}
	}
	if d.request.Kind.IsCodeOnly() || d.request.Kind == history.Components && d.request.DryRun {
		checker.extraCheck = d.openStack
	}
	if checker.waits = d.request.Wait; d.request.Wait || d.waitsForCrashed {
		// The migrate phase waits for a running migration.
		checker.warnOnly = append(slices.Clone(checker.warnOnly), Migration)
	}
	started := d.deps.Clock.Now()
	for reported := ""; ; {
		checker.now = d.deps.Clock.Now()
		image, problems := checker.run(ctx)
		d.upgradesDatabase, d.record.Unverified, d.asleep = checker.upgrade, checker.passed, checker.sleep
		interval, problem := d.waitable(problems)
		if problem == nil || !d.request.Wait && d.waitsForCrashed && checker.now.Sub(started) >= databaseCreateLimit {
			if checker.deferred != "" {
				log.note("database: %s", checker.deferred)
			}
			return image, problems, nil
		}
		if problem.Message != reported {
			log.note("waiting: %s", problem.Message)
			reported = problem.Message
		}
		log.progress("%s", waitingFor(*problem))
		if err := d.deps.Clock.Wait(ctx, interval); err != nil {
			return nil, nil, err
		}
	}
}

// wayToWait matches the part of a hint that proposes to wait with a flag.
var wayToWait = lazyregexp.New(`(^|[,;] )[^,;]*--wait[^,;]*(, which [^,;]*)?`)

// waitingFor returns a problem that is waited for, with what else its hint proposes.
func waitingFor(p Problem) string {
	if rest := strings.TrimLeft(wayToWait.ReplaceAllString(p.Hint, ""), ",; "); rest != "" {
		return p.Message + "; " + rest
	}
	return p.Message
}

// openStack opens the stack, once. Where the deployment needs an existing one, preflight opens it while it runs the other checks.
func (d *deployment) openStack(ctx context.Context) []Problem {
	if d.infra != nil {
		return nil
	}
	start := d.deps.Clock.Now()
	infra, err := d.deps.OpenStack(ctx)
	d.record.EngineSeconds += d.deps.Clock.Now().Sub(start).Seconds()
	if err != nil {
		return blocking("stack", err)
	}
	d.infra = infra
	return nil
}

const (
	// transientInterval is the wait between two polls of a problem that resolves itself.
	transientInterval = 5 * time.Second
	// databaseCreateLimit is how long a deployment waits for a database that a crashed one has begun to create or change: for as long as the
	// provider waits for RDS.
	// Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/db_instance#timeouts
	databaseCreateLimit = 40 * time.Minute
	// delegationInterval is the wait between two lookups of the name servers.
	delegationInterval = time.Minute
)

// waitable returns the problem to wait for, and for how long; nil where there is none, or one that waiting does not resolve.
func (d *deployment) waitable(problems []Problem) (time.Duration, *Problem) {
	stopping := list.Filter(problems, func(p Problem) bool { return p.Stops })
	switch {
	case d.request.WaitDelegation && len(stopping) == 1 && stopping[0].Check == Delegation:
		return delegationInterval, &stopping[0]
	case !d.request.Wait && !d.waitsForCrashed, len(stopping) == 0,
		!d.request.Wait && slices.ContainsFunc(stopping, func(p Problem) bool { return p.Check != "database" }),
		slices.ContainsFunc(stopping, func(p Problem) bool { return !p.Transient }):
		return 0, nil
	}
	return transientInterval, &stopping[0]
}

func (d *deployment) provision(ctx context.Context, log phaseLog) (string, error) {
	update, err := d.infra.Provision(ctx, d.image.Reference, log.progressLine)
	d.timings.infrastructureChanges = update.InfrastructureChanges
	return d.updateSummary(update, log), err
}

// unchanged is the summary of an update that had nothing to do.
const unchanged = "nothing to change"

// updateSummary records an update, reports its warnings, and returns its summary.
func (d *deployment) updateSummary(update Update, log phaseLog) string {
	d.record.EngineSeconds += update.Took.Seconds()
	d.changed += update.Changed
	for _, warning := range update.Warnings {
		d.warn(log, warning)
	}
	if update.Changed == 0 {
		return unchanged
	}
	return text.Plural(update.Changed, "resource", "") + " changed"
}

func (d *deployment) migrate(ctx context.Context, log phaseLog) (string, error) {
	network, err := d.infra.TaskNetwork()
	if err != nil {
		return "", err
	}
	m := &migrationTask{
		env: d.deps.Env, ecs: ecs.NewFromConfig(d.deps.AWS), logs: cloudwatchlogs.NewFromConfig(d.deps.AWS), clock: d.deps.Clock,
		deployment: d.request.ID, image: d.image.Reference, registered: d.infra.MigrationDefinition(),
		command: d.request.Command, wait: d.request.Wait || d.waitsForCrashed, stopOnInterrupt: d.request.StopMigration,
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
	watcher, err := d.newWatcher(ctx, d.deps.Env, d.image)
	if err != nil {
		return "", err
	}
	d.servicesChanged, d.started.since = true, d.deps.Clock.Now()
	code := d.deps.Env.Code()
	d.record.Code = &code
	update, err := d.infra.Release(ctx, d.image.Reference, log.progressLine)
	summary := d.updateSummary(update, log)
	if err != nil {
		return "", err
	}
	if err := d.refreshServices(ctx, log, watcher, d.image); err != nil {
		return "", err
	}
	if !d.request.Kind.IsCodeOnly() {
		if err := watcher.applyCounts(ctx); err != nil {
			return "", err
		}
	}
	if d.request.Restart {
		if err := watcher.restart(ctx, d.request.RestartOnly); err != nil {
			return "", err
		}
	}
	d.previewPending(ctx)
	result, err := watcher.watch(ctx, log)
	d.record.TaskDefinitions, d.started.services = result.definitions, result.started
	if err != nil {
		_, _, noImage := d.lastVerifiedImage(ctx)
		if noImage != nil || d.deps.Env.Deployment.Rollback != environment.RollbackAutomatic || d.outsideImage(ctx, err) != "" {
			watcher.waitUntilIdle(ctx, log)
		}
		return "", err
	}
	if n := d.restarted(); n > 0 {
		summary = strings.TrimPrefix(summary+", ", unchanged+", ") + text.Plural(n, "service", "") + " restarted"
	}
	return fmt.Sprintf("%s; every task runs %s", summary, awsx.ShortDigest(d.image.Digest)), nil
}

// restarted returns how many services were restarted.
func (d *deployment) restarted() int {
	switch {
	case !d.request.Restart:
		return 0
	case d.request.RestartOnly != "":
		return 1
	}
	return len(d.deps.Env.Services.List())
}

// refreshServices deploys the services again where the state has the image and ECS, which rolled an earlier failure back, does not.
func (d *deployment) refreshServices(ctx context.Context, log phaseLog, watcher rolloutWatcher, image *Image) error {
	outdated, err := watcher.outdatedServices(ctx)
	if err != nil || len(outdated) == 0 {
		return err
	}
	log.note("ECS returned to an earlier revision of %s; deploying %s again", strings.Join(outdated, ", "), image.Tag)
	update, err := d.infra.RefreshServices(ctx, image.Reference, log.progressLine)
	d.record.EngineSeconds += update.Took.Seconds()
	return err
}

func (d *deployment) newECSWatcher(ctx context.Context, env *environment.Environment, image *Image) (rolloutWatcher, error) {
	r := newECSRollout(env, d.deps.AWS, d.deps.Clock, image)
	return r, r.captureBaseline(ctx)
}

func (d *deployment) health(ctx context.Context, log phaseLog) (string, error) {
	env := d.deployedEnvironment()
	results, err := d.probeHealth(ctx, log, env)
	if d.servicesChanged {
		d.record.Health = results
	}
	if err != nil {
		return "", err
	}
	succeeded := fmt.Sprintf("%d probes of %s succeeded", len(results), env.URL())
	if !d.servicesChanged { // they are no evidence for this image
		return succeeded + ", with what ran before", nil
	}
	if !d.bakes(ctx) {
		d.verify(ctx, log)
	}
	return succeeded, nil
}

// nothingToProbe returns why the probes are skipped: components were deployed before there is a load balancer; "" where there is one.
func (d *deployment) nothingToProbe(ctx context.Context) string {
	if d.request.Kind != history.Components || d.servicesChanged {
		return ""
	}
	_, err := ProbeTarget(ctx, d.deps.Env, elb.NewFromConfig(d.deps.AWS))
	if IsNoLoadBalancer(err) {
		return "there is no load balancer yet"
	}
	return ""
}

func (d *deployment) validate(ctx context.Context, log phaseLog) (string, error) {
	report := checks.Run(ctx, d.deployedEnvironment(), checks.Sources{AWS: d.deps.AWS, Network: d.deps.Network}, checks.Options{}, d.deps.Clock)
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var failed []string
	for _, f := range report.Services {
		if f.Status == checks.Healthy {
			continue
		}
		line := f.Service + ": " + f.Message
		log.warn("%s", line)
		if f.Status == checks.Error && d.isResponsibleFor(f.Component) {
			failed = append(failed, line)
			continue
		}
		d.record.Warnings = append(d.record.Warnings, line)
	}
	if len(failed) > 0 {
		return "", hint.With(fmt.Errorf("%d of %d checks failed:\n    %s", len(failed), report.Summary.Total, strings.Join(failed, "\n    ")),
			"run `deployer status --env "+d.deps.Env.Stack+" --verbose` for causes and solutions")
	}
	return fmt.Sprintf("%d of %d checks are healthy", report.Summary.Healthy, report.Summary.Total), nil
}

// deployedEnvironment returns the environment as the phases so far deployed it. Where only some components were, the file has more.
func (d *deployment) deployedEnvironment() *environment.Environment {
	if d.request.Kind == history.Components {
		return d.infra.Deployed(nil)
	}
	return d.deps.Env
}

// isResponsibleFor reports whether an error that a check of the component found fails the deployment. A deployment of code or of some
// components leaves the rest as it is: what an earlier deployment left incomplete and, for code, drift.
func (d *deployment) isResponsibleFor(component string) bool {
	switch {
	case d.request.Kind.IsCodeOnly() && component == "compliance":
		return false
	case d.request.Kind == history.Full || !d.previousIncomplete:
		return true
	}
	return slices.Contains([]string{"ecs_service", "ecs_tasks", "task_definition", "target_groups", "image", "secrets", "endpoint", "readiness"}, component)
}
