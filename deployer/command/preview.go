package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func previewVerb() verb {
	return verb{
		name: "preview", usage: "show what a deployment would change",
		long: `Without --image-tag, the image is the one that is running. --env takes several environments, a,b or all.
It begins with the risks of all environments: data and access that is lost, then wider permissions, weaker protection (fewer backups,
a higher rate limit, a shell), and what else is replaced or deleted. The markdown format is for pull request comments: secrets are
masked, and it is short enough for GitHub.`,
		examples: []string{
			"deployer preview --env staging",
			"deployer preview --env staging --image-tag 1.41.8-abc123def --format markdown",
			"deployer preview --env production --expect-no-changes",
			"deployer preview --env all --format markdown --output preview.md",
		},
		takesSeveral: true,
		formats:      []string{"text", "json", "markdown"},
		flags: []cli.Flag{
			imageTagFlag("the image that runs"),
			&cli.BoolFlag{Name: "refresh", Usage: "read the account first, to include drift"},
			&cli.BoolFlag{Name: "expect-no-changes", Usage: "exit with 2 when there are changes"},
		},
		engine: true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return previewOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, shared: s.shared, format: s.flags.format,
				tag: c.String("image-tag"), expectNone: c.Bool("expect-no-changes"), refresh: c.Bool("refresh"),
			}.run(ctx)
		},
	}
}

type previewOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	shared   *sharedStack
	format   string

	// tag is "" for the image that runs.
	tag                 string
	expectNone, refresh bool
}

func (o previewOptions) run(ctx context.Context) error {
	all, err := forEachEnvironment(ctx, o.targets, o.inspect, func(name string, err error) ui.Preview {
		failure := o.terminal.failureOf(err)
		return ui.Preview{Environment: name, Failure: &failure}
	})
	if err != nil {
		return err
	}
	return errors.Join(ui.Previews(o.terminal.out, all, o.targets.several(), o.format, o.terminal.style()), o.exitStatus(all))
}

// exitStatus reports environments that could not be previewed, and changes that are not expected.
func (o previewOptions) exitStatus(all []ui.Preview) error {
	changes := false
	for _, p := range all {
		if p.Failure != nil {
			return exitStatus(codeNotRun)
		}
		changes = changes || !p.Plan.Empty()
	}
	if o.expectNone && changes {
		return exitStatus(codeWarnings)
	}
	return nil
}

// inspect previews one environment.
func (o previewOptions) inspect(ctx context.Context, name string) (found ui.Preview, err error) {
	if err := o.targets.rejectRegionMismatch(name); err != nil {
		return found, err
	}
	err = o.targets.use(ctx, name, o.shared.openReadOnly, func(t *target.Target) error {
		opened, discard, err := o.stacks.OpenToPreview(ctx, t, stack.MustExist, stack.Scope{})
		if err != nil {
			return err
		}
		defer discard()
		image, err := o.image(ctx, t, opened)
		if err != nil {
			return err
		}
		found = ui.Preview{Environment: t.Name, Stack: t.Stack, Image: image, NewStack: len(opened.State().Resources) == 0}
		if o.tag == "" && image == opened.ImageOrPlaceholder() {
			image = "" // the one that runs, and the migration's own
		}
		found.Plan, err = o.plan(ctx, t, opened, image)
		return err
	})
	return found, err
}

// plan asks the engine, and shows its progress.
func (o previewOptions) plan(ctx context.Context, t *target.Target, opened *stack.Stack, image string) (plan engine.Plan, err error) {
	progress := o.terminal.progress()
	defer progress.Close()
	err = progress.Step(ctx, "preview", func(report func(string)) (string, error) {
		plan, err = opened.Preview(ctx, image, o.refresh, func(e engine.Event) {
			if e.Changes() {
				report(engine.ShortType(e.Type) + " " + e.Name)
			}
		})
		return t.Name + ": " + ui.PlanSummary(plan), err
	})
	return plan, err
}

// image returns the image that was asked for, else the one that runs, else, before the first deployment, a placeholder.
func (o previewOptions) image(ctx context.Context, t *target.Target, opened *stack.Stack) (string, error) {
	if o.tag == "" {
		named := opened.ImageOrPlaceholder()
		running := release.RunningReference(ctx, t.AWS, t.Env)
		if running == "" || opened.Recorded() == "" || running == named {
			return named, nil
		}
		o.terminal.warn(fmt.Errorf("%s: the tasks run %s, while the stack names %s, whose rollout has not succeeded; the preview is for what runs", t.Name,
			awsx.ShortDigest(awsx.DigestOf(running)), awsx.ShortDigest(awsx.DigestOf(named))))
		return running, nil
	}
	tag, err := checkTag(t.Env, o.tag)
	if err != nil {
		return "", err
	}
	found, err := release.FindImage(ctx, ecr.NewFromConfig(t.AWS), t.Env, tag)
	if err != nil {
		return "", err
	}
	return found.Reference, nil
}
