package checks

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// checkReference evaluates a task definition's reference to a secret. The state is Set for the current value of a key of the
// environment's own configuration secret; otherwise the message explains the state.
func checkReference(reference string, env *environment.Environment) (State, string) {
	secret, key := splitValueFrom(reference)
	pinned := pinnedVersion(reference)
	switch {
	case foreignSecret(env, secret):
		return Foreign, "it comes from " + secret + ", another environment's"
	case !isSecretNamed(secret, env.SecretName()):
		return Unread, "it does not come from " + env.SecretName()
	case key == "":
		return WholeSecret, "its reference names no key, so that the container gets all of " + env.SecretName()
	case pinned != "":
		return Unread, "it is pinned to " + pinned + " of the secret"
	}
	return Set, ""
}

// pinnedVersion returns the stage or version that a reference selects, or "" for the current one.
func pinnedVersion(reference string) string {
	parts := strings.Split(reference, ":")
	switch {
	case len(parts) > 9 && parts[9] != "":
		return "version " + parts[9]
	case len(parts) > 8 && parts[8] != "" && parts[8] != "AWSCURRENT":
		return "stage " + parts[8]
	}
	return ""
}

// referenceTarget returns the secret's name in a reference, or the last part of another ARN.
func referenceTarget(reference string) string {
	secret, _ := splitValueFrom(reference)
	return cmp.Or(secret, awsx.NameFromARN(arnResource(reference)))
}

// arnResource returns what follows secret: or parameter in an ARN.
func arnResource(arn string) string {
	parts := strings.SplitN(arn, ":", 7)
	return parts[len(parts)-1]
}

// secretNameIn returns the name of the secret in a value that is a name or an ARN. In an ARN it ends with six random
// characters.
func secretNameIn(value string) string {
	if !strings.HasPrefix(value, "arn:") {
		return value
	}
	return strings.TrimPrefix(arnResource(value), "secret:")
}

// foreignTarget reports whether a variable's value refers to another environment, and to what.
func foreignTarget(name, value string, env *environment.Environment) (message string, foreign bool) {
	if secret := secretNameIn(value); name == environment.VarConfigSecretID && foreignSecret(env, secret) {
		return "it names " + secret + ", another environment's", true
	}
	what, foreign := foreignDatabase(env, value)
	if !foreign {
		return "", false
	}
	return "it refers to " + what, true
}

// foreignReferences returns the variables of a container definition that refer to another environment, or to a whole secret,
// with the reason.
func foreignReferences(c *ecstypes.ContainerDefinition, env *environment.Environment) []string {
	var references []string
	add := func(name *string, message string) {
		references = append(references, fmt.Sprintf("%s (%s)", aws.ToString(name), message))
	}
	for _, pair := range c.Environment {
		if message, foreign := foreignTarget(aws.ToString(pair.Name), aws.ToString(pair.Value), env); foreign {
			add(pair.Name, message)
		}
	}
	for _, s := range c.Secrets {
		if state, message := checkReference(aws.ToString(s.ValueFrom), env); state == Foreign || state == WholeSecret {
			add(s.Name, message)
		}
	}
	return references
}

// databaseHost matches host names of RDS anywhere in a text: in a URL, where libpq allows several places, in a list of hosts,
// or alone.
// Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
var databaseHost = lazyregexp.New(`(?i)[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+\.rds\.amazonaws\.com`)

// foreignDatabase reports whether a value refers to a database of another environment, or to another RDS resource with its
// name, such as a proxy.
func foreignDatabase(env *environment.Environment, value string) (what string, foreign bool) {
	hosts := databaseHost.FindAllString(value, -1)
	if decoded, err := url.PathUnescape(value); err == nil && decoded != value {
		hosts = append(hosts, databaseHost.FindAllString(decoded, -1)...)
	}
	for _, host := range hosts {
		if name, foreign := env.DatabaseOfOtherEnvironment(host); foreign {
			return "the database of " + name, true
		}
		// Names are PREFIX-ENVIRONMENT-WHAT. Where the other environment's name starts with this one's and a hyphen, only its
		// database can be distinguished.
		identifier, _, _ := strings.Cut(strings.ToLower(host), ".")
		if strings.HasPrefix(identifier, env.Prefix+"-") && !strings.HasPrefix(identifier+"-", env.Prefix+"-"+env.Name+"-") {
			return identifier + ", which has another environment's name", true
		}
	}
	return "", false
}

// foreignSecret reports whether a secret, by its name or its name in an ARN, is another environment's configuration secret.
func foreignSecret(env *environment.Environment, secret string) bool {
	if isSecretNamed(secret, env.SecretName()) {
		return false
	}
	before, after, _ := strings.Cut(env.SecretName(), env.Stack)
	stack, like := strings.CutPrefix(secret, before)
	stack, random, ends := strings.Cut(stack, after)
	return like && ends && stack != "" && isSecretNamed(after+random, after)
}
