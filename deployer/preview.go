package main

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func previewVerb() verb {
	return verb{
		name: "preview", usage: "what `up` would change",
		about: `Without --image-tag, the image is the one that is running. --env takes several environments, a,b or all.
As markdown it is the comment of a pull request: what is deleted or replaced and what may allow more than today first,
secrets masked, and short enough for GitHub.`,
		examples: []string{
			"deployer preview --env staging",
			"deployer preview --env staging --image-tag 1.41.8-abc123def --format markdown",
			"deployer preview --env production --expect-no-changes",
			"deployer preview --env all --format markdown --output preview.md",
		},
		formats: []string{"text", "json", "markdown"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "image-tag", Aliases: []string{"t"}, Usage: "the image's `TAG` or sha256 digest"},
			&cli.BoolFlag{Name: "refresh", Usage: "read from the account first what is really there, so that what was changed by hand shows"},
			&cli.BoolFlag{Name: "expect-no-changes", Usage: "exit with 2 when there are changes"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return preview{settings: s, tag: c.String("image-tag"), expectNone: c.Bool("expect-no-changes"), refresh: c.Bool("refresh")}.run(ctx)
		},
	}
}

// preview shows what a deployment would change.
type preview struct {
	settings
	tag        string
	expectNone bool
	refresh    bool
}

func (v preview) run(ctx context.Context) error {
	all, several, err := survey(ctx, v.settings, func(ctx context.Context, s settings) (ui.Preview, error) {
		one := v
		one.settings = s
		return one.look(ctx)
	}, func(name string, err error) ui.Preview {
		failure := failureOf(err)
		return ui.Preview{Environment: name, Failure: &failure}
	})
	if err != nil {
		return err
	}
	return errors.Join(ui.Previews(v.out, all, several, v.format, v.style()), v.verdict(all))
}

// verdict is the exit code of what was found: not all could be looked at, or there are changes that nobody expects.
func (v preview) verdict(all []ui.Preview) error {
	changes := false
	for _, p := range all {
		if p.Failure != nil {
			return verdict(codeNotRun)
		}
		changes = changes || !p.Plan.Empty()
	}
	if v.expectNone && changes {
		return verdict(codeWarnings)
	}
	return nil
}

// look previews one environment.
func (v preview) look(ctx context.Context) (found ui.Preview, err error) {
	if err := v.checkRegion(); err != nil {
		return found, err
	}
	err = v.visitWith(ctx, v.openTrial, func(env *environment.Environment, p *place) error {
		handle, forget, err := v.openToPreview(ctx, p, env.Stack)
		if err != nil {
			return err
		}
		defer forget()
		if knowsNothing(handle.Current()) {
			if err := v.refuseLost(ctx, p, env, "the backend knows nothing of it"); err != nil {
				return err
			}
		}
		opened := v.stackOf(handle, env)
		image, err := v.image(ctx, p, env, opened.recorded)
		if err != nil {
			return err
		}
		found = ui.Preview{Environment: env.Name, Stack: env.Stack, Image: image, NewStack: len(handle.Current().Resources) == 0}
		found.Plan, err = v.plan(ctx, opened, image)
		return err
	})
	return found, err
}

// plan asks the engine, and says meanwhile that it works.
func (v preview) plan(ctx context.Context, opened *stack, image string) (plan engine.Plan, err error) {
	progress := ui.NewProgress(v.err, v.progressOptions())
	defer progress.Close()
	err = progress.Step("preview", func(say func(string)) (string, error) {
		plan, err = opened.handle.Preview(ctx, engine.Update{Program: opened.program(image, image), Refresh: v.refresh}, func(e engine.Event) {
			if e.Changes() {
				say(engine.ShortType(e.Type) + " " + e.Name)
			}
		})
		return opened.env.Name + ": " + ui.PlanSummary(plan), err
	})
	return plan, err
}

// image is the one that was asked for, else the one that runs, else, before the first deployment, a placeholder.
func (v preview) image(ctx context.Context, p *place, env *environment.Environment, recorded string) (string, error) {
	switch {
	case v.tag != "":
		found, err := release.FindImage(ctx, ecr.NewFromConfig(p.aws), env, v.tag)
		if err != nil {
			return "", err
		}
		return found.Reference, nil
	case recorded != "":
		return recorded, nil
	}
	return env.ImageReference("sha256:" + emptyDigest), nil
}

// emptyDigest stands for the image of an environment that has none yet.
const emptyDigest = "0000000000000000000000000000000000000000000000000000000000000000"
