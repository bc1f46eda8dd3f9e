package checks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
)

// KeyProblem describes what is wrong with a key of the configuration secret. It holds no value.
type KeyProblem struct {
	Key string `json:"key"`
	// Kind is a kind of package configuration, or one of those below.
	Kind configuration.Kind `json:"kind"`
	// Message continues a sentence that starts with the key: "is missing".
	Message string `json:"message"`
	// Stops reports whether it prevents a deployment.
	Stops bool `json:"stops"`
	// Rejected reports whether such a value must not be written.
	Rejected bool `json:"-"`
}

// The kinds of problems that depend on the environment.
const (
	// ForeignKey is a value that refers to another environment's database.
	ForeignKey configuration.Kind = "foreign"
	// ShadowedKey is a key that the task definition sets too, with precedence.
	ShadowedKey configuration.Kind = "shadowed"
	// UnknownKey is a key that the environment's file does not list for the application.
	UnknownKey configuration.Kind = "unknown"
	// LoaderKey is a key with which entrypoint starts no application.
	LoaderKey configuration.Kind = "loader"
)

// SecretProblems returns what is wrong with the keys of a configuration secret: the required ones first, in the order of the
// environment's file, then the others by name. Preflight, status, vars and secrets all use it, before and after the secret is
// written.
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

// optionalKeyProblems evaluates a key that is not required. Even an unknown key reaches the application, with any problem of its
// value.
func optionalKeyProblems(key string, values map[string]string, env *environment.Environment) []KeyProblem {
	if environment.OriginOf(key) == environment.FromProgram {
		return []KeyProblem{{key, ShadowedKey, "has no effect: the task definition sets it, and has precedence", false, false}}
	}
	// An empty DATABASE_URL counts as missing; other empty values can be intended.
	var problems []KeyProblem
	if values[key] != "" || configuration.ChangesLoader(key) {
		problems = valueProblems(key, values, key == environment.VarDatabaseURL, env)
	}
	if !env.ReadsVariable(key) && !configuration.ChangesLoader(key) {
		problems = append(problems, KeyProblem{key, UnknownKey, "is not known to the application: neither configuration.required nor configuration.optional of " +
			environment.FileName(env.Stack) + " has it", false, false})
	}
	return problems
}

// valueProblems evaluates a key's value. Another environment's database prevents a deployment whichever key refers to it; other
// problems do so where the key is required.
func valueProblems(key string, values map[string]string, required bool, env *environment.Environment) []KeyProblem {
	if configuration.ChangesLoader(key) {
		return []KeyProblem{{key, LoaderKey, "would change the code that the application loads: remove it, and set it in the image with ENV", true, true}}
	}
	if what, foreign := foreignDatabase(env, values[key]); foreign {
		return []KeyProblem{{key, ForeignKey, "refers to " + what, true, true}}
	}
	for _, p := range configuration.Judge(values, []string{key}) {
		if required || p.Kind != configuration.Empty {
			return []KeyProblem{{key, p.Kind, "is " + p.Kind.String(), required && p.Kind.IsFatal(), p.Kind != configuration.Padded}}
		}
	}
	return nil
}

// Remedy returns what to do about the problem, with the command.
func (p KeyProblem) Remedy(env *environment.Environment) string {
	switch p.Kind {
	case LoaderKey:
		return "delete it with `" + deleteKey(env, p.Key) + "`, and set the variable in the image with ENV"
	case ShadowedKey:
		return "delete it with `" + deleteKey(env, p.Key) + "`"
	case UnknownKey:
		return "delete it with `" + deleteKey(env, p.Key) + "`, or list it in configuration.optional of " + environment.FileName(env.Stack)
	}
	return "set it with `deployer secrets set " + p.Key + " --env " + env.Stack + "`; tasks read it when they start"
}

// deleteKey returns the command that deletes a key of the configuration secret.
func deleteKey(env *environment.Environment, key string) string {
	return "deployer secrets set " + key + " --env " + env.Stack + " --delete"
}

// String returns the key and the message.
func (p KeyProblem) String() string { return fmt.Sprintf("%s %s", p.Key, p.Message) }
