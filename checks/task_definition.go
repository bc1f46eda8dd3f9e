package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

func checkTaskDefinitions(ctx context.Context, rc *runContext) ([]Finding, error) {
	prefetch(ctx, rc, readSecret)
	services, err := readServices(ctx, rc)
	if err != nil {
		return nil, err
	}
	roles := list.Map(rc.env.Services.List(), func(s environment.Service) environment.Role { return s.Role })
	return forEach(ctx, append(roles, environment.Migration), func(ctx context.Context, role environment.Role) ([]Finding, error) {
		name := rc.env.TaskFamily(role)
		if service := findService(services, rc.env.ServiceName(role)); service != nil {
			name = aws.ToString(service.TaskDefinition)
		}
		definition, err := readTaskDefinition(ctx, rc, name)
		if err != nil {
			return nil, err
		}
		secret, secretErr := readSecret(ctx, rc)
		if secretErr != nil && definition != nil {
			return []Finding{unknownFinding("task_definition", taskDefinitionID(rc.env, role), secretErr)}, nil
		}
		return []Finding{evaluateTaskDefinition(definition, role, secretKeys(secret), rc.env)}, nil
	})
}

// secretKeys returns the keys of the configuration secret, none where there is no secret or it is no JSON object.
func secretKeys(secret *configSecret) []string {
	if secret == nil {
		return nil
	}
	settings, _ := configuration.ParseSecret("", secret.text)
	return settings.Names()
}

func taskDefinitionID(env *environment.Environment, role environment.Role) string {
	return "ECS-TaskDefinition-" + env.TaskFamily(role)
}

// evaluateTaskDefinition evaluates what a task of the role would be started with. keys are those of the configuration secret.
func evaluateTaskDefinition(
	definition *ecstypes.TaskDefinition, role environment.Role, keys []string, env *environment.Environment,
) Finding {
	f := newFinding("task_definition", taskDefinitionID(env, role))
	if definition == nil {
		return f.error("TaskDefinitionMissing", missingFromHint(env, "the revision"), "the task definition %s does not exist", env.TaskFamily(role))
	}
	container := findContainer(definition, env.ContainerName(role))
	f = f.with("revision", definition.Revision).with("cpu", aws.ToString(definition.Cpu)).with("memory", aws.ToString(definition.Memory))
	if container == nil {
		return f.error("ContainerMissing", driftHint(env, "the task definition was not created by the deployer"),
			"the task definition has no container %s", env.ContainerName(role))
	}
	references := secretReferences(container, env)
	missing := list.Filter(references, func(key string) bool { return !slices.Contains(keys, key) })
	unset := unsetVariables(container, env)
	foreign := foreignReferences(container, env)
	redefined := redefinedKeys(container, env)
	f = f.with("image", aws.ToString(container.Image)).with("secret_keys", references)
	switch {
	case len(missing) > 0:
		return f.with("missing_keys", missing).error("SecretKeysMissing", Hint{
			Cause:    "the task definition refers to keys that the secret " + env.SecretName() + " does not have: its tasks stop before they start",
			Solution: "set the keys", Command: command(env, "secrets set"),
		}, "%d of %d secret keys that the %s refers to are missing: %s", len(missing), len(references), role, strings.Join(missing, ", "))
	case len(unset) > 0:
		return f.with("missing_variables", unset).error("VariablesMissing",
			driftHint(env, "the task definition is older than the environment's file, or was changed outside the deployer"),
			"%d of %d required variables are not set: %s", len(unset), len(env.Configuration.Required), strings.Join(unset, ", "))
	case len(foreign) > 0:
		return f.error("ReferencesOtherEnvironment", driftHint(env, "the task definition was changed outside the deployer, or copied from another environment's"),
			"%s", strings.Join(foreign, "; "))
	case len(redefined) > 0:
		return f.warning("DiffersFromProgram",
			driftHint(env, "the task definition is older than the environment's file, or was changed outside the deployer"),
			"required variables do not come from %s, as the deployer sets them: %s", env.SecretName(), strings.Join(redefined, ", "))
	case definition.Status == ecstypes.TaskDefinitionStatusInactive:
		return f.warning("TaskDefinitionInactive", deployHint(env, "the revision was deregistered; running tasks continue"),
			"revision %d is deregistered: no new task can use it", definition.Revision)
	case !strings.Contains(aws.ToString(container.Image), "@sha256:"):
		return f.warning("ImageNotPinned", deployHint(env, "it was registered outside the deployer"),
			"the image is named by a tag, which can move: %s", aws.ToString(container.Image))
	}
	return f.healthy("Complete", "revision %d, %d secret keys, %d required variables",
		definition.Revision, len(references), len(env.Configuration.Required))
}

func findContainer(definition *ecstypes.TaskDefinition, name string) *ecstypes.ContainerDefinition {
	return list.Find(definition.ContainerDefinitions, func(c ecstypes.ContainerDefinition) bool { return aws.ToString(c.Name) == name })
}

// secretReferences returns the keys of the configuration secret that a container refers to, sorted.
func secretReferences(container *ecstypes.ContainerDefinition, env *environment.Environment) []string {
	keys := []string{}
	for _, s := range container.Secrets {
		if name, key := splitValueFrom(aws.ToString(s.ValueFrom)); key != "" && isSecretNamed(name, env.SecretName()) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// splitValueFrom returns the secret's name and the key in a reference of the form
// arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME:KEY:STAGE:VERSION, of which the last three are optional, and "" for other
// references.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
func splitValueFrom(reference string) (name, key string) {
	parts := strings.Split(reference, ":")
	if len(parts) < 7 || parts[2] != "secretsmanager" {
		return "", ""
	}
	return parts[6], strings.Join(parts[7:min(8, len(parts))], "")
}

// isSecretNamed reports whether the last part of a secret's ARN is the name, with or without the hyphen and six characters that
// Secrets Manager adds.
func isSecretNamed(part, name string) bool {
	return part == name || strings.HasPrefix(part, name+"-") && len(part) == len(name)+7
}

// unsetVariables returns the required variables that a container does not get. DATABASE_URL is built when the container starts,
// if it knows the database's secret.
func unsetVariables(container *ecstypes.ContainerDefinition, env *environment.Environment) []string {
	set := slices.Concat(list.Map(container.Environment, func(v ecstypes.KeyValuePair) string { return aws.ToString(v.Name) }),
		list.Map(container.Secrets, func(s ecstypes.Secret) string { return aws.ToString(s.Name) }))
	if slices.Contains(set, environment.VarDatabaseSecretARN) {
		set = append(set, environment.VarDatabaseURL)
	}
	return list.Filter(env.Configuration.Required, func(name string) bool { return !slices.Contains(set, name) })
}
