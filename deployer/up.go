package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func upVerb() verb {
	return verb{
		name: "up", usage: "deploy an image: infrastructure, migrations, services, health",
		about: `A full deployment in one process. Its phases: preflight (changes nothing and reports every
problem at once), backup, provision, migrate, rollout, health, validate.

With --code-only nothing but task definitions and services changes: the same phases, with an update of them alone in
place of provision. Without --image-tag it deploys STACK-latest, which the pipelines push: staging-latest. Changes of
the infrastructure that wait for a full deployment are listed.`,
		examples: []string{
			"deployer up --env staging --image-tag 1.41.8-abc123def",
			"deployer up --env staging --image-tag 1.41.8-abc123def --dry-run",
			"deployer up --env staging --image-tag 1.41.8-abc123def --refresh",
			"deployer up --env production --image-tag 1.41.8-abc123def --yes",
			"deployer up --env staging --code-only --image-tag 1.41.8-abc123def",
			"deployer up --env staging --code-only --restart",
			"deployer up --env dev --image-tag latest --component network,database",
			"deployer up --env dev --image-tag latest --local --fault task-crash",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "component", Usage: "only these `COMPONENTS` of the program: " + strings.Join(componentNames(), ", ")},
			&cli.StringFlag{Name: "image-tag", Aliases: []string{"t"}, Usage: "the image's `TAG` or sha256 digest"},
			&cli.StringSliceFlag{Name: "skip", Usage: "leave out `PHASES`: " + strings.Join(release.PhaseNames(), ", ")},
			&cli.BoolFlag{Name: "code-only", Usage: "change task definitions and services only; without --image-tag, to STACK-latest"},
			&cli.BoolFlag{Name: "restart", Usage: "with --code-only: start the image that runs anew, with the secrets of today"},
			&cli.BoolFlag{Name: "dry-run", Usage: "stop after preflight, before the first change"},
			&cli.BoolFlag{Name: "refresh", Usage: "read from the account first what is really there, and put back what was changed by hand"},
			&cli.BoolFlag{Name: "new-stack", Usage: "begin with an empty state although the account has this environment's resources"},
			&cli.BoolFlag{Name: "wait-delegation", Usage: "wait until the domain's name servers are the zone's, instead of stopping"},
			stopMigrationFlag(),
			waitFlag(),
			strictFlag(),
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			s.newStack = c.Bool("new-stack")
			u := up{
				tag: c.String("image-tag"), skip: split(c.StringSlice("skip")), components: split(c.StringSlice("component")),
				dryRun: c.Bool("dry-run"), waitDelegation: c.Bool("wait-delegation"),
				refresh: c.Bool("refresh"), codeOnly: c.Bool("code-only"), restart: c.Bool("restart"),
				stopMigration: c.Bool("stop-migration"),
			}
			return s.wholly(u.kind(), u.tag, func(s settings) error {
				u.settings = s
				return u.run(ctx)
			})
		},
	}
}

// up is a deployment.
type up struct {
	settings
	tag        string
	skip       []string
	components []string

	dryRun, waitDelegation bool
	// refresh reads from the account what is really there before anything is changed.
	refresh bool
	// codeOnly leaves the infrastructure as it is; restart takes the image that runs.
	codeOnly, restart bool
	// stopMigration stops the migration when its watch is interrupted.
	stopMigration bool
}

func (u up) run(ctx context.Context) error {
	env, err := u.environment()
	if err != nil {
		return err
	}
	if err := errors.Join(u.check(), u.checkRegion()); err != nil {
		return err
	}
	if u.codeOnly && u.tag == "" && !u.restart {
		u.tag = env.LatestTag()
	}
	opening := u.open
	if u.dryRun {
		opening = u.openTrial
	}
	p, err := opening(ctx, accountOf(env))
	if err != nil {
		return err
	}
	defer u.leave(p)
	if env.Protected && !u.dryRun {
		if err := u.confirm(ctx, "deploy to", env.Name, env.Name+" is protected"); err != nil {
			return err
		}
	}
	if u.dryRun {
		return u.release(ctx, p, env, nil)
	}
	return u.locked(ctx, p, env)
}

// locked deploys under the environment's lock. An account that was not bootstrapped lacks more than a place for the lock:
// there preflight runs without it, and says all that is missing.
func (u up) locked(ctx context.Context, p *place, env *environment.Environment) error {
	begun := false
	err := u.exclusively(ctx, p, env, "up", func(ctx context.Context, held *lock.Held) error {
		begun = true
		if u.local && !u.codeOnly {
			if err := u.shareLocally(ctx, p); err != nil {
				return err
			}
		}
		held.Image(u.tag)
		return u.release(ctx, p, env, held)
	})
	if bare := (*lock.NoBucketError)(nil); begun || !errors.As(err, &bare) {
		return err
	}
	u.dryRun = true
	return u.release(ctx, p, env, nil)
}

// release deploys, and reports the outcome. Nobody holds the lock in a dry run.
func (u up) release(ctx context.Context, p *place, env *environment.Environment, held *lock.Held) error {
	deployed := env
	result, err := u.show(held, func(report release.Reporter) (done history.Deployment, err error) {
		done, deployed, err = u.deploy(ctx, p, env, held, report)
		return done, err
	})
	if err == nil && u.format != "json" {
		u.finish(deployed, result)
	}
	return err
}

// check refuses what cannot be meant, before anything is asked.
func (u up) check() error {
	if err := u.checkCodeOnly(); err != nil {
		return err
	}
	switch {
	case u.tag == "" && u.codeOnly:
	case u.tag == "":
		return hint.With(errors.New("--image-tag is missing: which image?"), "give a tag such as 1.41.8-abc123def")
	default:
		if err := checkTag(u.tag); err != nil {
			return err
		}
	}
	for _, name := range u.components {
		if !slices.Contains(componentNames(), name) {
			return hint.With(fmt.Errorf("--component: there is no component %q", name), "the components are "+strings.Join(componentNames(), ", "))
		}
	}
	for _, name := range u.skip {
		if !slices.Contains(release.PhaseNames(), name) {
			return hint.With(fmt.Errorf("--skip: there is no phase %q to leave out", name), "the phases are "+strings.Join(release.PhaseNames(), ", "))
		}
	}
	return nil
}

// checkTag refuses what can be neither a tag nor a digest.
func checkTag(tag string) error {
	if release.ValidTag(tag) || strings.HasPrefix(tag, "sha256:") {
		return nil
	}
	return hint.With(fmt.Errorf("%q is no image tag", tag), "a tag has letters, digits, points, hyphens and underscores, at most 128")
}

// deploy opens the stack only when preflight has passed, so that a deployment that cannot start leaves no stack. It returns the
// record, and the environment as it is deployed.
func (u up) deploy(ctx context.Context, p *place, env *environment.Environment, held *lock.Held,
	report release.Reporter) (history.Deployment, *environment.Environment, error) {
	now := p.clock.Now()
	world := u.world(p, env, report)
	world.OpenStack = u.opener(p, env, held)
	if u.codeOnly {
		opened, err := u.openCode(ctx, p, env, u.refresh)
		if err == nil {
			opened.held = held
			world.Env = opened.Deployed(&opened.code)
		}
		// Preflight tells of a stack that cannot be opened, with every other problem.
		world.OpenStack = func(context.Context) (release.Infrastructure, error) { return opened, err }
	}
	done, err := release.Deploy(ctx, world, release.Request{
		ID: newID(now), By: whoami(), Tag: u.tag, Kind: u.kind(), SkipPhases: u.without(env), DryRun: u.dryRun, WaitDelegation: u.waitDelegation,
		Restart: u.restart, Wait: u.wait, StopMigration: u.stopMigration, PreviousCrashed: held.TakenOver(),
		WarnOnlyChecks: u.tolerated(),
	})
	return done, world.Env, err
}

// opener returns what opens the stack, or the components of it.
func (u up) opener(p *place, env *environment.Environment, held *lock.Held) func(context.Context) (release.Infrastructure, error) {
	return func(ctx context.Context) (release.Infrastructure, error) {
		some := len(u.components) > 0
		if some {
			if err := u.checkComponents(ctx, p, env, held); err != nil || u.dryRun {
				return nil, err
			}
		}
		opened, err := u.openEnvironment(ctx, p, env, false)
		if err != nil {
			return nil, err
		}
		if opened.refresh, opened.held = u.refresh, held; some {
			return partial{opened, u.components}, nil
		}
		return opened, nil
	}
}

// checkComponents returns an error where the components cannot be deployed alone. It makes no stack. Where an earlier
// deployment left something half-way, the repair comes first, and checks it after that.
func (u up) checkComponents(ctx context.Context, p *place, env *environment.Environment, held *lock.Held) error {
	handle, forget, err := u.openToPreview(ctx, p, env.Stack)
	if err != nil {
		return err
	}
	defer forget()
	some := partial{u.stackOf(handle, env), u.components}
	if some.held = held; some.needed() && !u.dryRun {
		return nil
	}
	return some.check(ctx)
}

func (u up) kind() history.Kind {
	switch {
	case u.codeOnly:
		return history.CodeOnly
	case len(u.components) > 0:
		return history.Partial
	}
	return history.Full
}

// without are the phases that have nothing to do, and why.
func (u up) without(env *environment.Environment) map[string]string {
	left := map[string]string{}
	if u.codeOnly {
		left = u.withoutInfrastructure(env)
	}
	if len(u.components) > 0 {
		only := "only " + strings.Join(u.components, ", ")
		left[release.Migrate] = only
		if !slices.Contains(u.components, servicesComponent) {
			left[release.Rollout] = only
		}
		if slices.Equal(u.components, []string{servicesComponent}) {
			left[release.Provision] = only
		}
	}
	for _, name := range u.skip {
		left[name] = "left out with --skip"
	}
	return left
}

// finish says what came of it.
func (u up) finish(env *environment.Environment, result history.Deployment) {
	took := result.Ended.Sub(result.Started).Round(100 * time.Millisecond)
	switch {
	case u.dryRun && u.restart:
		_, _ = fmt.Fprintf(u.out, "%s, which runs in %s, can be started anew\n", result.Image.Tag, env.Name)
	case u.restart:
		_, _ = fmt.Fprintf(u.out, "every task of %s in %s was started anew, after %s\n", result.Image.Tag, env.Name, took)
	case u.dryRun:
		_, _ = fmt.Fprintf(u.out, "%s can be deployed to %s\n", result.Image.Tag, env.Name)
	case len(u.components) > 0:
		_, _ = fmt.Fprintf(u.out, "%s of %s deployed, after %s\n", strings.Join(u.components, ", "), env.Name, took)
	default:
		_, _ = fmt.Fprintf(u.out, "%s runs in %s at %s, after %s\n", result.Image.Tag, env.Name, env.URL(), took)
	}
}

// world is what a deployment acts on at the place, but for the stack.
func (s settings) world(p *place, env *environment.Environment, report release.Reporter) release.Deps {
	return release.Deps{
		Env: env, AWS: p.aws, Network: p.network, Clock: p.clock, Records: p.records, Report: report,
		CheckState: func(ctx context.Context) error {
			_, err := p.locks.Get(ctx, env.Stack)
			return err
		},
	}
}

// show runs a deployment, shows how it goes, and its result where a program reads it. The lock, where there is one,
// knows of its phases.
func (s settings) show(held *lock.Held, deploy func(release.Reporter) (history.Deployment, error)) (history.Deployment, error) {
	progress := ui.NewProgress(s.err, s.progressOptions())
	result, err := deploy(phases(held, progress.Report))
	progress.Close()
	s.count(len(result.Warnings))
	if !s.quiet && s.format != "json" {
		ui.TimeBreakdown(s.err, result, s.style())
	}
	s.warn(writeJobSummary(os.Getenv("GITHUB_STEP_SUMMARY"), result))
	if s.format == "json" {
		s.warn(ui.JSON(s.out, result))
	}
	return result, err
}

// writeJobSummary adds the deployment to the summary page of a GitHub Actions job, where there is one.
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

// phases lets the lock know which phase the deployment is in.
func phases(held *lock.Held, report release.Reporter) release.Reporter {
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

// newID is the time in UTC and a random end.
func newID(now time.Time) string {
	var end [2]byte
	_, _ = rand.Read(end[:])
	return now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(end[:])
}

// whoami is who asked for a deployment: the person behind a workflow run, else the user of this machine.
func whoami() string {
	if actor := os.Getenv("GITHUB_ACTOR"); actor != "" {
		return actor
	}
	host, _ := os.Hostname()
	who, err := user.Current()
	if err != nil {
		return host
	}
	return who.Username + "@" + host
}
