package configuration

import (
	"net/url"
	"slices"
	"strings"
)

// Mask replaces a sensitive value of any length.
const Mask = "********"

// publicVariables returns the names of variables that determine how and where an application runs, but grant no access.
func publicVariables() []string {
	return []string{
		"AWS_DEFAULT_REGION", "AWS_REGION", "ENVIRONMENT", "HOST", "LANG", "LOG_FORMAT", "LOG_LEVEL", "NODE_ENV", "PORT", "TZ",
	}
}

// IsSensitive reports whether a value that does not come from a secret must not be shown; one that does always is
// sensitive. Secrets have too many names and forms to be recognized: a value is shown only if its name is known to be
// harmless, here or in known, and it does not look like a secret.
func IsSensitive(name, value string, known []string) bool {
	return !slices.Contains(known, name) && !slices.Contains(publicVariables(), name) || grantsAccess(value)
}

// grantsAccess reports whether a value looks like a credential: a URL with a user or with parameters, or several lines,
// as keys and certificates have.
func grantsAccess(value string) bool {
	trimmed := strings.TrimSpace(value)
	if strings.ContainsAny(trimmed, "\r\n") || strings.Contains(trimmed, "-----BEGIN") {
		return true
	}
	if !strings.Contains(trimmed, "://") {
		return false
	}
	parsed, err := url.Parse(trimmed)
	return err != nil || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != ""
}
