package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// evaluateContainer evaluates the variables of a container.
func evaluateContainer(c Container, env *environment.Environment) []Finding {
	f := func() findingBuilder { return newFinding("variables", c.Service+"/"+c.Container) }
	var findings []Finding
	if broken := describeVariables(c.Variables, Variable.Broken); len(broken) > 0 {
		findings = append(findings, f().error("VariablesBroken", Hint{
			Cause:    "a variable became required, has no value, or comes from a wrong source; the application cannot work without it",
			Solution: "set each variable in the message, then restart", Command: command(env, "secrets set"),
		}, "%s", strings.Join(broken, "; ")))
	}
	if odd := describeVariables(c.Variables, func(v Variable) bool { return !v.OK() && !v.Broken() }); len(odd) > 0 {
		findings = append(findings, f().warning("VariablesSuspicious", Hint{
			Cause:    "a value is still a placeholder, or was not written as intended",
			Solution: "set it again", Command: command(env, "secrets set"),
		}, "%s", strings.Join(odd, "; ")))
	}
	if unread := describeVariables(c.Variables, func(v Variable) bool { return v.State == Unread && v.Required }); len(unread) > 0 {
		findings = append(findings, f().unknown("VariablesNotRead", Hint{
			Cause:    "these credentials may not read the secret, or it is no JSON object",
			Solution: "check it", Command: command(env, "secrets check"),
		}, "not read: %s", strings.Join(unread, "; ")))
	}
	if c.Stale > 0 {
		findings = append(findings, f().warning(reasonOlderThanConfiguration, Hint{
			Cause:    "a secret was changed after the tasks had started: they have its previous values",
			Solution: "restart the tasks", Command: command(env, "restart"),
		}, "%d/%d tasks are older than the last change of the configuration", c.Stale, c.Tasks))
	}
	if program := list.Filter(c.Differences, func(d Difference) bool { return d.Against == programName(env) }); len(program) > 0 {
		findings = append(findings, f().warning("DiffersFromProgram",
			driftHint(env, "the task definition is older than the environment's file, or was changed outside the deployer"),
			"%s differs from %s: %s", c.Running, programName(env),
			strings.Join(list.Map(program, func(d Difference) string { return d.Name + " " + d.Kind }), ", ")))
	}
	return findings
}

// describeVariables returns the selected variables with their problems.
func describeVariables(variables []Variable, selected func(Variable) bool) []string {
	var names []string
	for _, v := range variables {
		switch {
		case !selected(v):
		case slices.Contains([]State{
			State(configuration.Malformed), State(configuration.Incomplete), State(configuration.Hidden), State(configuration.Converted),
		}, v.State):
			names = append(names, v.Name+" "+configuration.Describe(configuration.Kind(v.State), v.Message))
		case v.Message != "":
			names = append(names, fmt.Sprintf("%s (%s)", v.Name, v.Message))
		case v.State == Unread:
			names = append(names, v.Name)
		default:
			names = append(names, v.Name+" "+configuration.Kind(v.State).Predicate())
		}
	}
	return names
}

func programName(env *environment.Environment) string { return environment.FileName(env.Stack) }

// differences compares the running task definition with another one, by name and value.
func differences(side string, running, other map[string]string) []Difference {
	var found []Difference
	for name, value := range running {
		switch there, has := other[name]; {
		case !has:
			found = append(found, Difference{side, name, "added"})
		case there == anyValue && strings.HasPrefix(value, valuePrefix) && value != valuePrefix:
		case there != value:
			found = append(found, Difference{side, name, "changed"})
		}
	}
	for name := range other {
		if _, has := running[name]; !has {
			found = append(found, Difference{side, name, "removed"})
		}
	}
	slices.SortFunc(found, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// anyValue stands for any value that only AWS knows, but not for a reference or an empty value.
const anyValue = "\x00"

// valuePrefix and referencePrefix mark how a variable is defined.
const valuePrefix, referencePrefix = "value ", "from "

// definedVariables returns the variables that a container definition names, with their values or references.
func definedVariables(c *ecstypes.ContainerDefinition, env *environment.Environment) map[string]string {
	all := map[string]string{}
	if c == nil {
		return all
	}
	for _, pair := range c.Environment {
		all[aws.ToString(pair.Name)] = valuePrefix + aws.ToString(pair.Value)
	}
	for _, s := range c.Secrets {
		reference := aws.ToString(s.ValueFrom)
		if state, _ := checkReference(reference, env); state == Set {
			_, key := splitValueFrom(reference)
			reference = ownReference(key, env)
		}
		all[aws.ToString(s.Name)] = referencePrefix + reference
	}
	return all
}

// ownReference identifies a key of the environment's own secret for comparison, since only AWS knows the end of its ARN.
func ownReference(key string, env *environment.Environment) string {
	return env.SecretName() + " " + key
}

// expectedVariables returns the variables that the infra program sets in the application's container, as far as the
// environment's file defines them.
func expectedVariables(env *environment.Environment) map[string]string {
	all := map[string]string{}
	for _, name := range environment.ProgramVariables() {
		all[name] = anyValue
	}
	for name, value := range map[string]string{
		environment.VarRegion: env.Region, environment.VarConfigSecretID: env.SecretName(),
		environment.VarDatabaseName: env.Database.Name, environment.VarDatabasePort: strconv.Itoa(environment.DatabasePort),
		environment.VarConnectionLimit: strconv.Itoa(env.Database.Connections),
		environment.VarPoolTimeout:     strconv.Itoa(int(env.Database.PoolTimeout.Seconds())),
	} {
		all[name] = valuePrefix + value
	}
	for _, key := range env.SecretKeys() {
		all[key] = referencePrefix + ownReference(key, env)
	}
	return all
}

// redefinedKeys returns the required keys of the configuration secret that a container does not get by reference.
func redefinedKeys(c *ecstypes.ContainerDefinition, env *environment.Environment) []string {
	var names []string
	for _, d := range differences("", definedVariables(c, env), expectedVariables(env)) {
		if d.Kind == "changed" && slices.Contains(env.SecretKeys(), d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}
