package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// The stack's outputs that the deployer reads.
const (
	outputSubnets        = "privateSubnetIds"
	outputSecurityGroups = "taskSecurityGroupId"
)

// engineOptions say where the engine is looked for, and where it keeps what is its own.
func (s settings) engineOptions() engine.Options {
	return engine.Options{Explicit: s.pulumi, ProjectDir: s.dir, Home: s.engineHome()}
}

// engineHome is below the state directory: the user's ~/.pulumi stays as it is.
func (s settings) engineHome() string { return filepath.Join(s.stateDir, "pulumi") }

// openStack opens a stack at the place. A stack that must exist is not made.
func (s settings) openStack(ctx context.Context, p *place, name string, mustExist bool) (*engine.Handle, error) {
	described, err := s.describeStack(p, name)
	if err != nil {
		return nil, err
	}
	found, err := p.engine()
	if err != nil {
		return nil, err
	}
	described.MustExist = mustExist
	handle, err := found.Open(ctx, described)
	if err != nil {
		return nil, err
	}
	if repaired := handle.Repaired(); repaired != "" {
		s.warn(errors.New(repaired))
	}
	return handle, s.tellKey(handle, name)
}

// openToPreview opens a stack that is only looked at. One that does not exist is not made: an empty one stands for it
// in a directory of its own, until forget is called.
func (s settings) openToPreview(ctx context.Context, p *place, name string) (handle *engine.Handle, forget func(), err error) {
	handle, err = s.openStack(ctx, p, name, true)
	if absent := (*engine.NoStackError)(nil); !errors.As(err, &absent) {
		return handle, func() {}, err
	}
	return s.openThrowaway(ctx, p, name)
}

// openThrowaway opens an empty stack of the name in a directory of its own, until forget is called.
func (s settings) openThrowaway(ctx context.Context, p *place, name string) (handle *engine.Handle, forget func(), err error) {
	described, err := s.describeStack(p, name)
	if err != nil {
		return nil, nil, err
	}
	found, err := p.engine()
	if err != nil {
		return nil, nil, err
	}
	empty, err := s.newTemporary(previewPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("make a place for the preview: %w", err)
	}
	forget = func() { s.warn(empty.remove()) }
	if handle, err = found.Open(ctx, described.Ephemeral(empty.path)); err != nil {
		forget()
		return nil, nil, err
	}
	return handle, forget, nil
}

// describeStack says how a stack is opened at the place.
func (s settings) describeStack(p *place, name string) (engine.Stack, error) {
	variables, err := p.state.env()
	if err != nil {
		return engine.Stack{}, err
	}
	if err := os.MkdirAll(s.stateDir, 0o700); err != nil {
		return engine.Stack{}, hint.With(fmt.Errorf("make the state directory: %w", err), "choose another one with --state-dir")
	}
	return engine.Stack{
		Project: s.dir, Name: name, WorkDir: filepath.Join(p.state.workDir, name),
		Home: s.engineHome(), BackendURL: p.state.url, SecretsProvider: p.state.secrets, Env: variables,
		Repair: p.held != nil, Stale: func(holders []engine.Holder) bool { return staleLocks(holders, p.held) },
		Versions: p.state.versions,
	}, nil
}

// tellKey asks for the key of a new stack's secrets to be committed: no command writes a tracked file, and another
// machine cannot read the secrets without it.
func (s settings) tellKey(handle *engine.Handle, name string) error {
	if !handle.Created() {
		return nil
	}
	encryption, err := handle.Encryption()
	if err != nil || encryption.EncryptedKey == "" {
		return err
	}
	_, err = fmt.Fprintf(s.err, "commit these two lines at the top of %s, so that every machine can read the stack's secrets:\n"+
		"secretsprovider: %s\nencryptedkey: %s\n", environment.FileName(name), encryption.SecretsProvider, encryption.EncryptedKey)
	return err
}

// stack is an environment's stack as a deployment sees it.
type stack struct {
	mender
	env         *environment.Environment
	endpointURL string
	// recorded is the image that the stack's output names.
	recorded string
	// deployed describes the environment as it was deployed last.
	deployed *environment.Environment
	// refresh reads from the account what is really there, before the next update.
	refresh bool
	// unrefreshed is the program of the state from before a refresh; nil where a deployment of code has followed it.
	unrefreshed *engine.Replay
}

// openEnvironment opens an environment's stack. One that must not exist is made where it is missing, unless the account
// has the environment all the same.
func (s settings) openEnvironment(ctx context.Context, p *place, env *environment.Environment, mustExist bool) (*stack, error) {
	handle, err := s.openStack(ctx, p, env.Stack, true)
	absent := (*engine.NoStackError)(nil)
	switch {
	case errors.As(err, &absent):
		if lost := s.refuseLost(ctx, p, env, "the backend does not know it"); lost != nil {
			return nil, lost
		}
		if mustExist {
			return nil, err
		}
		handle, err = s.openStack(ctx, p, env.Stack, false)
	case err == nil && knowsNothing(handle.Current()):
		err = s.refuseLost(ctx, p, env, "it has no resources")
	}
	if err != nil {
		return nil, err
	}
	opened := s.stackOf(handle, env)
	opened.aws, opened.account = p.aws, env.Account
	return opened, nil
}

func (s settings) stackOf(handle *engine.Handle, env *environment.Environment) *stack {
	deployed, err := describe(handle.Current(), env)
	s.warn(err)
	return &stack{
		mender: mender{handle: handle}, env: env, endpointURL: s.endpointURL,
		recorded: handle.Current().Text(infra.OutputImage), deployed: deployed,
	}
}

// program is the environment's program with an image for the tasks and one for the record.
func (s *stack) program(image, recorded string) pulumi.RunFunc {
	return infra.Deploy(s.env, infra.Release{Image: image, RecordedImage: recorded, RecordedEnvironment: s.deployed, EndpointURL: s.endpointURL})
}

// deployedProgram returns the program of the environment as it is deployed.
func (s *stack) deployedProgram() pulumi.RunFunc {
	return infra.Deploy(s.describe(), infra.Release{Image: s.recorded, RecordedImage: s.recorded, EndpointURL: s.endpointURL})
}

// Provision implements release.Infrastructure.
func (s *stack) Provision(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	s.deployed = s.deployed.WithInfrastructure(s.env, infra.SectionCopiers(func(name string) bool { return name != servicesComponent })...)
	beyond := 0
	done, err := s.upWatched(ctx, engine.Update{
		Program: s.program(image, s.recorded), Message: "provision " + image,
		Excludes: infra.ServiceURNs(), ExcludeDependents: true,
	}, progress, func(e engine.Event) {
		if e.Status == engine.Done && e.Changes() && !infra.IsMigrationTaskDefinition(e.URN) {
			beyond++
		}
	})
	done.InfrastructureChanges = beyond
	return done, err
}

// Release implements release.Infrastructure.
func (s *stack) Release(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	s.deployed = s.env
	done, err := s.up(ctx, engine.Update{Program: s.program(image, image), Message: "release " + image}, progress)
	if err == nil {
		s.recorded = image
	}
	return done, err
}

// PendingChanges implements release.Infrastructure. The engine's lock is not taken: a preview reads the state as it is.
func (s *stack) PendingChanges(ctx context.Context, image string) ([]history.Change, error) {
	program := infra.Deploy(s.env, infra.Release{Image: image, RecordedImage: image, EndpointURL: s.endpointURL})
	plan, err := s.handle.Preview(ctx, engine.Update{Program: program}, nil)
	var changes []history.Change
	for _, step := range plan.Steps {
		changes = append(changes, history.Change{Op: step.Op, Type: engine.ShortType(step.Type), Name: step.Name})
	}
	return changes, err
}

// HasPendingOperations implements release.Infrastructure.
func (s *stack) HasPendingOperations() bool { return s.unsettled() }

// Repair implements release.Infrastructure.
func (s *stack) Repair(ctx context.Context, image string, progress func(string)) ([]string, error) {
	return s.mend(ctx, s.program(image, image), progress)
}

// TaskNetwork implements release.Infrastructure.
func (s *stack) TaskNetwork() (release.TaskNetwork, error) {
	var network release.TaskNetwork
	outputs := s.handle.Outputs()
	subnets, _ := outputs[outputSubnets].Value.([]any)
	for _, subnet := range subnets {
		network.Subnets = append(network.Subnets, fmt.Sprint(subnet))
	}
	if group, ok := outputs[outputSecurityGroups].Value.(string); ok {
		network.SecurityGroups = []string{group}
	}
	if len(network.Subnets) == 0 || len(network.SecurityGroups) == 0 {
		return network, hint.With(fmt.Errorf("the stack %s does not say where its tasks run", s.env.Stack),
			"provision it first: run `up` without --skip provision")
	}
	return network, nil
}

func (s *stack) up(ctx context.Context, u engine.Update, progress func(string)) (release.Update, error) {
	return s.upWatched(ctx, u, progress, func(engine.Event) {})
}

// upWatched is up; each event is passed on as well.
func (s *stack) upWatched(ctx context.Context, u engine.Update, progress func(string), pass func(engine.Event)) (release.Update, error) {
	var done engine.Summary
	told, err := s.unlocking(ctx, func() error {
		err := s.reread(ctx, u.Targets, progress)
		if err == nil {
			done, err = s.handle.Up(ctx, u, func(e engine.Event) {
				tellEvent(e, progress)
				pass(e)
			})
		}
		return s.orphaned(ctx, err)
	})
	for _, what := range told {
		progress(what)
	}
	if busy := (*engine.ConcurrentUpdateError)(nil); errors.As(err, &busy) {
		return release.Update{}, &release.BusyError{Err: busy}
	}
	return release.Update{Changed: done.Changed(), Took: done.Duration, Warnings: done.Warnings}, err
}

// reread takes what is really in the account into the state, where that was asked for: everything once, or the targets
// of each update. It is a run of its own because the refresh of an update reads no more than the update is about, and
// provision leaves out the services.
func (s *stack) reread(ctx context.Context, targets []string, progress func(string)) error {
	if !s.refresh {
		return nil
	}
	progress("reading what is in the account")
	_, err := s.handle.Refresh(ctx, engine.Update{Targets: targets, Message: "refresh"}, func(e engine.Event) {
		if e.Status == engine.Done && e.Changes() {
			progress(fmt.Sprintf("%s %s is not as it was left", engine.ShortType(e.Type), e.Name))
		}
	})
	s.refresh = err != nil || len(targets) > 0
	return err
}

// tellEvent says what the engine is about, in one line.
func tellEvent(e engine.Event, progress func(string)) {
	switch {
	case e.URN == "" || !e.Changes():
	case e.Status == engine.Started:
		progress(fmt.Sprintf("%s %s %s", doing(e.Op), engine.ShortType(e.Type), e.Name))
	case e.Status == engine.Failed:
		progress(fmt.Sprintf("%s %s failed", engine.ShortType(e.Type), e.Name))
	}
}

// doing is an operation under way, in words.
func doing(op string) string {
	words := map[string]string{
		"create": "creating", "create-replacement": "creating the new", "update": "updating", "replace": "replacing",
		"delete": "deleting", "delete-replaced": "deleting the old", "import": "importing",
	}
	return cmp.Or(words[op], op)
}
