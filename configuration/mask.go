package configuration

import (
	"net/url"
	"regexp"
	"strings"
)

// Mask is shown in place of a sensitive value. It has one length for all of them.
const Mask = "********"

// secretName matches the names of variables whose values are nobody's business.
var secretName = regexp.MustCompile(
	`(?i)(?:^|_)(?:PASSWORD|PASSWD|PWD|PASSPHRASE|SECRETS?|TOKENS?|CREDENTIALS?|DSN|KEY|PRIVATE|AUTH|COOKIE|SESSION|SALT|WEBHOOK)(?:_|$)|APIKEY|(?:^|_)DATABASE_URL$`)

// reference matches names that end in what a secret is found by, which is none.
var reference = regexp.MustCompile(`(?i)_(?:ARN|ID|NAME|FILE|PATH)$`)

// IsSensitive reports whether a value must not be shown: by its variable's name, or because it is a URL with a user or
// with parameters that grant something. It is a guess for values that do not come from a secret; those that do are
// always sensitive.
func IsSensitive(name, value string) bool {
	if secretName.MatchString(name) && !reference.MatchString(name) {
		return true
	}
	if !strings.Contains(value, "://") {
		return false
	}
	parsed, err := url.Parse(strings.TrimSpace(value))
	if err != nil || parsed.User != nil {
		return true
	}
	for parameter := range parsed.Query() {
		if secretName.MatchString(parameter) {
			return true
		}
	}
	return false
}
