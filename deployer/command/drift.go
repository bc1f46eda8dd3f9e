package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

func driftVerb() verb {
	return verb{
		name: "drift", usage: "compare the account with the stack, and the program with what is deployed",
		long: `Compares every resource in the account with the stack as the last deployment left it: a difference is a change or a
deletion outside the deployer, and is reported by property. Then previews the program with the image that is running: a
difference from the stack is a pending change. Changes nothing, takes no lock, and needs only read permissions. --env takes
several environments, a,b or all.
Exit code: 0 no differences, 2 differences, 3 could not run; of several environments the worst counts.`,
		examples: []string{
			"deployer drift --env staging",
			"deployer drift --env all --format markdown --output drift.md",
			"deployer drift --env production --format json | jq '.account[].name'",
			"deployer up --env staging --image-tag 1.41.8-abc123def --refresh",
		},
		takesSeveral: true,
		formats:      ui.DriftFormats(),
		engine:       true,
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return driftOptions{targets: s.targets, terminal: s.terminal, stacks: s.stacks, format: s.flags.format}.run(ctx)
		},
	}
}

type driftOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	format   string
}

func (o driftOptions) run(ctx context.Context) error {
	found, err := forEachEnvironment(ctx, o.targets, o.inspect, func(name string, err error) ui.Drift {
		failure := o.terminal.failureOf(err)
		return ui.Drift{Environment: name, Failure: &failure}
	})
	if err != nil {
		return err
	}
	var code error
	for _, one := range found {
		switch {
		case one.Failure != nil:
			code = exitStatus(codeNotRun)
		case !one.Clean():
			code = cmp.Or(code, error(exitStatus(codeWarnings)))
		}
	}
	return errors.Join(ui.Drifts(o.terminal.out, found, o.targets.several(), o.format, o.terminal.style()), code)
}

// inspect compares one environment with its stack and its program. Where only the second comparison failed, what the first one
// found is returned with that failure.
func (o driftOptions) inspect(ctx context.Context, name string) (ui.Drift, error) {
	found := ui.Drift{Environment: name}
	err := o.targets.withOwn(ctx, name, func(t *target.Target) error {
		found.Environment, found.Stack, found.Region = t.Name, t.Stack, t.Region
		opened, err := o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
		if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
			return nil
		}
		if err != nil {
			return err
		}
		before := opened.State()
		found.Image, found.Pending, found.Deployed = opened.Recorded(), before.Pending, len(before.Resources) > 0
		if !found.Deployed {
			return nil
		}
		found.InProgress = o.runningDeployment(ctx, t)
		err = o.compare(ctx, opened, &found)
		found.InProgress = cmp.Or(found.InProgress, o.runningDeployment(ctx, t))
		found.Remedies = o.remedies(ctx, t, opened, found)
		return err
	})
	if !isPartial(ctx, found, err) {
		return found, err
	}
	printError(o.terminal.err, fmt.Errorf("%s: %w", found.Environment, err))
	failure := o.terminal.failureOf(err)
	found.Failure = &failure
	return found, nil
}

// isPartial reports whether a comparison that failed found something before that, and was not interrupted.
func isPartial(ctx context.Context, found ui.Drift, err error) bool {
	return err != nil && !found.Account.Empty() && !errors.Is(context.Cause(ctx), errInterrupted)
}

// runningDeployment describes the holder of the environment's lock; "" where it is free.
func (o driftOptions) runningDeployment(ctx context.Context, t *target.Target) string {
	status, err := t.Locks.Get(ctx, t.Stack)
	if err != nil {
		o.terminal.warn(fmt.Errorf("it is unknown whether a deployment is running: %w", err))
		return ""
	}
	if status == nil || status.State == lock.StateExpired {
		return ""
	}
	held := lock.HeldError{Status: *status}
	return held.Error() + "; the differences may be what it has not done yet"
}

// compare asks the engine what differs, and shows its progress.
func (o driftOptions) compare(ctx context.Context, opened *stack.Stack, found *ui.Drift) error {
	progress := o.terminal.progress()
	defer progress.Close()
	step := func(name string) string {
		if o.targets.several() {
			return found.Stack + " " + name
		}
		return name
	}
	resources := func(report func(string)) func(engine.Event) {
		return func(e engine.Event) {
			if e.Type != "" {
				report(engine.ShortType(e.Type) + " " + e.Name)
			}
		}
	}
	err := progress.Step(ctx, step("account"), func(report func(string)) (summary string, err error) {
		found.Account, err = opened.PreviewRefresh(ctx, resources(report))
		return ui.AccountSummary(found.Account), err
	})
	if err != nil {
		return err
	}
	return progress.Step(ctx, step("program"), func(report func(string)) (summary string, err error) {
		found.Program, err = opened.Preview(ctx, "", false, resources(report))
		return ui.PlanSummary(found.Program), err
	})
}

// remedies returns what can be done about what differs.
func (o driftOptions) remedies(ctx context.Context, t *target.Target, opened *stack.Stack, found ui.Drift) []string {
	up := "deployer up --env " + t.Stack + " --image-tag " + runningTag(ctx, t, found.Image)
	if !found.Account.Empty() || !found.Program.Empty() {
		if remedy := o.platformRemedy(ctx, t, opened, found.Image); remedy != "" {
			return []string{remedy}
		}
	}
	switch {
	case !found.Account.Empty():
		return []string{
			o.terminal.flags.addTo("`" + up + " --refresh` reverts what was changed in the account, and deploys pending changes"),
			"to keep a change, write it into " + environment.FileName(t.Stack) + " or the program first; --refresh then keeps it",
		}
	case !found.Program.Empty():
		return []string{o.terminal.flags.addTo("`" + up + "` deploys pending changes")}
	}
	return nil
}

// platformRemedy returns what precedes a deployment by the file where the image that runs is not built for the file's architecture,
// as after a rollback to an earlier one; else "".
func (o driftOptions) platformRemedy(ctx context.Context, t *target.Target, opened *stack.Stack, image string) string {
	if opened.Deployed(nil).Image.Architecture == t.Env.Image.Architecture {
		return ""
	}
	problems, err := release.PlatformProblems(ctx, t.AWS, t.Env, image)
	if o.terminal.warn(err); len(problems) == 0 {
		return ""
	}
	return "no deployment of the image that runs is possible with this file: " + problems[0].Message + "; " + problems[0].Hint
}

// tagHistoryLimit is how many records are searched for the tag of the image that runs.
const tagHistoryLimit = 5

// recordedTag returns what names the image that every task runs in a command; where several run, or none, the last verified one. It
// returns "" where the records do not have the image or cannot be read.
func recordedTag(ctx context.Context, t *target.Target) string {
	records, err := t.Records.List(ctx, t.Stack, tagHistoryLimit)
	image := cmp.Or(release.RunningReference(ctx, t.AWS, t.Env), history.VerifiedImage(records))
	if err != nil || image == "" {
		return ""
	}
	return runningTag(ctx, t, image)
}

// runningTag returns what names the image that runs in a command: a tag that does not move, else its digest.
func runningTag(ctx context.Context, t *target.Target, image string) string {
	if image == "" {
		return "TAG"
	}
	_, digest, _ := strings.Cut(image, "@")
	running := history.Image{Reference: image, Digest: digest}
	records, err := t.Records.List(ctx, t.Stack, tagHistoryLimit)
	deployed := list.Find(records, func(r history.Deployment) bool { return r.Image.Reference == image && r.Image.Tag != "" })
	if err == nil && deployed != nil {
		running.Tag = deployed.Image.Tag
	}
	return release.NameInCommand(ctx, ecr.NewFromConfig(t.AWS), t.Env, running)
}
