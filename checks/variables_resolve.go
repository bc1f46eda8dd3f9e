package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
)

// shelf is the configuration secret for those who look keys up in it.
type shelf struct {
	name string
	// missing says that there is no such secret, closed why it could not be read or understood.
	missing bool
	closed  string
	values  map[string]string
}

// shelfOf reads the keys of a configuration secret; err is why the secret could not be read.
func shelfOf(secret *configSecret, err error, env *environment.Environment) shelf {
	s := shelf{name: env.SecretName()}
	switch {
	case err != nil:
		s.closed = "the secret " + s.name + " could not be read"
		return s
	case secret == nil:
		s.missing = true
		return s
	}
	settings, err := configuration.ParseSecret(s.name, secret.text)
	if err != nil {
		s.closed = err.Error()
		return s
	}
	s.values = settings.Values
	return s
}

// resolver works out what one container gets, as ECS and entrypoint would.
type resolver struct {
	env    *environment.Environment
	secret shelf
	// application says that the container is the application, whose variables are known; a sidecar's are its own.
	application bool
	found       map[string]Variable
}

// resolve returns the variables of a container, required ones that it gets from nowhere too, and the keys of the
// configuration secret that change nothing for it.
func resolve(c *ecstypes.ContainerDefinition, secret shelf, env *environment.Environment, application bool) ([]Variable, []UnusedKey) {
	r := &resolver{env: env, secret: secret, application: application, found: map[string]Variable{}}
	r.definition(c)
	r.references(c)
	unused := []UnusedKey{}
	if application {
		unused = r.atStart()
		r.require()
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

// definition takes the values that stand in the task definition, where whoever may look at it can read them.
func (r *resolver) definition(c *ecstypes.ContainerDefinition) {
	for _, pair := range c.Environment {
		name, value := aws.ToString(pair.Name), aws.ToString(pair.Value)
		sensitive := configuration.IsSensitive(name, value) && !slices.Contains(environment.ProgramVariables(), name)
		r.add(Variable{Name: name, Value: Value{value, sensitive}, Origin: OfDefinition}, true)
	}
}

// references takes the keys that the task definition refers to. ECS fetches them before the task starts.
func (r *resolver) references(c *ecstypes.ContainerDefinition) {
	for _, s := range c.Secrets {
		v := Variable{Name: aws.ToString(s.Name), Origin: OfReference, Value: Value{sensitive: true}}
		reference := aws.ToString(s.ValueFrom)
		secret, key := splitValueFrom(reference)
		pinned := pinnedTo(reference)
		v.Secret, v.Key = strings.TrimSpace(secret), key
		switch {
		case key == "" || !isSecretNamed(secret, r.env.SecretName()):
			v.Secret, v.State, v.Message = lastPart(lastColon(reference)), Unread, "it comes from another place than "+r.env.SecretName()
			r.found[v.Name] = v
			continue
		case pinned != "":
			v.Secret, v.State, v.Message = r.secret.name, Unread, "it is held at "+pinned+" of the secret"
			r.found[v.Name] = v
			continue
		}
		v.Secret = r.secret.name
		r.take(v)
	}
}

// pinnedTo is the stage or version that a reference asks for where that is not the current one.
func pinnedTo(reference string) string {
	parts := strings.Split(reference, ":")
	switch {
	case len(parts) > 9 && parts[9] != "":
		return "version " + parts[9]
	case len(parts) > 8 && parts[8] != "" && parts[8] != "AWSCURRENT":
		return "stage " + parts[8]
	}
	return ""
}

// lastColon is what follows secret: or parameter in an ARN.
func lastColon(arn string) string {
	parts := strings.SplitN(arn, ":", 7)
	return parts[len(parts)-1]
}

// atStart takes what entrypoint adds when it starts the application: every key of the configuration secret that is not
// set already, and DATABASE_URL.
func (r *resolver) atStart() []UnusedKey {
	unused := []UnusedKey{}
	if r.found[environment.VarConfigSecretID].refersTo(r.env.SecretName()) {
		for _, key := range slices.Sorted(maps.Keys(r.secret.values)) {
			held, set := r.found[key]
			switch {
			case set && held.Origin == OfDefinition:
				unused = append(unused, UnusedKey{key, "the task definition sets it, and wins"})
				continue
			case set:
				continue
			case !r.env.Knows(key):
				unused = append(unused, UnusedKey{key, "the application does not know it"})
			}
			r.take(Variable{Name: key, Origin: OfSecret, Secret: r.secret.name, Key: key, Value: Value{sensitive: true}})
		}
	}
	if arn, set := r.found[environment.VarDatabaseSecretARN]; set && r.found[environment.VarDatabaseURL].Name == "" {
		v := Variable{
			Name: environment.VarDatabaseURL, Origin: Built, Secret: secretOf(arn.Value.Reveal()), State: Set,
			Required: slices.Contains(r.env.Configuration.Required, environment.VarDatabaseURL),
		}
		v.Parts = map[string]string{}
		for name, part := range r.found {
			if part.Origin == OfDefinition {
				v.Parts[name] = part.Value.Reveal()
			}
		}
		v.Value = Value{"built from " + v.Secret + " for " + r.found[environment.VarDatabaseHost].Value.Reveal(), true}
		for _, part := range []string{environment.VarDatabaseHost, environment.VarDatabasePort, environment.VarDatabaseName} {
			if r.found[part].Value.Reveal() == "" {
				v.State, v.Message, v.Value = State(configuration.Missing), part+" is not set, of which it is built", Value{}
			}
		}
		r.found[v.Name] = v
	}
	return unused
}

// refersTo reports whether a variable's value is a secret's name, or its ARN.
func (v Variable) refersTo(secret string) bool {
	value := v.Value.Reveal()
	return value == secret || strings.HasPrefix(value, "arn:") && isSecretNamed(strings.TrimPrefix(lastColon(value), "secret:"), secret)
}

// secretOf is the name of a secret in its ARN, without the six random characters.
func secretOf(arn string) string {
	name := strings.TrimPrefix(lastColon(arn), "secret:")
	if cut := len(name) - 7; cut > 0 && name[cut] == '-' {
		return name[:cut]
	}
	return name
}

// require adds the required variables that come from nowhere.
func (r *resolver) require() {
	for _, name := range r.env.Configuration.Required {
		if _, set := r.found[name]; !set {
			r.found[name] = Variable{Name: name, Origin: OfNothing, Required: true, State: State(configuration.Missing)}
		}
	}
}

// take looks a variable's key up in the configuration secret.
func (r *resolver) take(v Variable) {
	value, there := r.secret.values[v.Key]
	switch {
	case r.secret.closed != "":
		v.State, v.Message = Unread, r.secret.closed
		v.Required = slices.Contains(r.env.Configuration.Required, v.Name)
		r.found[v.Name] = v
		return
	case r.secret.missing:
		v.Message = "there is no secret " + r.secret.name
	case !there:
		v.Message = fmt.Sprintf("the secret %s has no such key", r.secret.name)
	}
	v.Value.text = value
	r.add(v, there)
}

// add judges a variable's value and keeps it.
func (r *resolver) add(v Variable, there bool) {
	v.State, v.Required = Set, r.application && slices.Contains(r.env.Configuration.Required, v.Name)
	values := map[string]string{}
	if there {
		values[v.Name] = v.Value.text
	}
	if problems := configuration.Judge(values, []string{v.Name}); len(problems) > 0 {
		v.State = State(problems[0].Kind)
	}
	if name, foreign := r.env.ForeignDatabase(configuration.DatabaseHost(v.Value.text)); foreign && v.Name == environment.VarDatabaseURL {
		v.State, v.Message = Foreign, "it leads to the database of "+name
	}
	r.found[v.Name] = v
}
