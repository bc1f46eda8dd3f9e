package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

func localVerb() verb {
	return verb{
		name: "local", usage: "the simulated account on this machine",
		verbs: []verb{
			{
				name: "serve", usage: "keep the endpoint up for a browser or curl",
				about:    "Serves every environment of the simulated account over HTTPS on loopback, until Ctrl-C.",
				examples: []string{"deployer local serve", "deployer local serve --address 127.0.0.1:9443"},
				flags:    []cli.Flag{&cli.StringFlag{Name: "address", Usage: "the loopback `ADDRESS` to listen on", Value: "127.0.0.1:8443"}},
				run: func(ctx context.Context, s settings, c *cli.Context) error {
					return localServe{settings: s, address: c.String("address")}.run(ctx)
				},
			},
			{
				name: "push", args: "TAG", usage: "push another image to the simulated registry",
				examples: []string{"deployer local push 1.42.0-feedbeef"},
				run: func(ctx context.Context, s settings, c *cli.Context) error {
					return localPush{settings: s, tag: c.Args().First()}.run(ctx)
				},
			},
			{
				name: "reset", usage: "forget the simulated account and its stacks",
				examples: []string{"deployer local reset --yes"},
				run: func(ctx context.Context, s settings, _ *cli.Context) error {
					return localReset{s}.run(ctx)
				},
			},
			{
				name: "faults", usage: "what can go wrong in the simulated account, and what it should lead to",
				formats: []string{"text", "json"},
				run: func(_ context.Context, s settings, _ *cli.Context) error {
					return ui.Faults(s.out, local.Faults(), s.format, s.style())
				},
			},
		},
	}
}

// simulated opens the simulated account, which belongs to whom the shared stack's file names.
func (s settings) simulated(ctx context.Context) (*place, error) {
	shared, err := s.shared()
	if err != nil {
		return nil, err
	}
	return s.openLocal(ctx, accountOfShared(shared))
}

// localServe keeps the endpoint up.
type localServe struct {
	settings
	address string
}

func (l localServe) run(ctx context.Context) error {
	p, err := l.simulated(ctx)
	if err != nil {
		return err
	}
	defer l.leave(p)
	served, err := p.simulated.Serve(ctx, l.address)
	if err != nil {
		return err
	}
	envs, err := environment.LoadAll(l.dir)
	if err != nil {
		return err
	}
	for _, env := range envs {
		_, _ = fmt.Fprintf(l.out, "curl --cacert %s --connect-to %s:443:%s %s%s\n",
			served.Authority, env.Domain.Name, served.Address, env.URL(), environment.HealthPath)
	}
	_, _ = fmt.Fprintln(l.err, "serving until Ctrl-C")
	<-ctx.Done()
	return nil
}

// localPush adds an image.
type localPush struct {
	settings
	tag string
}

func (l localPush) run(ctx context.Context) error {
	p, err := l.simulated(ctx)
	if err != nil {
		return err
	}
	defer l.leave(p)
	digest, err := p.simulated.Push(l.tag)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(l.out, "%s is %s\n", l.tag, digest)
	return err
}

// localReset forgets the simulated account: its state, its stacks and their work copies.
type localReset struct{ settings }

func (l localReset) run(ctx context.Context) error {
	if err := l.refuseHeld(ctx); err != nil {
		return err
	}
	if err := l.confirm(ctx, "forget the account in", l.stateDir, "what is forgotten does not come back"); err != nil {
		return err
	}
	return local.Reset(filepath.Join(l.stateDir, "local"), filepath.Join(l.stateDir, "work", "local"))
}

// refuseHeld leaves the account to whoever is changing one of its environments.
func (l localReset) refuseHeld(ctx context.Context) error {
	dir := filepath.Join(l.stateDir, "local")
	held, err := filepath.Glob(filepath.Join(dir, "locks", "*.lock"))
	if err != nil {
		return fmt.Errorf("look who changes the account: %w", err)
	}
	for _, name := range held {
		stack := strings.TrimSuffix(filepath.Base(name), ".lock")
		standing, err := shelf{dir: dir}.locks().Get(ctx, stack)
		if err != nil {
			return err
		}
		if standing != nil && standing.State != lock.StateExpired {
			return hint.With(&lock.HeldError{Status: *standing}, "wait for it, or stop it (Ctrl-C), and then forget the account")
		}
	}
	return nil
}
