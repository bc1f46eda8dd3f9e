package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
)

// targets loads environments and opens them.
type targets struct {
	options target.Options
	// selected is --env as it was given: an environment, several, all, the shared stack, or "".
	selected string
	// region replaces the environment's for commands that only read; "" where --region is missing.
	region   string
	terminal *terminal
	// takesShared allows the shared stack, whose Target has no Env, as in verb.
	takesShared bool
}

// environment loads an environment. --region replaces its region.
func (t *targets) environment(name string) (*environment.Environment, error) {
	if name == "" {
		known, err := environment.List(t.options.Dir)
		if err != nil {
			return nil, err
		}
		return nil, hint.With(errors.New("--env is missing: which environment?"), "the environments are "+strings.Join(known, ", "))
	}
	if name == allEnvironments || strings.Contains(name, ",") {
		return nil, errSeveral(name)
	}
	if environment.StackOf(name) == environment.SharedStack {
		return nil, hint.With(errors.New("the shared stack is not an environment"), "`deployer bootstrap` deploys it, `deployer outputs --env shared` shows it")
	}
	env, err := environment.Load(t.options.Dir, name)
	if err != nil {
		return nil, err
	}
	if t.region != "" {
		env.Region = t.region
	}
	return env, nil
}

// shared loads the shared stack's file. --region replaces its region.
func (t *targets) shared() (*environment.Shared, error) {
	shared, err := environment.LoadShared(t.options.Dir)
	if err != nil {
		return nil, err
	}
	if t.region != "" {
		shared.Region = t.region
	}
	return shared, nil
}

// rejectRegionMismatch rejects a --region that differs from the file's, for commands that are about what is deployed there or will
// be.
func (t *targets) rejectRegionMismatch(name string) error {
	if t.region == "" {
		return nil
	}
	own := *t
	own.region = ""
	ref, _, err := own.ref(name)
	if err != nil || ref.Region == t.region {
		return err
	}
	return hint.With(fmt.Errorf("--region %s: the region of %s is %s, by %s", t.region, ref.Stack, ref.Region, environment.FileName(ref.Stack)),
		"leave --region out: it is for commands that only read")
}

// ref returns the Ref of an environment, or of the shared stack, whose environment is nil. A command that does not declare that it
// takes the shared stack gets an error instead.
func (t *targets) ref(name string) (target.Ref, *environment.Environment, error) {
	if t.takesShared && name == environment.SharedStack {
		shared, err := t.shared()
		if err != nil {
			return target.Ref{}, nil, err
		}
		return target.RefOfShared(shared), nil, nil
	}
	env, err := t.environment(name)
	if err != nil {
		return target.Ref{}, nil, err
	}
	return target.RefOf(env), env, nil
}

// open opens an environment, or the shared stack. The credentials are not verified.
func (t *targets) open(ctx context.Context, name string) (*target.Target, error) {
	ref, env, err := t.ref(name)
	if err != nil {
		return nil, err
	}
	return target.Open(ctx, t.options, ref, env)
}

// with runs a function with a target, opened with credentials of its account.
func (t *targets) with(ctx context.Context, name string, run func(*target.Target) error) error {
	return t.use(ctx, name, t.open, run)
}

// withOwn works like with, and rejects a --region other than the one where the environment is, or will be, deployed.
func (t *targets) withOwn(ctx context.Context, name string, run func(*target.Target) error) error {
	if err := t.rejectRegionMismatch(name); err != nil {
		return err
	}
	return t.with(ctx, name, run)
}

// requireLifetime returns an error where the credentials expire before a change that takes as long as a deployment could end. Preflight
// checks them for deployments; what only reads, or is done with one call, requires no lifetime.
func requireLifetime(ctx context.Context, t *target.Target) error {
	if last, now := release.LastStart(ctx, t.AWS), t.Clock.Now(); !last.IsZero() && now.After(last) {
		return verify(ctx, t, now)
	}
	return nil
}

func (t *targets) use(ctx context.Context, name string, open func(context.Context, string) (*target.Target, error), run func(*target.Target) error) error {
	opened, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer t.close(opened)
	if err := verify(ctx, opened, time.Time{}); err != nil {
		return err
	}
	return run(opened)
}

// close closes a target. An error is only a warning: the command has done its work.
func (t *targets) close(opened *target.Target) { t.terminal.warn(opened.Close()) }

// verify returns an error where the credentials are another account's than the stack's file names, or expire before a deployment
// that starts at a time could end; the zero time requires no lifetime.
func verify(ctx context.Context, t *target.Target, start time.Time) error {
	problems := release.CheckIdentity(ctx, t.AWS, t.AccountID, environment.FileName(t.Stack), start)
	if len(problems) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s: %s", problems[0].Check, problems[0].Message), problems[0].Hint)
}

// allEnvironments is the value of --env for all of them but the shared stack.
const allEnvironments = "all"

// several reports whether --env asks for several environments, even if there is only one.
func (t *targets) several() bool {
	return strings.Contains(t.selected, ",") || t.all()
}

// all reports whether --env asks for all environments, alone or in a list.
func (t *targets) all() bool { return slices.Contains(split([]string{t.selected}), allEnvironments) }

// names returns the environments that --env names, each once: dev and development are the same.
func (t *targets) names() ([]string, error) {
	if t.selected == "" {
		_, err := t.environment("")
		return nil, err
	}
	var names []string
	for _, name := range split([]string{t.selected}) {
		found := []string{name}
		if name == allEnvironments {
			stacks, err := environment.List(t.options.Dir)
			if err != nil {
				return nil, err
			}
			found = stacks
		}
		for _, name := range found {
			same := func(other string) bool { return environment.StackOf(other) == environment.StackOf(name) }
			if !slices.ContainsFunc(names, same) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, hint.With(errors.New("--env names no environment"), "`deployer env list` lists them")
	}
	return names, nil
}

// forEachEnvironment inspects every environment that --env names, one after the other. Of several, the error of one is printed at
// once, and failed returns what stands for its result. The error of a single one, and an interruption, end the loop.
func forEachEnvironment[T any](ctx context.Context, t *targets, inspect func(ctx context.Context, name string) (T, error),
	failed func(name string, err error) T) (all []T, err error) {
	names, err := t.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		found, err := inspect(ctx, name)
		switch {
		case err != nil && (!t.several() || errors.Is(context.Cause(ctx), errInterrupted)):
			return nil, err
		case err != nil:
			if env, unknown := t.environment(name); unknown == nil {
				name = env.Name
			}
			printError(t.terminal.err, fmt.Errorf("%s: %w", name, err))
			found = failed(name, err)
		}
		all = append(all, found)
	}
	return all, nil
}
