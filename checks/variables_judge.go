package checks

import (
	"fmt"
	"slices"
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
			Cause:    "a variable became required, or was not filled in; the application cannot work without",
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
func (s State) words() string {
	if s == Foreign {
		return "another environment's"
	}
	return configuration.Kind(s).String()
}

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
		case there != value && there != anyValue:
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

// anyValue stands for a value that only AWS knows.
const anyValue = "\x00"

// given are the variables that a container definition names, with their values or references.
func given(c *ecstypes.ContainerDefinition) map[string]string {
	all := map[string]string{}
	if c == nil {
		return all
	}
	for _, pair := range c.Environment {
		all[aws.ToString(pair.Name)] = "value " + aws.ToString(pair.Value)
	}
	for _, s := range c.Secrets {
		all[aws.ToString(s.Name)] = "from " + aws.ToString(s.ValueFrom)
	}
	return all
}

// declared are the variables that the program sets in the application's container, as far as the environment's file
// says.
func declared(env *environment.Environment) map[string]string {
	all := map[string]string{}
	for _, name := range environment.ProgramVariables() {
		all[name] = anyValue
	}
	for name, value := range map[string]string{
		environment.VarRegion: env.Region, environment.VarDatabaseName: env.Database.Name, environment.VarConfigSecretID: env.SecretName(),
	} {
		all[name] = "value " + value
	}
	for _, key := range env.SecretKeys() {
		all[key] = anyValue
	}
	return all
}
