package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func driftVerb() verb {
	return verb{
		name: "drift", usage: "what no longer matches: the account with the stack, the program with what is deployed",
		about: `Reads every resource from the account and holds it against the stack, which is what the last deployment left: where
they differ, somebody changed the account, property by property, or deleted something. Then previews the program with
the image that is running: where it differs from the stack, a change waits to be deployed. Changes nothing, takes no
lock, and needs no more than the right to read. --env takes several environments, a,b or all.
Exit code: 0 nothing differs, 2 something does, 3 could not run; of several the worst counts.`,
		examples: []string{
			"deployer drift --env staging",
			"deployer drift --env all --format markdown --output drift.md",
			"deployer drift --env production --format json | jq '.account[].name'",
			"deployer up --env staging --image-tag 1.41.8-abc123def --refresh",
		},
		formats: ui.DriftFormats(),
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return drift{settings: s}.run(ctx)
		},
	}
}

// drift holds environments against their stacks and their program.
type drift struct {
	settings
	// listed says that several environments were asked for.
	listed bool
}

func (d drift) run(ctx context.Context) error {
	if d.name == "" {
		_, err := d.environment()
		return err
	}
	names, err := d.names()
	if err != nil {
		return err
	}
	d.listed = strings.Contains(d.name, ",") || d.name == allEnvironments
	found := make([]ui.Drift, 0, len(names))
	var code error
	for _, name := range names {
		one := d
		one.name = name
		result, err := one.look(ctx)
		switch {
		case d.ends(ctx, result, err):
			return err
		case err != nil:
			printError(d.err, fmt.Errorf("%s: %w", name, err))
			failure := failureOf(err)
			result.Failure, code = &failure, verdict(codeNotRun)
		case !result.Clean():
			code = cmp.Or(code, error(verdict(codeWarnings)))
		}
		found = append(found, result)
	}
	return errors.Join(ui.Drifts(d.out, found, d.listed, d.format, d.style()), code)
}

// ends reports whether an error ends the whole look: an interruption, or one of a single environment of which nothing was
// found. A signal that comes when an environment has been looked at takes nothing from what was found.
func (d drift) ends(ctx context.Context, found ui.Drift, err error) bool {
	return err != nil && (errors.Is(context.Cause(ctx), errInterrupted) || !d.listed && found.Account.Empty())
}

// look holds one environment against its stack and its program. What was found before an error is returned with it.
func (d drift) look(ctx context.Context) (ui.Drift, error) {
	found := ui.Drift{Environment: d.name}
	err := d.checkRegion()
	if err != nil {
		return found, err
	}
	err = d.visit(ctx, func(env *environment.Environment, p *place) error {
		found.Environment, found.Stack, found.Region = env.Name, env.Stack, env.Region
		opened, err := d.openEnvironment(ctx, p, env, true)
		if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
			return nil
		}
		if err != nil {
			return err
		}
		before := opened.handle.Current()
		found.Image, found.Pending, found.Deployed = opened.recorded, before.Pending, len(before.Resources) > 0
		if !found.Deployed {
			return nil
		}
		found.InProgress = d.underWay(ctx, p, env)
		err = d.compare(ctx, env, opened, &found)
		found.InProgress = cmp.Or(found.InProgress, d.underWay(ctx, p, env))
		found.Remedies = d.remedies(ctx, p, env, found)
		return err
	})
	return found, err
}

// underWay says who changes the environment just now; "" where nobody does.
func (d drift) underWay(ctx context.Context, p *place, env *environment.Environment) string {
	standing, err := p.locks.Get(ctx, env.Stack)
	if err != nil {
		d.warn(fmt.Errorf("whether a deployment is under way is not known: %w", err))
		return ""
	}
	if standing == nil || standing.State == lock.StateExpired {
		return ""
	}
	held := lock.HeldError{Status: *standing}
	return held.Error() + "; what differs may be what it has not done yet"
}

// compare asks the engine what differs, and says meanwhile that it works.
func (d drift) compare(ctx context.Context, env *environment.Environment, opened *stack, found *ui.Drift) error {
	progress := ui.NewProgress(d.err, d.progressOptions())
	defer progress.Close()
	name := func(what string) string {
		if d.listed {
			return env.Stack + " " + what
		}
		return what
	}
	about := func(say func(string)) func(engine.Event) {
		return func(e engine.Event) {
			if e.Type != "" {
				say(engine.ShortType(e.Type) + " " + e.Name)
			}
		}
	}
	err := progress.Step(name("account"), func(say func(string)) (summary string, err error) {
		found.Account, err = opened.handle.PreviewRefresh(ctx, engine.Update{}, about(say))
		return ui.AccountSummary(found.Account), err
	})
	if err != nil {
		return err
	}
	image := cmp.Or(opened.recorded, env.ImageReference("sha256:"+emptyDigest))
	return progress.Step(name("program"), func(say func(string)) (summary string, err error) {
		found.Program, err = opened.handle.Preview(ctx, engine.Update{Program: opened.program(image, image)}, about(say))
		return ui.PlanSummary(found.Program), err
	})
}

// remedies say what can be done about what differs.
func (d drift) remedies(ctx context.Context, p *place, env *environment.Environment, found ui.Drift) []string {
	up := "deployer up --env " + env.Stack
	if d.local {
		up += " --local"
	}
	up += " --image-tag " + d.runningTag(ctx, p, env, found.Image)
	switch {
	case !found.Account.Empty():
		return []string{
			"`" + up + " --refresh` puts back what was changed in the account, and deploys what waits",
			"to keep a change, write it into " + environment.FileName(env.Stack) + " or the program first; with --refresh it is then taken over as it is",
		}
	case !found.Program.Empty():
		return []string{"`" + up + "` deploys what waits"}
	}
	return nil
}

// recordsSearched is how many of the last deployments are searched for the tag of the image that runs.
const recordsSearched = 5

// runningTag is how the image that runs is asked for: by the tag that it was deployed with, where a record knows it,
// else by its digest.
func (d drift) runningTag(ctx context.Context, p *place, env *environment.Environment, image string) string {
	if image == "" {
		return "TAG"
	}
	records, err := p.records.List(ctx, env.Stack, recordsSearched)
	if err == nil {
		for _, r := range records {
			if r.Image.Reference == image && r.Image.Tag != "" {
				return r.Image.Tag
			}
		}
	}
	_, digest, _ := strings.Cut(image, "@")
	return digest
}
