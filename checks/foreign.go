package checks

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
)

// databaseHost matches host names of RDS anywhere in a text: in a URL, where libpq allows several places, in a list of hosts,
// or alone.
// Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
var databaseHost = regexp.MustCompile(`(?i)[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+\.rds\.amazonaws\.com`)

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
			return identifier + ", which another environment's name is part of", true
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
