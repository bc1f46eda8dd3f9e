package configuration

import (
	"net/url"
	"slices"
	"strings"
)

// Mask is shown in place of a sensitive value. It has one length for all of them.
const Mask = "********"

// publicVariables are names whose values everybody may see: how an application runs, and where, but not what opens anything.
func publicVariables() []string {
	return []string{
		"AWS_DEFAULT_REGION", "AWS_REGION", "ENVIRONMENT", "HOST", "LANG", "LOG_FORMAT", "LOG_LEVEL", "NODE_ENV", "PORT", "TZ",
	}
}

// IsSensitive reports whether a value that does not come from a secret must not be shown; one that does is always
// sensitive. Secrets are put under so many names and in so many forms that none can be told from them for certain: shown is
// only what has one of the names that are known to be harmless, here or by known, and does not look like a secret even so.
func IsSensitive(name, value string, known []string) bool {
	return !slices.Contains(known, name) && !slices.Contains(publicVariables(), name) || grantsAccess(value)
}

// grantsAccess reports whether a value has the form of one that grants something: a URL with a user or with parameters, or several
// lines, as keys and certificates have.
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
