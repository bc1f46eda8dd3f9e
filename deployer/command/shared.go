package command

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// sharedStack deploys what the environments of an account share.
type sharedStack struct {
	terminal *terminal
	targets  *targets
	stacks   *stack.Opener
	locks    *locker
}

// deploy deploys the shared stack under its lock and records the outcome: the hosted zone alone does not show whether all of the
// stack exists. It returns the stack's outputs.
func (s *sharedStack) deploy(ctx context.Context, t *target.Target, shared *environment.Shared, quiet bool) (map[string]engine.Output, error) {
	now := t.Clock.Now()
	did := history.Deployment{
		ID: newID(now), Environment: t.Name, Stack: t.Stack, Kind: history.Shared, By: whoami(),
		Started: now, Outcome: history.Running,
	}
	s.terminal.warn(t.Records.Save(ctx, did))
	options := s.terminal.progressOptions()
	options.Quiet = options.Quiet || quiet
	progress := ui.NewProgress(s.terminal.err, options)
	outputs, err := s.stacks.DeployShared(ctx, t, shared, progress)
	progress.Close()
	did.Ended, did.Outcome = t.Clock.Now(), history.Succeeded
	switch {
	case err != nil && ctx.Err() != nil:
		did.Outcome = history.Interrupted
	case err != nil:
		did.Outcome = history.Failed
	}
	s.terminal.warn(t.Records.Save(context.WithoutCancel(ctx), did))
	return outputs, markRun(err)
}

// ensureLocal deploys the shared stack in the simulated account, where it is missing, and reports whether it did.
func (s *sharedStack) ensureLocal(ctx context.Context, t *target.Target, quiet bool) (deployed bool, err error) {
	shared, err := s.missing(ctx, t)
	if shared == nil || err != nil {
		return false, err
	}
	// Deployments of other environments may do the same at the same time; the first does it for all.
	waiting := locker{terminal: s.terminal, wait: true}
	own := t.Shared(shared)
	err = waiting.withLock(ctx, own, bootstrapAction, func(ctx context.Context) error {
		if shared, err = s.missing(ctx, t); shared == nil || err != nil {
			return err
		}
		_, err := s.deploy(ctx, own, shared, quiet)
		deployed = err == nil
		return err
	})
	return deployed, err
}

// missing returns the shared stack's description where the stack does not exist or its deployment did not succeed; else nil.
func (s *sharedStack) missing(ctx context.Context, t *target.Target) (*environment.Shared, error) {
	shared, err := s.targets.shared()
	if err != nil {
		return nil, err
	}
	status, err := t.Locks.Get(ctx, environment.SharedStack)
	if err != nil {
		return nil, err
	}
	if status != nil && status.State == lock.StateExpired {
		return shared, nil
	}
	_, err = release.FindZone(ctx, route53.NewFromConfig(t.AWS), shared.RootDomain)
	if errors.Is(err, release.ErrNoZone) {
		return shared, nil
	}
	if err != nil {
		return nil, err
	}
	last, err := t.Records.List(ctx, environment.SharedStack, 1)
	if len(last) > 0 && last[0].Outcome != history.Succeeded {
		return shared, err
	}
	return nil, err
}

// openReadOnly opens a target for a command that changes nothing. Where the simulated account lacks the shared stack, a
// temporary copy of the account, which has it, stands for it.
func (s *sharedStack) openReadOnly(ctx context.Context, name string) (*target.Target, error) {
	t, err := s.targets.open(ctx, name)
	if err != nil || t.Simulated == nil {
		return t, err
	}
	missing, err := s.missing(ctx, t)
	if err == nil && missing == nil {
		return t, nil
	}
	if err := errors.Join(err, t.Close()); err != nil {
		return nil, err
	}
	if t, err = target.OpenCopy(ctx, s.targets.options, t.Ref, t.Env); err != nil {
		return nil, err
	}
	if _, err := s.ensureLocal(ctx, t, true); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}
