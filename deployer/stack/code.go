package stack

import (
	"context"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// describe returns the environment as it is deployed.
func (s *Stack) describe() *environment.Environment {
	described, _ := deployedEnvironment(s.handle.Current(), s.env) // its problems were reported when the stack was opened
	return described
}

// deployedProgram returns the program of the environment as it is deployed.
func (s *Stack) deployedProgram() pulumi.RunFunc {
	return infra.Deploy(s.describe(), infra.Release{
		Image: s.recorded, RecordedImage: s.recorded, DatabaseVersion: databaseVersion(s.handle.Current()), FinalSnapshot: finalSnapshot(s.handle.Current()), EndpointURL: s.endpointURL,
	})
}

// deployedEnvironment returns the description of what a state has: the stack's output, or where an earlier version of this program
// deployed it, the file, with the domain and the services of the state's resources. An error means that the file is used
// instead of an output that could not be read.
func deployedEnvironment(state engine.State, file *environment.Environment) (*environment.Environment, error) {
	described, unreadable := file, error(nil)
	if output, ok := state.Outputs[infra.OutputEnvironment]; ok {
		read, err := environment.DecodeDeployed(file.Stack, output.Value)
		if err == nil {
			described = read
		}
		unreadable = err
	}
	if state.Text(infra.OutputImage) == "" {
		return described, unreadable // no service was ever deployed
	}
	roles := map[environment.Role]bool{}
	copied := *described
	for _, r := range state.Resources {
		switch {
		case r.PendingDeletion:
		case r.Type == infra.ServiceType:
			roles[environment.Role(r.Name)] = true
		case infra.IsDomainRecord(r.URN):
			// A deployment that ended half-way may have moved the domain without recording it.
			if name, ok := r.Inputs["name"].(string); ok {
				copied.Domain.Name = strings.TrimSuffix(name, ".")
			}
		}
	}
	return copied.WithRoles(roles, file), unreadable
}

// Deployed implements release.Infrastructure.
func (s *Stack) Deployed(code *environment.Code) *environment.Environment {
	described := s.describe()
	if code != nil {
		described = described.WithCode(*code)
	}
	return described.WithDeployerSettings(s.env)
}

// A codeUpdate is an update of nothing but task definitions and services.
type codeUpdate struct {
	image string
	code  environment.Code
	// migrationOnly leaves the services and the stack's outputs as they are.
	migrationOnly bool
	// refresh reads from the account what is deployed before it is compared.
	refresh bool
	message string
}

// A preparedUpdate is an update of code, and the environment as it leaves it.
type preparedUpdate struct {
	engine.Update
	env *environment.Environment
}

// newCodeUpdate prepares an update of code. The program declares what the state holds, so that nothing else can change; the targets are a
// second guard.
func (s *Stack) newCodeUpdate(ctx context.Context, r codeUpdate) (preparedUpdate, error) {
	replay, err := s.replayed(ctx)
	if err != nil {
		return preparedUpdate{}, err
	}
	if r.refresh || s.refresh {
		s.unrefreshed = replay
	}
	state := s.handle.Current()
	env := s.Deployed(&r.code)
	secretARN := state.Text(infra.OutputSecret)
	edit := func(d *engine.Declaration) error {
		switch {
		case r.migrationOnly && d.Name != string(environment.Migration):
		case d.Type == infra.TaskDefinitionType:
			return infra.ApplyCode(d.Inputs, env, environment.Role(d.Name), r.image, secretARN)
		case d.Type == infra.ServiceType && replay.Has(infra.TaskDefinitionOf(d.URN)):
			d.Inputs["taskDefinition"] = engine.ARNRef(infra.TaskDefinitionOf(d.URN))
		}
		return nil
	}
	outputs := map[string]any{}
	if !r.migrationOnly {
		described, err := env.Encode()
		if err != nil {
			return preparedUpdate{}, err
		}
		outputs = map[string]any{infra.OutputImage: r.image, infra.OutputEnvironment: described}
	}
	var targets []string
	for _, one := range state.Resources {
		if infra.IsCodeType(one.Type) && (!r.migrationOnly || infra.IsMigrationTaskDefinition(one.URN)) {
			targets = append(targets, one.URN)
		}
	}
	targets = append(targets, state.PendingDeletions(func(urn string) bool { return slices.Contains(targets, urn) })...)
	slices.Sort(targets)
	return preparedUpdate{engine.Update{
		Program: replay.Program(infra.DeclareProvider(env, s.endpointURL), edit, outputs), Message: r.message,
		Targets: slices.Compact(targets), Refresh: r.refresh,
	}, env}, nil
}

// updateCode deploys code.
func (s *Stack) updateCode(ctx context.Context, r codeUpdate, progress release.ProgressFunc) (release.Update, error) {
	update, err := s.newCodeUpdate(ctx, r)
	if err != nil {
		return release.Update{}, err
	}
	done, err := s.update(ctx, update.Update, progress, nil)
	if err == nil && !r.migrationOnly {
		s.recorded, s.deployed, s.unrefreshed = r.image, update.env, nil
	}
	return done, err
}

// replayed returns the program of the state. After a refresh that no deployment has followed yet, it is the program from
// before it: a refresh takes what was changed outside the deployer into the state, and a deployment is to revert it.
func (s *Stack) replayed(ctx context.Context) (*engine.Replay, error) {
	if s.unrefreshed != nil {
		return s.unrefreshed, nil
	}
	return s.handle.Replay(ctx)
}

// DeployCode implements release.Infrastructure.
func (s *Stack) DeployCode(ctx context.Context, image string, code *environment.Code, progress release.ProgressFunc) (release.Update, error) {
	return s.updateCode(ctx, codeUpdate{image: image, code: s.codeOr(code), message: "code " + image}, progress)
}

// RefreshServices implements release.Infrastructure.
func (s *Stack) RefreshServices(ctx context.Context, image string, progress release.ProgressFunc) (release.Update, error) {
	return s.updateCode(ctx, codeUpdate{image: image, code: s.codeOr(nil), refresh: true, message: "bring back " + image}, progress)
}

// codeOr returns a code, or the one that is deployed.
func (s *Stack) codeOr(code *environment.Code) environment.Code {
	if code != nil {
		return *code
	}
	return s.describe().Code()
}
