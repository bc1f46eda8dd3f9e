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
)

// judgeContainer says what is not as it should be about what a container gets.
func judgeContainer(c Container, env *environment.Environment) []Finding {
	what := func() subject { return about("variables", c.Service+"/"+c.Container) }
	var findings []Finding
	if broken := namesOf(c.Variables, Variable.Broken); len(broken) > 0 {
		findings = append(findings, what().error("VariablesBroken", Hint{
			Cause:    "a variable became required, was not filled in, or comes from a wrong place; the application cannot work with that",
			Solution: "set each one that is named, then restart", Command: command(env, "secrets set"),
		}, "%s", strings.Join(broken, "; ")))
	}
	if odd := namesOf(c.Variables, func(v Variable) bool { return !v.Well() && !v.Broken() }); len(odd) > 0 {
		findings = append(findings, what().warning("VariablesOdd", Hint{
			Cause:    "a value was left for somebody to fill in, or was not written as it was meant",
			Solution: "set it anew", Command: command(env, "secrets set"),
		}, "%s", strings.Join(odd, "; ")))
	}
	if unread := namesOf(c.Variables, func(v Variable) bool { return v.State == Unread && v.Required }); len(unread) > 0 {
		findings = append(findings, what().unknown("VariablesNotRead", Hint{
			Cause:    "these credentials may not read the secret, or it is no JSON object",
			Solution: "look at it", Command: command(env, "secrets check"),
		}, "not read: %s", strings.Join(unread, "; ")))
	}
	if c.Stale > 0 {
		findings = append(findings, what().warning(reasonOlderThanConfiguration, Hint{
			Cause:    "a secret was changed after the tasks had started: they have its values from before",
			Solution: "restart the tasks", Command: command(env, "restart"),
		}, "%d/%d tasks are older than the last change of the configuration", c.Stale, c.Tasks))
	}
	if program := against(c.Differences, programSide(env)); len(program) > 0 {
		findings = append(findings, what().warning("NotAsTheProgramHasIt",
			driftHint(env, "the task definition is older than the environment's file, or was changed by hand"),
			"%s differs from %s: %s", c.Running, programSide(env), strings.Join(program, ", ")))
	}
	return findings
}

// namesOf lists variables with what there is to say about them.
func namesOf(variables []Variable, chosen func(Variable) bool) []string {
	var names []string
	for _, v := range variables {
		switch {
		case !chosen(v):
		case v.Message != "":
			names = append(names, fmt.Sprintf("%s (%s)", v.Name, v.Message))
		case v.State == Unread:
			names = append(names, v.Name)
		default:
			names = append(names, v.Name+" is "+v.State.words())
		}
	}
	return names
}

// words ends a sentence that begins with the variable and "is".
func (s State) words() string { return configuration.Kind(s).String() }

// against are the differences from one side, in words.
func against(all []Difference, side string) []string {
	var found []string
	for _, d := range all {
		if d.Against == side {
			found = append(found, d.Name+" "+d.Kind)
		}
	}
	return found
}

// programSide is how what the program would declare is called.
func programSide(env *environment.Environment) string { return environment.FileName(env.Stack) }

// differences holds what a container is given by its running task definition against another one, by name and value.
func differences(side string, running, other map[string]string) []Difference {
	var found []Difference
	for name, value := range running {
		switch there, has := other[name]; {
		case !has:
			found = append(found, Difference{side, name, "added"})
		case there == anyValue && strings.HasPrefix(value, asValue) && value != asValue:
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

// anyValue stands for a value that only AWS knows, but not for a reference or for nothing.
const anyValue = "\x00"

// asValue and asReference begin how a variable is given.
const asValue, asReference = "value ", "from "

// given are the variables that a container definition names, with their values or references.
func given(c *ecstypes.ContainerDefinition, env *environment.Environment) map[string]string {
	all := map[string]string{}
	if c == nil {
		return all
	}
	for _, pair := range c.Environment {
		all[aws.ToString(pair.Name)] = asValue + aws.ToString(pair.Value)
	}
	for _, s := range c.Secrets {
		reference := aws.ToString(s.ValueFrom)
		if state, _ := referred(reference, env); state == Set {
			_, key := splitValueFrom(reference)
			reference = ownKey(key, env)
		}
		all[aws.ToString(s.Name)] = asReference + reference
	}
	return all
}

// ownKey is how a reference to a key of the environment's own secret is held against others: by its names, since only AWS
// knows the ARN's end.
func ownKey(key string, env *environment.Environment) string { return env.SecretName() + " " + key }

// declared are the variables that the program sets in the application's container, as far as the environment's file
// says.
func declared(env *environment.Environment) map[string]string {
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
		all[name] = asValue + value
	}
	for _, key := range env.SecretKeys() {
		all[key] = asReference + ownKey(key, env)
	}
	return all
}

// setOtherwise are the keys of the configuration secret that a container needs and is given in another way than by a
// reference to them.
func setOtherwise(c *ecstypes.ContainerDefinition, env *environment.Environment) []string {
	var names []string
	for _, d := range differences("", given(c, env), declared(env)) {
		if d.Kind == "changed" && slices.Contains(env.SecretKeys(), d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}
