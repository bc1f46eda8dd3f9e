package checks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
)

// KeyProblem is what is wrong with a key of the configuration secret. It holds no value.
type KeyProblem struct {
	Key string `json:"key"`
	// Kind is a kind of configuration's, or one of those below.
	Kind configuration.Kind `json:"kind"`
	// Message goes on after the key: "is missing".
	Message string `json:"message"`
	// Stops says that a deployment with it is not worth starting.
	Stops bool `json:"stops"`
	// Rejected says that nobody means it: such a value is not written.
	Rejected bool `json:"-"`
}

// The kinds of problems that take an environment to see.
const (
	// ForeignKey is a value that leads to another environment's database.
	ForeignKey configuration.Kind = "foreign"
	// ShadowedKey is one that the task definition sets too, which wins.
	ShadowedKey configuration.Kind = "shadowed"
	// UnknownKey is one that the application does not know, as far as the environment's file says.
	UnknownKey configuration.Kind = "unknown"
)

// SecretProblems returns what is wrong with the keys of a configuration secret: the required ones first, in the order of the
// environment's file, then the others by name. Everything that judges a secret asks here: preflight, status, vars and
// secrets, before and after it is written.
func SecretProblems(values map[string]string, env *environment.Environment) []KeyProblem {
	var problems []KeyProblem
	required := env.SecretKeys()
	for _, key := range required {
		problems = append(problems, valueProblems(key, values, true, env)...)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(required, key) {
			problems = append(problems, optionalKeyProblems(key, values, env)...)
		}
	}
	return problems
}

// optionalKeyProblems judges a key that the secret need not have. One that is not known reaches the application all the same, and
// so does what is wrong with its value.
func optionalKeyProblems(key string, values map[string]string, env *environment.Environment) []KeyProblem {
	if environment.OriginOf(key) == environment.FromProgram {
		return []KeyProblem{{key, ShadowedKey, "has no effect: the task definition sets it, and wins", false, false}}
	}
	// An empty DATABASE_URL counts as none, others can mean that something is off.
	var problems []KeyProblem
	if values[key] != "" {
		problems = valueProblems(key, values, key == environment.VarDatabaseURL, env)
	}
	if !env.ReadsVariable(key) {
		problems = append(problems, KeyProblem{key, UnknownKey, "is not known to the application: neither configuration.required nor configuration.optional of " +
			environment.FileName(env.Stack) + " has it", false, false})
	}
	return problems
}

// valueProblems says what is wrong with a key's value. Another environment's database stops a deployment whichever key leads
// there, other problems do where the application needs the key.
func valueProblems(key string, values map[string]string, required bool, env *environment.Environment) []KeyProblem {
	if what, foreign := foreignDatabase(env, values[key]); foreign {
		return []KeyProblem{{key, ForeignKey, "leads to " + what, true, true}}
	}
	for _, p := range configuration.Judge(values, []string{key}) {
		if required || p.Kind != configuration.Empty {
			return []KeyProblem{{key, p.Kind, "is " + p.Kind.String(), required && p.Kind.IsFatal(), p.Kind != configuration.Padded}}
		}
	}
	return nil
}

// String is the problem in words.
func (p KeyProblem) String() string { return fmt.Sprintf("%s %s", p.Key, p.Message) }
