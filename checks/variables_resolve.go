package checks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
)

// secretValues holds the keys of the configuration secret.
type secretValues struct {
	name string
	// missing reports whether the secret does not exist; unreadable is why it could not be read or parsed.
	missing    bool
	unreadable string
	values     map[string]string
	// converted has the values that ECS passes on for references, where they differ.
	converted map[string]string
}

// parseSecretValues parses the configuration secret; err is why it could not be read.
func parseSecretValues(secret *configSecret, err error, env *environment.Environment) secretValues {
	s := secretValues{name: env.SecretName()}
	switch {
	case err != nil:
		s.unreadable = "the secret " + s.name + " could not be read"
		return s
	case secret == nil:
		s.missing = true
		return s
	}
	settings, err := configuration.ParseSecret(s.name, secret.text)
	if err != nil {
		s.unreadable = err.Error()
		return s
	}
	s.values, s.converted = settings.Values, settings.Converted
	return s
}

// resolver determines the variables of one container, as ECS and entrypoint do.
type resolver struct {
	env    *environment.Environment
	secret secretValues
	// application reports whether the container is the application; which variables a sidecar needs is not known.
	application bool
	found       map[string]Variable
}

// resolve returns the variables of a container, including missing required ones, and the keys of the configuration secret that
// have no effect on it.
func resolve(c *ecstypes.ContainerDefinition, secret secretValues, env *environment.Environment, application bool) ([]Variable, []UnusedKey) {
	r := &resolver{env: env, secret: secret, application: application, found: map[string]Variable{}}
	r.addValues(c)
	r.addReferences(c)
	unused := []UnusedKey{}
	if application {
		unused = r.addStartVariables()
		r.addMissing()
	}
	var all []Variable
	for _, name := range slices.Sorted(maps.Keys(r.found)) {
		v := r.found[name]
		v.Categories = categoriesOf(v)
		v.Masked = v.Value.Sensitive() && v.Value.Reveal() != ""
		all = append(all, v)
	}
	return all, unused
}

// addValues adds the values in the task definition, which everyone can read who may describe it.
func (r *resolver) addValues(c *ecstypes.ContainerDefinition) {
	for _, pair := range c.Environment {
		name, value := aws.ToString(pair.Name), aws.ToString(pair.Value)
		sensitive := configuration.IsSensitive(name, value, environment.ProgramVariables())
		r.add(Variable{Name: name, Value: Value{value, sensitive}, Origin: FromTaskDefinition}, true)
	}
}

// addReferences adds the keys that the task definition refers to. ECS fetches them before the task starts.
func (r *resolver) addReferences(c *ecstypes.ContainerDefinition) {
	for _, s := range c.Secrets {
		reference := aws.ToString(s.ValueFrom)
		v := Variable{Name: aws.ToString(s.Name), Origin: FromReference, Value: Value{sensitive: true}}
		_, v.Key = splitValueFrom(reference)
		if v.State, v.Message = checkReference(reference, r.env); v.State == Set {
			v.Secret = r.secret.name
			r.lookUp(v)
			continue
		}
		v.Secret, v.Required = referenceTarget(reference), r.requires(v.Name)
		r.found[v.Name] = v
	}
}

func (r *resolver) requires(name string) bool {
	return r.application && slices.Contains(r.env.Configuration.Required, name)
}

// addStartVariables adds what entrypoint sets when it starts the application: every key of the configuration secret that is not
// set already, and DATABASE_URL. As in entrypoint, an empty DATABASE_URL counts as missing.
func (r *resolver) addStartVariables() []UnusedKey {
	unused := []UnusedKey{}
	before := maps.Clone(r.found)
	if r.readsSecret() {
		for _, key := range slices.Sorted(maps.Keys(r.secret.values)) {
			existing, set := r.found[key]
			switch {
			case set && isEmptyURL(existing) && r.secret.values[key] != "":
			case set && existing.Origin == FromTaskDefinition:
				if value := existing.Value.Reveal(); value != r.secret.values[key] && (!isURLPart(key) || value != "") {
					unused = append(unused, UnusedKey{key, "the task definition sets another value, and has precedence"})
				}
				continue
			case set:
				continue
			case !r.env.ReadsVariable(key):
				unused = append(unused, UnusedKey{key, "the environment's file does not list it for the application"})
			}
			r.lookUp(Variable{Name: key, Origin: FromSecretAtStart, Secret: r.secret.name, Key: key, Value: Value{sensitive: true}})
		}
	}
	arn := before[environment.VarDatabaseSecretARN].Value.Reveal()
	if existing, set := r.found[environment.VarDatabaseURL]; arn != "" && (!set || isEmptyURL(existing)) {
		r.buildDatabaseURL(arn, before)
	}
	return unused
}

func (r *resolver) readsSecret() bool {
	return isSecretNamed(secretNameIn(r.found[environment.VarConfigSecretID].Value.Reveal()), r.env.SecretName())
}

// isEmptyURL reports whether a variable is an empty DATABASE_URL, as opposed to one whose key is missing, which prevents the
// task from starting.
func isEmptyURL(v Variable) bool {
	return v.Name == environment.VarDatabaseURL && v.State == State(configuration.Empty) && v.Value.Reveal() == ""
}

// urlParts returns the variables that DATABASE_URL is built from, the required ones first.
func urlParts() []string {
	return []string{
		environment.VarDatabaseHost, environment.VarDatabasePort, environment.VarDatabaseName,
		environment.VarConnectionLimit, environment.VarPoolTimeout,
	}
}

func isURLPart(name string) bool { return slices.Contains(urlParts(), name) }

// buildDatabaseURL adds DATABASE_URL as entrypoint builds it: from the container's variables and, for missing or empty ones,
// from the configuration secret.
func (r *resolver) buildDatabaseURL(arn string, before map[string]Variable) {
	v := Variable{
		Name: environment.VarDatabaseURL, Origin: BuiltAtStart, Secret: secretBaseName(arn), State: Set, Required: r.requires(environment.VarDatabaseURL),
		Parts: map[string]Value{environment.VarDatabaseSecretARN: Public(arn)},
	}
	for _, name := range urlParts() {
		part := before[name].Value
		if part.Reveal() == "" && r.readsSecret() {
			part = Value{r.secret.values[name], true}
		}
		v.Parts[name] = part
	}
	host := v.Parts[environment.VarDatabaseHost].Reveal()
	v.Value = Value{"built from " + v.Secret + " for " + host, true}
	for _, name := range urlParts()[:3] {
		if v.Parts[name].Reveal() == "" {
			v.State, v.Message, v.Value = State(configuration.Missing), name+" is not set, from which it is built", Value{}
		}
	}
	if message, foreign := foreignTarget(v.Name, host, r.env); foreign {
		v.State, v.Message = Foreign, message
	}
	r.found[v.Name] = v
}

// secretBaseName returns the name of a secret in its ARN, without the six random characters.
func secretBaseName(arn string) string {
	name := secretNameIn(arn)
	if cut := len(name) - 7; cut > 0 && name[cut] == '-' {
		return name[:cut]
	}
	return name
}

// addMissing adds the required variables that no source sets. They are unread where entrypoint reads a secret that this program
// cannot.
func (r *resolver) addMissing() {
	for _, name := range r.env.Configuration.Required {
		if _, set := r.found[name]; set {
			continue
		}
		v := Variable{Name: name, Origin: FromNowhere, Required: true, State: State(configuration.Missing)}
		if r.secret.unreadable != "" && r.readsSecret() {
			v.State, v.Message = Unread, r.secret.unreadable
		}
		r.found[name] = v
	}
}

// lookUp reads a variable's key in the configuration secret.
func (r *resolver) lookUp(v Variable) {
	value, there := r.secret.values[v.Key]
	switch {
	case r.secret.unreadable != "":
		v.State, v.Message, v.Required = Unread, r.secret.unreadable, r.requires(v.Name)
		r.found[v.Name] = v
		return
	case r.secret.missing:
		v.Message = "there is no value in the secret " + r.secret.name
	case !there:
		v.Message = fmt.Sprintf("the secret %s does not have the key", r.secret.name)
	}
	v.Value = Value{value, configuration.IsSensitiveInSecret(v.Name, v.Key, value)}
	r.add(v, there)
	if converted, is := r.secret.converted[v.Key]; is && v.Origin == FromReference {
		v = r.found[v.Name]
		v.Value.text = converted
		if v.State == Set {
			v.State, v.Message = State(configuration.Converted), "it is a number in the secret; write it as a string"
		}
		r.found[v.Name] = v
	}
}

// add evaluates a variable's value and adds it.
func (r *resolver) add(v Variable, there bool) {
	v.State, v.Required = Set, r.requires(v.Name)
	values := map[string]string{}
	if there {
		values[v.Name] = v.Value.text
	}
	if problems := configuration.Judge(values, []string{v.Name}); len(problems) > 0 {
		v.State = State(problems[0].Kind)
		if problems[0].Detail != "" {
			v.Message = problems[0].Detail
		}
	}
	if message, foreign := foreignTarget(v.Name, v.Value.text, r.env); foreign {
		v.State, v.Message = Foreign, message
	}
	r.found[v.Name] = v
}
