package command

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

func localVerb() verb {
	return verb{
		name: "local", usage: "manage the simulated account on this machine",
		verbs: []verb{
			{
				name: "serve", usage: "serve the endpoint for a browser or curl",
				long:     "Serves every environment of the simulated account over HTTPS on loopback, until Ctrl-C.",
				examples: []string{"deployer local serve", "deployer local serve --address 127.0.0.1:9443"},
				flags:    []cli.Flag{&cli.StringFlag{Name: "address", Usage: "the loopback `ADDRESS` to listen on", Value: "127.0.0.1:8443"}},
				run: func(ctx context.Context, s *services, c *cli.Context) error {
					return localOptions{targets: s.targets, terminal: s.terminal}.serve(ctx, c.String("address"))
				},
			},
			{
				name: "push", args: "TAG", usage: "push another image to the simulated registry; a tag that ends with -arm64 is built for it",
				changes:  true,
				examples: []string{"deployer local push 1.42.0-feedbeef"},
				run: func(ctx context.Context, s *services, c *cli.Context) error {
					return localOptions{targets: s.targets, terminal: s.terminal}.push(ctx, c.Args().First())
				},
			},
			{
				name: "reset", usage: "delete the simulated account and its stacks",
				changes:  true,
				examples: []string{"deployer local reset --yes"},
				run: func(ctx context.Context, s *services, _ *cli.Context) error {
					return localOptions{targets: s.targets, terminal: s.terminal}.reset(ctx)
				},
			},
			{
				name: "faults", usage: "list the faults of the simulated account, and the expected effect of each",
				formats: []string{"text", "json"},
				run: func(_ context.Context, s *services, _ *cli.Context) error {
					return ui.Faults(s.terminal.out, local.Faults(), s.flags.format, s.terminal.style())
				},
			},
		},
	}
}

// localOptions are those of the commands on the simulated account itself.
type localOptions struct {
	targets  *targets
	terminal *terminal
}

// open opens the simulated account, whose number the shared stack's file has.
func (o localOptions) open(ctx context.Context) (*target.Target, error) {
	shared, err := o.targets.shared()
	if err != nil {
		return nil, err
	}
	options := o.targets.options
	options.Local = true
	return target.Open(ctx, options, target.RefOfShared(shared), nil)
}

// serve keeps the endpoint up until ctx ends.
func (o localOptions) serve(ctx context.Context, address string) error {
	t, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer o.targets.close(t)
	served, err := t.Simulated.Serve(ctx, address)
	if err != nil {
		return err
	}
	envs, err := environment.LoadAll(o.targets.options.Dir)
	if err != nil {
		return err
	}
	for _, env := range envs {
		o.terminal.printf("curl --cacert %s --connect-to %s:443:%s %s%s\n",
			served.Authority, env.Domain.Name, served.Address, env.URL(), environment.HealthPath)
	}
	_, _ = fmt.Fprintln(o.terminal.err, "serving until Ctrl-C")
	<-ctx.Done()
	return nil
}

// push adds an image.
func (o localOptions) push(ctx context.Context, tag string) error {
	t, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer o.targets.close(t)
	digest, err := t.Simulated.Push(tag)
	if err != nil {
		return err
	}
	o.terminal.printf("%s is %s\n", tag, digest)
	return nil
}

// reset deletes the simulated account: its state, its stacks and their working copies.
func (o localOptions) reset(ctx context.Context) error {
	options := o.targets.options
	if err := o.checkNotLocked(ctx, options); err != nil {
		return err
	}
	if err := o.terminal.confirm(ctx, "delete the account in", options.StateDir, "what is deleted cannot be restored"); err != nil {
		return err
	}
	if err := local.Reset(options.LocalDir(), options.WorkDir("local")); err != nil {
		return markAttempted(err)
	}
	o.terminal.printf("the simulated account in %s was deleted, with its stacks and records\n", options.StateDir)
	return nil
}

// checkNotLocked returns an error where another process changes an environment of the account.
func (o localOptions) checkNotLocked(ctx context.Context, options target.Options) error {
	held, err := filepath.Glob(filepath.Join(options.LocalDir(), "locks", "*.lock"))
	if err != nil {
		return fmt.Errorf("find the locks of the account: %w", err)
	}
	for _, name := range held {
		status, err := target.LocalLocks(options).Get(ctx, strings.TrimSuffix(filepath.Base(name), ".lock"))
		if err != nil {
			return err
		}
		if status != nil && status.State != lock.StateExpired {
			return hint.With(&lock.HeldError{Status: *status}, "wait for it, or stop it (Ctrl-C), and then delete the account")
		}
	}
	return nil
}
