package command

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func lockVerb() verb {
	return verb{
		name: "lock", usage: "show or release an environment's lock",
		verbs: []verb{
			{
				name: "status", usage: "show who holds an environment's lock, and in which phase",
				long: `One deployment at a time changes an environment. It holds the lock until it ends; where the holder
has crashed, the next deployment takes the lock over. Exits with 0 whether the lock is free or held.`,
				examples: []string{"deployer lock status --env staging", "deployer lock status --env staging --format json | jq -r .state"},
				formats:  []string{"text", "json", "yaml"},

				takesShared: true,
				run: func(ctx context.Context, s *services, _ *cli.Context) error {
					return lockStatus(ctx, s)
				},
			},
			{
				name: "release", usage: "release the lock of a holder that is gone",
				changes: true, takesShared: true,
				long: `Asks first. A holder that sends heartbeats keeps the lock unless --force is given; as soon as it notices, it kills its
engine and stops, but until then two processes may change the environment; the next deployment repairs what the engine left.
A run of GitHub Actions may release a lock that a cancelled step of the same run left.`,
				examples: []string{"deployer lock release --env staging", "deployer lock release --env staging --force --yes"},
				flags:    []cli.Flag{&cli.BoolFlag{Name: "force", Usage: "release it even if its holder sends heartbeats"}},
				run: func(ctx context.Context, s *services, c *cli.Context) error {
					return lockReleaseOptions{targets: s.targets, terminal: s.terminal, force: c.Bool("force")}.run(ctx)
				},
			},
			keepVerb(),
		},
	}
}

// keepVerbName names the command that a deployer starts beside itself.
const keepVerbName = "keep"

func keepVerb() verb {
	return verb{
		name: keepVerbName, usage: "keep a lock while the engine of a deployer that has ended is running", hidden: true, takesShared: true,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "holder", Usage: "the `ID` of the lock's holder"},
			&cli.IntFlag{Name: "parent", Usage: "the holder's `PROCESS`"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			t, err := s.targets.open(ctx, s.targets.selected)
			if err != nil {
				return err
			}
			defer s.targets.close(t)
			keeper, needed := t.Locks.(lock.OrphanKeeper)
			if !needed {
				return errors.New("this lock ends with its engine")
			}
			defer ignoreSIGPIPE()() // the deployer may have ended
			ended, killEngine := lock.ReadDeployer(s.terminal.in)
			return keeper.Keep(ctx, lock.KeepOptions{
				Stack: t.Stack, ID: c.String("holder"), Orphaned: lock.OrphanOf(c.Int("parent")), Ended: ended, KillEngine: killEngine,
				// The deployer reads both from this process's standard output, whatever --output is.
				Publish: func(endpoint string) error {
					_, err := fmt.Fprintln(os.Stdout, endpoint)
					return err
				},
				Lost: func(reason string) { _, _ = fmt.Fprintln(os.Stdout, reason) }, // it may have ended
			})
		},
	}
}

// lockStatus prints who holds a lock.
func lockStatus(ctx context.Context, s *services) error {
	return s.targets.with(ctx, s.targets.selected, func(t *target.Target) error {
		status, err := t.Locks.Get(ctx, t.Stack)
		if err != nil {
			return err
		}
		var background []string
		if t.Env != nil && (status == nil || status.State == lock.StateExpired) {
			background, err = release.Background(ctx, t.AWS, t.Env)
			s.terminal.warn(err) // the lock is known all the same
		}
		for i, running := range background {
			background[i] = s.terminal.flags.addTo(running)
		}
		return ui.Lock(s.terminal.out, t.Name, status, background, s.flags.format, s.terminal.style())
	})
}

type lockReleaseOptions struct {
	targets  *targets
	terminal *terminal
	// force releases the lock of a holder that is alive.
	force bool
}

func (o lockReleaseOptions) run(ctx context.Context) error {
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		status, err := t.Locks.Get(ctx, t.Stack)
		if err != nil {
			return err
		}
		if status == nil {
			o.terminal.printf("the lock of %s is free\n", t.Name)
			return nil
		}
		if err := o.checkGone(t.Name, status); err != nil {
			return err
		}
		reason := fmt.Sprintf("it is held by %s: %s", status.Holder.Identity(), status.Holder.Activity())
		if err := o.terminal.confirm(ctx, "release the lock of", t.Name, reason); err != nil {
			return err
		}
		if err := t.Locks.Expire(ctx, t.Stack, status.Holder.ID); err != nil {
			return err
		}
		o.terminal.printf("the lock of %s is released; the next deployment checks what its holder left\n", t.Name)
		return nil
	})
}

// isGone reports whether the holder of a lock is gone. A step of this workflow run that holds it has ended, though its last
// heartbeat may be recent.
func isGone(status *lock.Status) bool {
	ours := status.Holder.Run != "" && status.Holder.Run == runURL(os.Getenv)
	return status.State == lock.StateExpired || ours
}

// checkGone returns an error where the lock's holder is alive. With --force it warns of what the holder does until it notices.
func (o lockReleaseOptions) checkGone(name string, status *lock.Status) error {
	if isGone(status) {
		return nil
	}
	if !o.force {
		return hint.With(&lock.HeldError{Status: *status},
			fmt.Sprintf("it sends heartbeats; stop it (Ctrl-C) or wait for it, or add --force if %s hangs", status.Holder.Identity()))
	}
	o.terminal.warn(errors.New("the holder of the lock of " + name + " still runs: until it notices, two processes may change the environment"))
	return nil
}
