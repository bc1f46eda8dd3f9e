package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func lockVerb() verb {
	return verb{
		name: "lock", usage: "who is changing an environment",
		verbs: []verb{
			{
				name: "status", usage: "who holds an environment's lock, and what it is at",
				about: `One deployment at a time changes an environment. The lock is held over all of it and released in its end; where its
holder has died, the next deployment takes it over. Exits with 0 whether the lock is free or held.`,
				examples: []string{"deployer lock status --env staging", "deployer lock status --env staging --format json | jq -r .state"},
				formats:  []string{"text", "json", "yaml"},
				run: func(ctx context.Context, s settings, _ *cli.Context) error {
					return lockStatus{s}.run(ctx)
				},
			},
			{
				name: "release", usage: "take the lock from a holder that is gone for good",
				about: `Asks first. A holder that gives signs of life keeps the lock unless --force is given; it then stops by itself as soon as
it notices, in an orderly way, but until then two may be changing the environment. A run of GitHub Actions may release what
a cancelled step of its own left.`,
				examples: []string{"deployer lock release --env staging", "deployer lock release --env staging --force --yes"},
				flags:    []cli.Flag{&cli.BoolFlag{Name: "force", Usage: "even though its holder gives signs of life"}},
				run: func(ctx context.Context, s settings, c *cli.Context) error {
					return lockRelease{settings: s, force: c.Bool("force")}.run(ctx)
				},
			},
		},
	}
}

// lockStatus says who holds a lock.
type lockStatus struct{ settings }

func (l lockStatus) run(ctx context.Context) error {
	return l.visit(ctx, func(env *environment.Environment, p *place) error {
		standing, err := p.locks.Get(ctx, env.Stack)
		if err != nil {
			return err
		}
		return ui.Lock(l.out, env.Name, standing, l.format)
	})
}

// lockRelease takes a lock from its holder.
type lockRelease struct {
	settings
	force bool
}

func (l lockRelease) run(ctx context.Context) error {
	return l.visit(ctx, func(env *environment.Environment, p *place) error {
		standing, err := p.locks.Get(ctx, env.Stack)
		if err != nil {
			return err
		}
		if standing == nil {
			_, err := fmt.Fprintf(l.out, "the lock of %s is free\n", env.Name)
			return err
		}
		if err := l.refuse(env, standing); err != nil {
			return err
		}
		reason := fmt.Sprintf("it is held by %s: %s", standing.Holder.Identity(), standing.Holder.Activity())
		if err := l.confirm(ctx, "release the lock of", env.Name, reason); err != nil {
			return err
		}
		release, what := p.locks.ForceRelease, ""
		if gone(standing) {
			release, what = p.locks.Expire, "; the next deployment looks at what its holder left"
		}
		if err := release(ctx, env.Stack, standing.Holder.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(l.out, "the lock of %s is released%s\n", env.Name, what)
		return err
	})
}

// gone reports whether a lock is nobody's any more. What an ended step of this workflow run holds is nobody's, though its last
// heartbeat may be young.
func gone(standing *lock.Status) bool {
	ours := standing.Holder.Run != "" && standing.Holder.Run == runURL(os.Getenv)
	return standing.State == lock.StateExpired || ours
}

// refuse leaves the lock to a holder that lives, unless told, and then warns of what it does until it notices.
func (l lockRelease) refuse(env *environment.Environment, standing *lock.Status) error {
	if gone(standing) {
		return nil
	}
	if !l.force {
		return hint.With(&lock.HeldError{Status: *standing},
			fmt.Sprintf("it gives signs of life; stop it (Ctrl-C) or wait for it, or add --force where %s is stuck for good", standing.Holder.Identity()))
	}
	l.warn(errors.New("the holder of the lock of " + env.Name + " still runs: until it notices, two may be changing the environment"))
	return nil
}
