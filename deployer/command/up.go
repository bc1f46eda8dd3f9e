package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func upVerb() verb {
	return verb{
		name: "up", usage: "deploy an image: infrastructure, migrations, services, health",
		changes: true,
		long: `A full deployment in one process. Its phases: preflight (changes nothing and reports every
problem at once), wake (where the environment is asleep), backup, provision, migrate, rollout,
health, bake (where deployment.rollout.bake is set), validate.

With --code-only it has the same phases, but changes only task definitions and services. Without --image-tag it deploys
STACK-latest, which the pipelines push, such as staging-latest. Changes of the infrastructure that wait for a full
deployment are listed.

A tag is resolved to a digest once, and the digest is deployed. --image-tag TAG@DIGEST deploys what was approved: where the tag has
another digest by then, nothing is changed. A protected environment's question shows the digest.`,
		examples: []string{
			"deployer up --env staging --image-tag 1.41.8-abc123def",
			"deployer up --env staging --image-tag 1.41.8-abc123def --dry-run",
			"deployer up --env staging --image-tag 1.41.8-abc123def --refresh",
			"deployer up --env production --image-tag 1.41.8-abc123def --yes",
			"deployer up --env production --image-tag 1.41.8-abc123def@sha256:$DIGEST --yes",
			"deployer up --env production --image-tag 1.41.9-fedcba987 --unverified 'fixes the outage of 4 May'",
			"deployer up --env staging --code-only --image-tag 1.41.8-abc123def",
			"deployer up --env staging --code-only --restart",
			"deployer up --env dev --image-tag latest --component network,database",
			"deployer up --env dev --image-tag latest --local --fault task-crash",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "component", Usage: "deploy only these `COMPONENTS` of the program: " + strings.Join(stack.ComponentNames(), ", ")},
			imageTagFlag(""),
			&cli.StringSliceFlag{Name: "skip", Usage: "skip these `PHASES`: " + strings.Join(release.PhaseNames(), ", ")},
			&cli.BoolFlag{Name: "code-only", Usage: "change only task definitions and services; without --image-tag, deploy STACK-latest"},
			&cli.BoolFlag{Name: "restart", Usage: "with --code-only: start new tasks of the image that runs, with the current secrets"},
			&cli.BoolFlag{Name: "dry-run", Usage: "run preflight, show what would change, and change nothing"},
			&cli.BoolFlag{Name: "refresh", Usage: "read the account first, and revert what was changed outside the deployer"},
			&cli.BoolFlag{Name: "new-stack", Usage: "start with an empty state even if the account has this environment's resources"},
			&cli.BoolFlag{Name: "wait-delegation", Usage: "wait until the domain is delegated to the zone, instead of failing"},
			&cli.StringFlag{Name: "unverified", Usage: "deploy an image that deployment.verifiedIn rejects, for a `REASON` " +
				"that the record keeps; one that is not needed is a warning"},
			deploymentNotifyFlag(),
			stopMigrationFlag(),
			waitFlag(),
			strictFlag(),
		},
		required: []string{"--image-tag TAG", "--code-only", "--restart"},
		engine:   true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			o := upOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks, shared: s.shared, releaser: s.releaser(),
				action: "up", tag: c.String("image-tag"), skip: split(c.StringSlice("skip")), components: split(c.StringSlice("component")),
				dryRun: c.Bool("dry-run"), waitDelegation: c.Bool("wait-delegation"), newStack: c.Bool("new-stack"),
				refresh: c.Bool("refresh"), codeOnly: c.Bool("code-only"), restart: c.Bool("restart"),
				stopMigration: c.Bool("stop-migration"), unverified: strings.TrimSpace(c.String("unverified")), unverifiedSet: c.IsSet("unverified"),
			}
			return s.withNotifier(ctx, c.String("notify"), func(n *deploymentNotifier) error {
				o.releaser.notifier = n
				return s.withJSONResult(o.kind(), o.tag, func() error { return o.run(ctx) })
			})
		},
	}
}

// upOptions are a deployment's.
type upOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
	shared   *sharedStack
	releaser releaser

	// action names the command in the lock.
	action string
	// tag is the image's tag, its digest, or TAG@DIGEST. After run has resolved it, "" is the image that runs.
	tag        string
	skip       []string
	components []string

	dryRun, waitDelegation bool
	// newStack begins with an empty state whatever the account has.
	newStack bool
	// refresh reads the account before anything is changed.
	refresh bool
	// codeOnly excludes the infrastructure; restart deploys the image that runs.
	codeOnly, restart bool
	// service is the only one that is restarted; "" restarts all.
	service environment.Role
	// unverified is why an image is deployed that deployment.verifiedIn rejects; unverifiedSet reports that the flag was given.
	unverified    string
	unverifiedSet bool
	// stopMigration stops the migration when its watch is interrupted.
	stopMigration bool
}

func (o upOptions) run(ctx context.Context) error {
	name := o.targets.selected
	env, err := o.targets.environment(name)
	if err != nil {
		return err
	}
	tag, err := o.resolveTag(env)
	if err := errors.Join(o.check(), err, o.targets.rejectRegionMismatch(name), o.rejectConflicts(name)); err != nil {
		return err
	}
	o.tag = tag
	open := o.targets.open
	if o.dryRun {
		open = o.shared.openReadOnly
	}
	t, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer o.targets.close(t)
	if o.dryRun {
		return o.release(ctx, t)
	}
	return o.locked(ctx, t)
}

// rejectConflicts compares the environment's file with the others. A deployment of code changes nothing in which they could conflict, and is not
// held up by another environment's file.
func (o upOptions) rejectConflicts(name string) error {
	if o.codeOnly {
		return nil
	}
	_, err := environment.LoadAndCompare(o.targets.options.Dir, name)
	return err
}

// resolveTag decides which image is deployed: the one that --image-tag names, the one that runs (""), or the latest.
func (o upOptions) resolveTag(env *environment.Environment) (string, error) {
	switch {
	case o.tag != "":
		return checkTag(env, o.tag)
	case o.restart:
		return "", nil
	case o.codeOnly:
		return env.LatestTag(), nil
	}
	return "", hint.With(errors.New("--image-tag is missing: which image?"), "give a tag such as 1.41.8-abc123def")
}

// checkTag returns the image that is named, without the repository of a whole reference. It rejects another repository, and what can be neither
// a tag, a digest nor TAG@DIGEST.
func checkTag(env *environment.Environment, tag string) (string, error) {
	name, err := release.ImageName(env, tag)
	if err != nil || release.ValidImage(name) {
		return name, err
	}
	return "", hint.With(fmt.Errorf("%q is not an image tag", tag), "give a tag, which has at most 128 letters, digits, periods, hyphens and underscores; "+
		"a digest, sha256: and 64 hexadecimal digits, or at least the first 7; or TAG@DIGEST, whose digest is whole")
}

// check rejects flags that contradict each other, and names that do not exist.
func (o upOptions) check() error {
	const leaveOut = "leave one of them out"
	switch {
	case o.restart && !o.codeOnly:
		return hint.With(errors.New("--restart changes tasks only: it needs --code-only"),
			"`deployer up --code-only --restart` starts new tasks of the image that runs")
	case o.restart && o.tag != "":
		return hint.With(errors.New("--restart deploys the image that runs, and --image-tag names another"), leaveOut)
	case o.unverifiedSet && o.unverified == "":
		return hint.With(errors.New("--unverified has no reason"), "give the reason, which the record keeps")
	case strings.HasPrefix(o.unverified, "-"):
		return hint.With(fmt.Errorf("--unverified: the reason %q begins with -, as a flag does", o.unverified),
			"give a reason in words after --unverified, and every flag on its own")
	case o.codeOnly && len(o.components) > 0:
		return hint.With(errors.New("--code-only and --component both limit what is deployed"), leaveOut)
	}
	for _, name := range o.components {
		if !slices.Contains(stack.ComponentNames(), name) {
			return unknownValue("--component: unknown component", name, stack.ComponentNames(), "the components are ")
		}
	}
	for _, name := range o.skip {
		if !slices.Contains(release.PhaseNames(), name) {
			return unknownValue("--skip: unknown phase", name, release.PhaseNames(), "the phases are ")
		}
	}
	return nil
}

// locked deploys under the environment's lock. An account without its bucket lacks more than a place for the lock: there preflight
// runs without it, and reports all that is missing.
func (o upOptions) locked(ctx context.Context, t *target.Target) error {
	defer o.stacks.PrintKey(t)
	acquired, changed := false, ""
	err := o.locks.withLock(ctx, t, o.action, func(ctx context.Context) error {
		acquired = true
		if t.Env.Protected {
			action, reason := o.question(""), t.Name+" is protected"
			if o.terminal.asks() {
				image, err := release.DescribeChange(ctx, t.AWS, t.Env, o.tag)
				if err != nil {
					return o.rejected(ctx, t, err)
				}
				// A tag that moves while the question is open is rejected.
				action, reason, o.tag = o.question(image.New), reason+" and "+image.Running, image.Name
				if plan, err := o.shortPlan(ctx, t, image.Reference); err != nil {
					return err
				} else if plan != "" {
					reason += "; " + plan
				}
			}
			if o.changes(stack.DatabaseComponent) {
				if notice := release.UpgradeNotice(ctx, t.AWS, t.Env, o.skippedPhases(t.Env)); notice != "" {
					reason += "; " + notice
				}
			}
			if err := o.terminal.confirm(ctx, action, t.Name, reason); err != nil {
				return err
			}
		}
		if t.Simulated != nil && !o.codeOnly {
			sharedDeployed, err := o.shared.ensureLocal(ctx, t, false)
			if err != nil {
				return err
			}
			if sharedDeployed {
				changed = "the shared stack, which was deployed"
			}
		}
		tag, digest := release.SplitImage(o.tag)
		t.Held.Image(cmp.Or(tag, digest))
		return release.ChangedBefore(o.release(ctx, t), changed)
	})
	if missing := (*lock.NoBucketError)(nil); acquired || !errors.As(err, &missing) {
		return err
	}
	o.dryRun = true
	return o.release(ctx, t)
}

// question returns what a person is asked to confirm, up to the environment's name. The image is "" where it was not resolved.
func (o upOptions) question(image string) string {
	switch {
	case o.service != "":
		return "restart " + string(o.service) + " in"
	case o.restart:
		return "restart every service in"
	case image == "":
		return "deploy to"
	}
	return "deploy " + image + " to"
}

// rejected reports why nothing can be deployed, with every other problem that preflight finds.
func (o upOptions) rejected(ctx context.Context, t *target.Target, why error) error {
	o.dryRun = true
	if err := o.release(ctx, t); err != nil {
		return err
	}
	return why
}

// release deploys, and prints the outcome. In a dry run the lock is not held.
func (o upOptions) release(ctx context.Context, t *target.Target) error {
	env, open := t.Env, o.opener(t)
	if o.codeOnly {
		opened, err := o.stacks.OpenCode(ctx, t)
		if err == nil {
			if o.refresh {
				opened.RefreshFirst()
			}
			if env, err = o.deployedEnvironment(t, opened); err != nil {
				return err
			}
		}
		// Preflight reports a stack that cannot be opened, with every other problem.
		open = func(context.Context) (release.Infrastructure, error) { return opened, err }
	}
	releaser := o.releaser
	releaser.plan = func(ctx context.Context, image string) (ui.Preview, error) { return o.plan(ctx, t, image) }
	result, err := releaser.run(ctx, t, env, open, release.Request{
		Tag: o.tag, Kind: o.kind(), Components: o.components,
		SkipPhases: o.skippedPhases(t.Env), LeftOut: o.leftOut(), DryRun: o.dryRun, WaitDelegation: o.waitDelegation,
		Restart: o.restart, RestartOnly: o.service, StopMigration: o.stopMigration, Unverified: o.unverified, WarnOnlyChecks: o.warnOnlyChecks(),
		ChangesNetwork: o.changes(stack.NetworkComponent), ChangesDatabase: o.changes(stack.DatabaseComponent),
	})
	if err == nil && o.releaser.format != "json" {
		running := ""
		if !o.dryRun && !ran(result, release.Rollout) {
			running = release.DescribeRunning(ctx, t.AWS, env)
		}
		o.printSummary(env, result, running)
	}
	return err
}

// deployedEnvironment returns the environment as a deployment of code leaves it. With --service the deployed code stays.
func (o upOptions) deployedEnvironment(t *target.Target, opened *stack.Stack) (*environment.Environment, error) {
	env := opened.Deployed(o.setCode(t, opened))
	if o.service != "" && env.Services.Get(o.service) == nil {
		var has []string
		for _, s := range env.Services.List() {
			has = append(has, string(s.Role))
		}
		return nil, unknownValue(fmt.Sprintf("--service: %s has no service", env.Name), string(o.service), has, "its services are ")
	}
	return env, nil
}

// setCode sets and returns the code that a code-only deployment deploys: that of the file. A restart keeps the architecture, as it
// keeps the image, which was built for it; with --service it keeps all of the deployed code.
func (o upOptions) setCode(t *target.Target, opened *stack.Stack) *environment.Code {
	code := t.Env.Code()
	switch {
	case o.service != "":
		return opened.SetCode(nil)
	case o.restart:
		code.Architecture = opened.Deployed(nil).Image.Architecture
	}
	return opened.SetCode(&code)
}

// opener returns what opens the stack.
func (o upOptions) opener(t *target.Target) func(context.Context) (release.Infrastructure, error) {
	return func(ctx context.Context) (release.Infrastructure, error) {
		if len(o.components) > 0 {
			if err := o.stacks.CheckComponents(ctx, t, o.components); err != nil || o.dryRun {
				return nil, err
			}
		}
		opened, err := o.stacks.Open(ctx, t, o.mode(), stack.Scope{Components: o.components})
		if err == nil && o.refresh {
			opened.RefreshFirst()
		}
		return opened, err
	}
}

// warnOnlyChecks returns the checks of preflight that only warn: where no certificate has to be validated, a zone that is not
// delegated stops nothing, unless --wait-delegation asks to wait for it.
func (o upOptions) warnOnlyChecks() []string {
	if o.restart {
		return []string{release.Migration} // the image stays the same
	}
	if len(o.components) == 0 || slices.Contains(o.components, stack.CertificateComponent) || o.waitDelegation {
		return nil
	}
	return []string{release.Delegation}
}

// changes reports whether a component is deployed as the file describes it.
func (o upOptions) changes(component string) bool {
	return !o.codeOnly && (len(o.components) == 0 || slices.Contains(o.components, component))
}

func (o upOptions) kind() history.Kind {
	switch {
	case o.codeOnly:
		return history.CodeOnly
	case len(o.components) > 0:
		return history.Components
	}
	return history.Full
}

// skippedPhases returns the phases that do not run, and why.
func (o upOptions) skippedPhases(env *environment.Environment) map[string]string {
	skipped := map[string]string{}
	only := "only " + strings.Join(o.components, ", ")
	const same = "the image stays the same"
	switch {
	case o.restart:
		skipped[release.Backup], skipped[release.Provision], skipped[release.Migrate] = same, same, same
	case o.codeOnly && (env.Deployment.Migrations.Order != environment.BeforeServices || slices.Contains(o.skip, release.Migrate)):
		skipped[release.Provision] = "no migration comes before the services"
	case len(o.components) > 0:
		skipped[release.Migrate] = only
		if !slices.Contains(o.components, stack.ServicesComponent) {
			skipped[release.Rollout] = only
		}
		if slices.Equal(o.components, []string{stack.ServicesComponent}) {
			skipped[release.Provision] = only
		}
	}
	for _, name := range o.skip {
		skipped[name] = "skipped with --skip"
	}
	return skipped
}

// leftOut returns the phases that do not run although the image needs them: those of --skip, and the migration of an image whose services are
// deployed as a component.
func (o upOptions) leftOut() []string {
	if slices.Contains(o.components, stack.ServicesComponent) && !slices.Contains(o.skip, release.Migrate) {
		return append(slices.Clone(o.skip), release.Migrate)
	}
	return o.skip
}

// printSummary prints the outcome: only what a phase verified, and what was skipped. Only a rollout verifies that an image runs, and only the
// health phase that the environment's URL answers. Running is what runs, where nothing was rolled out.
func (o upOptions) printSummary(env *environment.Environment, result history.Deployment, running string) {
	tag, components := result.Image.Tag, strings.Join(o.components, ", ")
	rolledOut, healthy := ran(result, release.Rollout), ran(result, release.Health)
	var line string
	switch {
	case o.dryRun && o.service != "":
		line = fmt.Sprintf("the service %s of %s, which runs %s, can be restarted", o.service, env.Name, tag)
	case o.dryRun && o.restart:
		line = fmt.Sprintf("%s, which runs in %s, can be restarted", tag, env.Name)
	case o.dryRun && len(o.components) > 0:
		line = fmt.Sprintf("%s of %s can be deployed with %s", components, env.Name, tag)
	case o.dryRun:
		line = fmt.Sprintf("%s can be deployed to %s", tag, env.Name)
	case len(o.components) > 0 && (rolledOut || ran(result, release.Provision) && !slices.Contains(o.components, stack.ServicesComponent)):
		if line = fmt.Sprintf("%s of %s deployed", components, env.Name); rolledOut {
			line += ", with " + tag
		}
	case len(o.components) > 0 && !slices.Contains(o.components, stack.ServicesComponent):
		line = fmt.Sprintf("%s of %s not deployed", components, env.Name)
	case !rolledOut:
		line = fmt.Sprintf("%s was not rolled out: %s %s", tag, env.Name, running)
	case o.service != "":
		line = fmt.Sprintf("every task of the service %s in %s was restarted with %s", o.service, env.Name, tag)
	case o.restart:
		line = fmt.Sprintf("every task of %s in %s was restarted", tag, env.Name)
	case !healthy:
		line = fmt.Sprintf("%s runs in %s, and whether %s answers was not checked", tag, env.Name, env.URL())
	default:
		line = fmt.Sprintf("%s runs in %s at %s", tag, env.Name, env.URL())
	}
	line += bakedText(env, result)
	if o.dryRun {
		line += "; " + dryRunNote
	} else {
		line = fmt.Sprintf("%s, after %s%s", line, o.terminal.took(result), warningCount(result))
	}
	if skipped := o.leftOut(); len(skipped) > 0 {
		line += "; skipped: " + strings.Join(skipped, ", ")
	}
	o.terminal.printf("%s\n", line)
}

// warningCount returns how many warnings a deployment has, as the end of a sentence; "" where it has none.
func warningCount(result history.Deployment) string {
	if len(result.Warnings) == 0 {
		return ""
	}
	return ", with " + text.Plural(len(result.Warnings), "warning", "")
}

// dryRunNote ends the last line of a dry run.
const dryRunNote = "dry run: nothing was changed"

// bakedText returns for how long a new version was watched, or that the bake could not judge it; "" where there was no bake.
func bakedText(env *environment.Environment, result history.Deployment) string {
	baked := list.Find(result.Phases, func(p history.Phase) bool { return p.Name == release.Bake })
	switch {
	case result.DryRun || baked == nil:
	case baked.Outcome == history.Succeeded:
		return ", baked " + env.Deployment.Rollout.Bake.String()
	case baked.Outcome == history.Incomplete:
		return ", not verified: " + release.CouldNotJudge
	}
	return ""
}

// ran reports whether a phase of a deployment succeeded, and was not skipped.
func ran(result history.Deployment, phase string) bool {
	return slices.ContainsFunc(result.Phases, func(p history.Phase) bool { return p.Name == phase && p.Outcome == history.Succeeded })
}
