package checks

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
)

// databaseHost matches the hosts of RDS in a text: in whatever place of a URL, of which libpq knows several, in a list of
// hosts, or alone.
// Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
var databaseHost = regexp.MustCompile(`(?i)[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+\.rds\.amazonaws\.com`)

// foreignDatabase returns what of another environment a value leads to: its database, or what of RDS bears its name
// otherwise, such as a proxy.
func foreignDatabase(env *environment.Environment, value string) (what string, foreign bool) {
	hosts := databaseHost.FindAllString(value, -1)
	if decoded, err := url.PathUnescape(value); err == nil && decoded != value {
		hosts = append(hosts, databaseHost.FindAllString(decoded, -1)...)
	}
	for _, host := range hosts {
		if name, foreign := env.DatabaseOfOtherEnvironment(host); foreign {
			return "the database of " + name, true
		}
		// Names are PREFIX-ENVIRONMENT-WHAT. Where the environment's name begins with this one's and a hyphen, only its
		// database can be told from what is this one's.
		identifier, _, _ := strings.Cut(strings.ToLower(host), ".")
		if strings.HasPrefix(identifier, env.Prefix+"-") && !strings.HasPrefix(identifier+"-", env.Prefix+"-"+env.Name+"-") {
			return identifier + ", which another environment's name is part of", true
		}
	}
	return "", false
}

// foreignSecret reports whether a secret is another environment's configuration secret, by its name in an ARN or alone.
func foreignSecret(env *environment.Environment, secret string) bool {
	if isSecretNamed(secret, env.SecretName()) {
		return false
	}
	before, after, _ := strings.Cut(env.SecretName(), env.Stack)
	stack, like := strings.CutPrefix(secret, before)
	stack, random, ends := strings.Cut(stack, after)
	return like && ends && stack != "" && isSecretNamed(after+random, after)
}
