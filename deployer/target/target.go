// Package target opens what a command acts on: an environment in an account of AWS, or in the simulated account.
// Users of a Target do not see the difference.
package target

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/probe"
)

// Options are the flags that choose an account and how it is reached.
type Options struct {
	// Dir is the project's root, StateDir the directory of everything that commands write; both are absolute.
	Dir, StateDir string
	// Local chooses the simulated account, with Faults.
	Local  bool
	Faults []string
	// EndpointURL, Profile and Pulumi (the engine's path) are "" where the defaults of AWS and of the engine apply.
	EndpointURL, Profile, Pulumi string
	// Debug writes what the SDK logs to standard error; otherwise nothing of it is written.
	Debug bool
}

// Arguments returns the command line's flags that choose the same account, which is a real one.
func (o Options) Arguments() []string {
	arguments := []string{"--dir", o.Dir, "--state-dir", o.StateDir}
	if o.EndpointURL != "" {
		arguments = append(arguments, "--endpoint-url", o.EndpointURL)
	}
	if o.Profile != "" {
		arguments = append(arguments, "--profile", o.Profile)
	}
	return arguments
}

// EngineOptions returns where the engine is looked for, and where it keeps what is its own: below the state directory, so that
// the user's ~/.pulumi does not change.
func (o Options) EngineOptions() engine.Options {
	return engine.Options{Explicit: o.Pulumi, ProjectDir: o.Dir, Home: o.EngineHome()}
}

// EngineHome returns the engine's PULUMI_HOME.
func (o Options) EngineHome() string { return filepath.Join(o.StateDir, "pulumi") }

// LocalDir returns the directory of the simulated account.
func (o Options) LocalDir() string { return filepath.Join(o.StateDir, "local") }

// WorkDir returns the directory of the work copies of one kind of account, "account" or "local".
func (o Options) WorkDir(kind string) string { return filepath.Join(o.StateDir, "work", kind) }

// A Ref names a stack, an environment's or the shared one, and its account.
type Ref struct {
	// Name is the environment's full name.
	Name, Stack string
	// Prefix begins the names of the account's resources.
	Prefix, AccountID, Region string
}

// RefOf returns the Ref of an environment.
func RefOf(env *environment.Environment) Ref {
	return Ref{Name: env.Name, Stack: env.Stack, Prefix: env.Prefix, AccountID: env.Account, Region: env.Region}
}

// RefOfShared returns the Ref of the shared stack.
func RefOfShared(s *environment.Shared) Ref {
	return Ref{
		Name: environment.SharedStack, Stack: environment.SharedStack, Prefix: s.Prefix, AccountID: s.Account, Region: s.Region,
	}
}

// A Target is a stack in its account.
type Target struct {
	Ref
	// Env is nil for the shared stack.
	Env *environment.Environment

	AWS aws.Config
	// Responses sanitize what AWS answers.
	Responses *Responses
	Network   probe.Network
	Clock     clock.Clock
	Records   history.Store
	Locks     lock.Store
	State     Backend
	// Held is the lock of the stack while this process holds it, else nil, as in a dry run.
	Held *lock.Held
	// Keeper is the keeper of that lock where the state is in the same bucket, else nil.
	Keeper *lock.Keeper
	// Simulated is nil for a real account.
	Simulated *local.Local
	// remove deletes a copy of the simulated account; nil where it is no copy.
	remove func() error
}

// Open opens a target. Env is nil for the shared stack.
func Open(ctx context.Context, o Options, ref Ref, env *environment.Environment) (*Target, error) {
	open := openAWS
	if o.Local {
		open = openLocal
	}
	t, err := open(ctx, o, ref)
	if err != nil {
		return nil, err
	}
	t.Ref, t.Env = ref, env
	t.AWS, t.Responses = SanitizeResponses(t.AWS, env)
	return t, nil
}

// Shared returns the account's shared stack as a target of its own, which is not to be closed.
func (t *Target) Shared(shared *environment.Shared) *Target {
	other := *t
	other.Ref, other.Env, other.Held, other.Keeper = RefOfShared(shared), nil, nil, nil
	return &other
}

// Close releases what the target holds open.
func (t *Target) Close() error {
	if t.Simulated == nil {
		return nil
	}
	err := t.Simulated.Close()
	if t.remove != nil {
		err = errors.Join(err, t.remove())
	}
	return err
}
