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
	// RunningOnly reports whether only task definitions that run require the key, which a deployment of the environment's file replaces.
	RunningOnly bool `json:"-"`
	// Rejected reports whether such a value must not be written.
	Rejected bool `json:"-"`
}

// The kinds of problems that depend on the environment.
const (
	// ForeignKey is a value that refers to another environment's database.
	ForeignKey configuration.Kind = "foreign"
	// ShadowedKey is a key whose variable the task definition sets to another value, with precedence.
	ShadowedKey configuration.Kind = "shadowed"
	// UnknownKey is a key that the environment's file does not list for the application.
	UnknownKey configuration.Kind = "unknown"
	// LoaderKey is a key with which entrypoint starts no application.
	LoaderKey configuration.Kind = "loader"
)

// SecretProblems returns what is wrong with the keys of a configuration secret: the required ones first, in the order of the
// environment's file, then the others by name, then what the parser warns of. Preflight, status, vars and secrets all use it, before
// and after the secret is written.
func SecretProblems(settings *configuration.Settings, env *environment.Environment, use SecretUse) []KeyProblem {
	var problems []KeyProblem
	values, required := settings.Values, use.Required(env)
	for _, key := range required {
		if slices.Contains(env.SecretKeys(), key) {
			problems = append(problems, valueProblems(key, values, true, env)...)
		} else {
			problems = append(problems, referencedKeyProblems(key, values, env, use)...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(required, key) {
			problems = append(problems, optionalKeyProblems(key, values, env, use)...)
		}
	}
	for _, w := range settings.Warnings {
		problems = append(problems, KeyProblem{Key: w.Variable, Kind: configuration.Converted, Message: w.Message})
	}
	return problems
}

// referencedKeyProblems evaluates a key that only running task definitions require: by the names of the variables that get it, at
// most one problem each.
func referencedKeyProblems(key string, values map[string]string, env *environment.Environment, use SecretUse) []KeyProblem {
	var problems []KeyProblem
	for _, r := range use.to(key) {
		value, there := values[key]
		if there && value == "" && r.variable == environment.VarDatabaseURL && r.builds {
			continue
		}
		renamed := map[string]string{}
		if there {
			renamed[r.variable] = value
		}
		required := r.application && slices.Contains(env.Configuration.Required, r.variable)
		for _, p := range valueProblems(r.variable, renamed, true, env) {
			unset := p.Kind == configuration.Missing || p.Kind == configuration.Empty
			p.Key, p.Stops, p.RunningOnly = key, p.Stops && (required || unset || p.Kind == ForeignKey || p.Kind == LoaderKey), true
			p.Message += ", and the task definition " + r.revision + " refers to it"
			if r.variable != key {
				p.Message += " for " + r.variable
			}
			if !slices.ContainsFunc(problems, func(before KeyProblem) bool { return before.Kind == p.Kind }) {
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// optionalKeyProblems evaluates a key that is not required. Even an unknown key reaches the application, with any problem of its
// value.
func optionalKeyProblems(key string, values map[string]string, env *environment.Environment, use SecretUse) []KeyProblem {
	loader := configuration.ChangesLoader(key)
	if shadowed, same := use.shadowed(key, values[key], env); shadowed && !loader {
		if same {
			return nil
		}
		return []KeyProblem{{Key: key, Kind: ShadowedKey, Message: "has no effect: the task definition sets another value, and has precedence"}}
	}
	// An empty DATABASE_URL counts as missing; other empty values can be intended.
	var problems []KeyProblem
	if values[key] != "" || loader {
		problems = valueProblems(key, values, key == environment.VarDatabaseURL, env)
	}
	if !env.ReadsVariable(key) && !loader {
		problems = append(problems, KeyProblem{Key: key, Kind: UnknownKey, Message: "is not known to the application: " +
			"neither configuration.required nor configuration.optional of " + environment.FileName(env.Stack) + " has it",
			Rejected: values[key] == ""})
	}
	return problems
}

// valueProblems evaluates a key's value. Another environment's database prevents a deployment whichever key refers to it; other
// problems do so where the key is required.
func valueProblems(key string, values map[string]string, required bool, env *environment.Environment) []KeyProblem {
	if configuration.ChangesLoader(key) {
		return []KeyProblem{{
			Key: key, Kind: LoaderKey, Message: "would change the code that the application loads: remove it, and set it in the image with ENV",
			Stops: true, Rejected: true,
		}}
	}
	if what, foreign := foreignDatabase(env, values[key]); foreign {
		return []KeyProblem{{Key: key, Kind: ForeignKey, Message: "refers to " + what, Stops: true, Rejected: true}}
	}
	for _, p := range configuration.Judge(values, []string{key}) {
		if required || p.Kind != configuration.Empty {
			return []KeyProblem{{
				Key: key, Kind: p.Kind, Message: p.Message(), Stops: required && p.Kind.IsFatal(),
				Rejected: p.Kind != configuration.Padded && p.Kind != configuration.Suspected,
			}}
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
		return "delete it with `" + deleteKey(env, p.Key) + "`, which changes nothing for the containers; " + environment.FileName(env.Stack) +
			" has what the program sets"
	case configuration.Converted:
		return "write it again with `deployer secrets set " + p.Key + " --env " + env.Stack + "`, which stores every value as a string"
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
