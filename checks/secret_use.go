package checks

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// SecretUse has what the containers that run take from the configuration secret. The zero value is that of an environment without
// services: only its file determines which keys are needed.
type SecretUse struct {
	references []secretReference
	// definitions has, for each application container, the variables that its task definition sets itself.
	definitions []map[string]string
}

// A secretReference is a reference of a task definition to a key.
type secretReference struct {
	key, variable, revision string
	// application reports whether the container is the application, and not a sidecar.
	application bool
	// builds reports whether entrypoint builds a DATABASE_URL that is empty.
	builds bool
}

// ReadSecretUse returns what the running task definitions of the environment's services refer to.
func ReadSecretUse(ctx context.Context, env *environment.Environment, cfg aws.Config) (SecretUse, error) {
	return readSecretUse(withComponent(ctx, "secrets"), &runContext{env: env, src: Sources{AWS: cfg}})
}

func readSecretUse(ctx context.Context, rc *runContext) (SecretUse, error) {
	var use SecretUse
	services, err := readServices(ctx, rc)
	if err != nil || len(services) == 0 {
		return use, err
	}
	tasks, err := readRunningTasks(ctx, rc)
	if err != nil {
		return use, err
	}
	for _, s := range rc.env.Services.List() {
		name := rc.env.ServiceName(s.Role)
		service := findService(services, name)
		if service == nil || aws.ToString(service.Status) == "INACTIVE" {
			continue
		}
		running, _ := serviceReader{runContext: rc, service: service, tasks: tasksOfService(tasks, name)}.revisions()
		definition, err := readTaskDefinition(ctx, rc, running)
		if err != nil {
			return SecretUse{}, fmt.Errorf("read %s, which runs: %w", awsx.NameFromARN(running), err)
		}
		if definition != nil {
			use.add(definition, rc.env.ContainerName(s.Role), rc.env)
		}
	}
	return use, nil
}

// add adds the containers of a task definition, of which application is the name of one.
func (u *SecretUse) add(definition *ecstypes.TaskDefinition, application string, env *environment.Environment) {
	for i := range definition.ContainerDefinitions {
		c := &definition.ContainerDefinitions[i]
		values := map[string]string{}
		for _, pair := range c.Environment {
			values[aws.ToString(pair.Name)] = aws.ToString(pair.Value)
		}
		is := aws.ToString(c.Name) == application
		for _, s := range c.Secrets {
			if state, _ := checkReference(aws.ToString(s.ValueFrom), env); state == Set {
				_, key := splitValueFrom(aws.ToString(s.ValueFrom))
				u.references = append(u.references, secretReference{
					key, aws.ToString(s.Name), revisionOf(definition), is, is && values[environment.VarDatabaseSecretARN] != "",
				})
			}
		}
		if is {
			u.definitions = append(u.definitions, values)
		}
	}
}

// to returns the references to a key.
func (u SecretUse) to(key string) []secretReference {
	return list.Filter(u.references, func(r secretReference) bool { return r.key == key })
}

// Required returns the keys that the containers need: those of the environment's file in its order, then further ones that running
// task definitions refer to, without which ECS does not start another task of theirs.
func (u SecretUse) Required(env *environment.Environment) []string {
	keys := env.SecretKeys()
	further := list.Filter(list.Map(u.references, func(r secretReference) string { return r.key }), func(key string) bool {
		return !slices.Contains(keys, key)
	})
	slices.Sort(further)
	return slices.Concat(keys, slices.Compact(further))
}

// shadowed reports whether a key has no effect, since the task definitions set its variable themselves, and whether they set the same
// value. A value that only AWS knows counts as another one.
func (u SecretUse) shadowed(key, value string, env *environment.Environment) (shadowed, same bool) {
	if len(u.definitions) == 0 {
		return environment.OriginOf(key) == environment.FromProgram, expectedVariables(env)[key] == valuePrefix+value
	}
	same = true
	for _, definition := range u.definitions {
		set, is := definition[key]
		if !is || set == "" && (isURLPart(key) || key == environment.VarDatabaseURL) {
			return false, false
		}
		same = same && set == value
	}
	return true, same
}
