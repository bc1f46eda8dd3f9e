// Package stack joins the engine and the infra program: it opens the stack of a target, deploys all or a part of it, and
// recovers it after a deployer or an engine that was killed.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// An Opener opens stacks.
type Opener struct {
	Options target.Options
	// Warn reports what does not end a command.
	Warn func(error)
	// Instructions receives what a person has to do, such as lines to commit.
	Instructions io.Writer

	find     sync.Once
	engine   *engine.Engine
	notFound error
}

// Engine returns the engine, which is looked for once. The errors are those of engine.Find.
func (o *Opener) Engine(ctx context.Context) (*engine.Engine, error) {
	o.find.Do(func() { o.engine, o.notFound = engine.Find(ctx, o.Options.EngineOptions()) })
	return o.engine, o.notFound
}

// Progress shows the steps of a command.
type Progress interface {
	Step(ctx context.Context, name string, run func(report func(string)) (summary string, err error)) error
	Report(release.Event)
}

// A Mode is what happens where a stack does not exist.
type Mode int

// The modes. Create returns an error where the account has the environment although there is no stack: its state is missing.
// CreateEmpty begins with an empty state even then.
const (
	MustExist Mode = iota
	Create
	CreateEmpty
)

// Handle opens the engine's handle of a target's stack.
func (o *Opener) Handle(ctx context.Context, t *target.Target, mode Mode) (*engine.Handle, error) {
	described, err := o.describe(t)
	if err != nil {
		return nil, err
	}
	described.MustExist = mode == MustExist
	handle, err := engine.Open(ctx, func() (*engine.Engine, error) { return o.Engine(ctx) }, described)
	if err != nil {
		return nil, err
	}
	if repaired := handle.Repaired(); repaired != "" {
		o.Warn(errors.New(repaired))
	}
	return handle, nil
}

// HandleToPreview opens a handle that changes nothing. An empty stack stands for one that does not exist, until discard is
// called.
func (o *Opener) HandleToPreview(ctx context.Context, t *target.Target) (handle *engine.Handle, discard func(), err error) {
	handle, err = o.Handle(ctx, t, MustExist)
	if absent := (*engine.NoStackError)(nil); !errors.As(err, &absent) {
		return handle, func() {}, err
	}
	return o.EphemeralHandle(ctx, t)
}

// EphemeralHandle opens an empty stack of the target's name in a temporary directory, until discard is called.
func (o *Opener) EphemeralHandle(ctx context.Context, t *target.Target) (handle *engine.Handle, discard func(), err error) {
	described, err := o.describe(t)
	if err != nil {
		return nil, nil, err
	}
	found, err := o.Engine(ctx)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "deployer-preview-")
	if err != nil {
		return nil, nil, fmt.Errorf("create a directory for the preview: %w", err)
	}
	discard = func() {
		if err := os.RemoveAll(dir); err != nil {
			o.Warn(err)
		}
	}
	if handle, err = found.Open(ctx, described.Ephemeral(dir)); err != nil {
		discard()
		return nil, nil, err
	}
	return handle, discard, nil
}

// describe returns how the engine opens the target's stack.
func (o *Opener) describe(t *target.Target) (engine.Stack, error) {
	variables, err := t.State.Env()
	if err != nil {
		return engine.Stack{}, err
	}
	if err := os.MkdirAll(o.Options.StateDir, 0o700); err != nil {
		return engine.Stack{}, hint.With(fmt.Errorf("create the state directory: %w", err), "choose another one with --state-dir")
	}
	gated := ""
	if t.State.Gated != nil {
		gated = t.State.Gated(t.Keeper.Endpoint())
	}
	return engine.Stack{
		Project: o.Options.Dir, Name: t.Stack, WorkDir: filepath.Join(t.State.WorkDir, t.Stack),
		Home: o.Options.EngineHome(), BackendURL: t.State.URL, SecretsProvider: t.State.SecretsProvider, Env: variables,
		GatedURL: gated, OnEngine: t.Keeper.EngineStarted,
		OwnEncryption: t.State.OwnEncryption,
		Repair:        t.Held != nil, Stale: func(holders []engine.Holder) bool { return staleLocks(holders, t.Held) },
		Versions: t.State.Versions,
	}, nil
}

// PrintKey asks for the key of the stack's secrets to be committed, until the file has it: no command changes a tracked file, and
// another machine cannot read the secrets without the key. It is for the end of a run that may have created the stack, whatever the
// outcome.
func (o *Opener) PrintKey(t *target.Target) {
	found := engine.Stack{
		Project: o.Options.Dir, Name: t.Stack, WorkDir: filepath.Join(t.State.WorkDir, t.Stack), OwnEncryption: t.State.OwnEncryption,
	}
	encryption, err := found.UncommittedEncryption()
	if err == nil && encryption.EncryptedKey != "" {
		_, err = fmt.Fprintf(o.Instructions, "commit these two lines at the top of %s, so that every machine can read the stack's secrets:\n"+
			"secretsprovider: %s\nencryptedkey: %s\n", environment.FileName(t.Stack), encryption.SecretsProvider, encryption.EncryptedKey)
	}
	if err != nil {
		o.Warn(fmt.Errorf("it is unknown whether %s has the key of the stack's secrets: %w", environment.FileName(t.Stack), err))
	}
}

// Open opens the stack of the target's environment, with the scope of its deployments.
func (o *Opener) Open(ctx context.Context, t *target.Target, mode Mode, scope Scope) (*Stack, error) {
	handle, err := o.Handle(ctx, t, MustExist)
	absent := (*engine.NoStackError)(nil)
	switch {
	case errors.As(err, &absent):
		if missing := o.checkStateNotMissing(ctx, t, mode, "the backend does not know it"); missing != nil {
			return nil, missing
		}
		if mode == MustExist {
			return nil, err
		}
		handle, err = o.Handle(ctx, t, Create)
	case err == nil && isEmpty(handle.Current()):
		err = o.checkStateNotMissing(ctx, t, mode, "it has no resources")
	}
	if err != nil {
		return nil, err
	}
	return o.stackOf(handle, t, scope), nil
}

// OpenToPreview opens the stack of the target's environment for previews only, until discard is called. An empty one stands for a
// stack that does not exist; of one whose state is missing only in the mode CreateEmpty.
func (o *Opener) OpenToPreview(ctx context.Context, t *target.Target, mode Mode, scope Scope) (opened *Stack, discard func(), err error) {
	handle, discard, err := o.HandleToPreview(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if isEmpty(handle.Current()) {
		if err := o.checkStateNotMissing(ctx, t, mode, "the backend does not know it"); err != nil {
			discard()
			return nil, nil, err
		}
	}
	return o.stackOf(handle, t, scope), discard, nil
}

// CheckComponents returns an error where components cannot be deployed while the rest of the stack does not change. It creates
// nothing, and checks nothing where an earlier deployment left something half done, which has to be recovered first.
func (o *Opener) CheckComponents(ctx context.Context, t *target.Target, components []string) error {
	handle, discard, err := o.HandleToPreview(ctx, t)
	if err != nil {
		return err
	}
	defer discard()
	s := o.stackOf(handle, t, Scope{Components: components})
	if t.Held != nil && s.recovery.required() {
		return nil
	}
	return s.checkComponents(ctx)
}

func (o *Opener) stackOf(handle *engine.Handle, t *target.Target, scope Scope) *Stack {
	deployed, err := deployedEnvironment(handle.Current(), t.Env)
	if err != nil {
		o.Warn(err)
	}
	return newStack(handle, t, o.Options.EndpointURL, deployed, scope)
}

// OpenCode opens the stack of an environment for deployments of code alone. The infrastructure must exist; which services it
// has, and whether the environment's file differs by now, does not matter.
func (o *Opener) OpenCode(ctx context.Context, t *target.Target) (*Stack, error) {
	code := t.Env.Code()
	opened, err := o.Open(ctx, t, MustExist, Scope{Code: &code})
	absent := (*engine.NoStackError)(nil)
	if err != nil && !errors.As(err, &absent) {
		return nil, err
	}
	exists, limit := err == nil, destroyLimit
	reached := exists && opened.recorded != ""
	if reached {
		limit = 1
	}
	// Records that cannot be read are reported by the commands, which need them too.
	records, _ := t.Records.List(ctx, t.Stack, limit)
	if why := noCode(t.Env.Name, exists, reached, records); why != "" {
		return nil, hint.With(errors.New(why), fmt.Sprintf("deploy all of it first: `deployer up --env %s --image-tag TAG`", t.Stack))
	}
	return opened, nil
}

// destroyLimit is how many records are searched for a destroy, where no code is deployed.
const destroyLimit = 20

// noCode returns why there are no services whose code could change; "" where there are. The records are the newest of the
// environment.
func noCode(env string, exists, reached bool, records []history.Deployment) string {
	destroy := history.LastDestroy(records)
	if destroy == nil {
		switch {
		case !exists:
			return env + " was never deployed, so there are no services whose code could change"
		case !reached:
			return "no deployment of " + env + " has reached its services, so there is no code to change"
		}
		return ""
	}
	on, last := text.Minute(destroy.Started), len(history.SinceDestroy(records)) == 0
	switch {
	case last && destroy.Outcome == history.Succeeded:
		return fmt.Sprintf("%s was destroyed on %s, so there are no services whose code could change", env, on)
	case last:
		return fmt.Sprintf("the destroy of %s on %s did not reach its end, so that services, or what they need, may be gone", env, on)
	case !reached:
		return fmt.Sprintf("no deployment of %s has reached its services since it was destroyed on %s, so there is no code to change",
			env, on)
	}
	return ""
}

// Deployed returns the target's environment as its stack describes it; nil where there is no stack, or an empty one. It creates nothing.
func (o *Opener) Deployed(ctx context.Context, t *target.Target) (*environment.Environment, error) {
	handle, err := o.Handle(ctx, t, MustExist)
	if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
		return nil, nil
	}
	if err != nil || isEmpty(handle.Current()) {
		return nil, err
	}
	return deployedEnvironment(handle.Current(), t.Env)
}

// Info reads the target's environment from Pulumi's state. It creates nothing, neither stack nor lock, and returns an error
// where there is no engine, no access or no stack.
func (o *Opener) Info(ctx context.Context, t *target.Target) (checks.StackInfo, error) {
	opened, err := o.Open(ctx, t, MustExist, Scope{})
	if err != nil {
		return checks.StackInfo{}, err
	}
	state := opened.handle.Current()
	info := checks.StackInfo{Updated: state.Updated, Image: state.Text(infra.OutputImage)}
	for _, r := range state.Resources {
		if !r.Component() {
			info.Resources++
		}
	}
	for _, op := range state.Pending {
		info.Pending = append(info.Pending, op.URN)
	}
	return info, nil
}
