package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

func openLocal(ctx context.Context, o Options, ref Ref) (*Target, error) {
	stacks, domains, err := localStacks(o.Dir)
	if err != nil {
		return nil, err
	}
	stores := location{dir: o.LocalDir()}
	simulated, err := local.Open(ctx, local.Options{
		Dir: o.LocalDir(), AccountID: ref.AccountID, Region: ref.Region, Stacks: stacks, Domains: domains, Faults: o.Faults,
		Environment: ref.Name, Locked: func(stack string) bool { return held(ctx, stores.locks(), stack) },
	})
	if err != nil {
		return nil, err
	}
	network, err := simulated.Network()
	if err != nil {
		return nil, errors.Join(err, simulated.Close())
	}
	return &Target{
		AWS: simulated.AWS(), Network: network, Clock: simulated.Clock(), Simulated: simulated,
		Records: stores.records(), Locks: stores.locks(),
		State: Backend{
			URL: simulated.StateURL(), SecretsProvider: secretsProvider(ref.Prefix, ref.Region), OwnEncryption: true,
			WorkDir: o.WorkDir("local"), Env: simulated.EngineEnv,
		},
	}, nil
}

// held reports whether a process holds the lock of a stack. What cannot be read is held: the account then waits, as it would in AWS.
func held(ctx context.Context, locks lock.Store, stack string) bool {
	status, err := locks.Get(context.WithoutCancel(ctx), stack)
	return err != nil || status != nil && status.State != lock.StateExpired
}

// localStacks returns the environments of the simulated account, and the root domains of their names. One whose file is not valid is left out: the command that
// is about it reports that, and its secret is created once its file names the keys.
func localStacks(dir string) (stacks []local.Stack, domains []string, err error) {
	names, err := environment.List(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if env, err := environment.Load(dir, name); err == nil {
			stacks = append(stacks, local.Stack{Name: env.Stack, SecretKeys: env.SecretKeys()})
			if !slices.Contains(domains, env.Domain.Root) {
				domains = append(domains, env.Domain.Root)
			}
		}
	}
	return stacks, domains, nil
}

// OpenCopy opens a temporary copy of the simulated account, which Close deletes.
func OpenCopy(ctx context.Context, o Options, ref Ref, env *environment.Environment) (*Target, error) {
	dir, err := os.MkdirTemp("", "deployer-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("copy the simulated account: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	original := o.LocalDir()
	o.StateDir = dir
	if err := os.CopyFS(o.LocalDir(), os.DirFS(original)); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the simulated account: %w", err), remove())
	}
	t, err := Open(ctx, o, ref, env)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	t.remove = remove
	return t, nil
}

// LocalLocks returns the locks of the simulated account, without opening it.
func LocalLocks(o Options) lock.Store { return location{dir: o.LocalDir()}.locks() }
