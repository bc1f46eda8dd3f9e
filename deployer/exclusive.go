package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
)

// waitFlag is on every command that changes an environment.
func waitFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wait", Usage: "wait while somebody else changes the environment, instead of stopping; --timeout bounds it"}
}

// exclusively runs what changes an environment under the environment's lock, which nobody else has meanwhile. Doing is
// the command, such as up or snapshot restore. The context of run ends when the lock is lost.
func (s settings) exclusively(ctx context.Context, p *place, env *environment.Environment, doing string,
	run func(context.Context, *lock.Held) error) error {
	held, err := s.acquire(ctx, p, s.holder(env.Name, env.Stack, doing), s.wait)
	if busy := (*lock.HeldError)(nil); err != nil && !errors.As(err, &busy) && ctx.Err() == nil {
		// With credentials of another account no lock can be had either; that is what has to be said then.
		if other := p.verify(ctx, env.Account, env.Stack); other != nil {
			return other
		}
	}
	if err != nil {
		return err
	}
	defer outlivingItsTerminal()()
	return held.Run(ctx, func(ctx context.Context) error {
		err := run(ctx, held)
		if engineLeft(err) {
			held.KeepAfterExit()
		}
		return err
	})
}

// engineLeft reports whether an error says that the engine has not ended yet.
func engineLeft(err error) bool {
	var deployment *release.InterruptedError
	if errors.As(err, &deployment) {
		err = deployment.Remaining
	}
	var run *engine.InterruptedError
	return errors.As(err, &run) && run.RunningPID != 0
}

// acquire takes a lock, and says what is waited for.
func (s settings) acquire(ctx context.Context, p *place, me lock.Holder, wait bool) (*lock.Held, error) {
	held, err := lock.Acquire(ctx, p.locks, me, lock.Options{Clock: clock.Real(), Wait: wait, Log: s.tell})
	if err == nil {
		p.held = held
	}
	return held, err
}

// tell says something beside the progress; a warning even with --quiet.
func (s settings) tell(message string) {
	if !s.quiet || strings.HasPrefix(message, "warning:") {
		_, _ = fmt.Fprintf(s.err, "deployer: %s\n", message)
	}
	if strings.HasPrefix(message, "warning:") {
		s.count(1)
	}
}

// holder is this process as the holder of a stack's lock.
func (s settings) holder(environment, stack, doing string) lock.Holder {
	host, _ := os.Hostname()
	return lock.Holder{
		ID: rand.Text(), Environment: environment, Stack: stack, Command: doing,
		By: whoami(), Host: host, PID: os.Getpid(), Run: runURL(os.Getenv), Started: clock.Real().Now().UTC(),
	}
}

// runURL is the page of the workflow run that this is part of; "" elsewhere.
// Source: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func runURL(variable func(string) string) string {
	if variable("GITHUB_RUN_ID") == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/actions/runs/%s", variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY"), variable("GITHUB_RUN_ID"))
}
