package configuration

import (
	"net/url"
	"regexp"
	"strings"
)

// Kind is what is wrong with a variable.
type Kind string

// The kinds of problems.
const (
	Missing Kind = "missing"
	// Empty variables have no value, or nothing but space.
	Empty Kind = "empty"
	// Placeholder is a value that somebody was to replace: changeme, your-api-key, <dsn>, TODO.
	Placeholder Kind = "placeholder"
	// Malformed is a URL that is none.
	Malformed Kind = "malformed"
	// Padded values begin or end with space, mostly a newline that came along from a file.
	Padded Kind = "padded"
)

// String ends a sentence that begins with the variable and "is".
func (k Kind) String() string {
	switch k {
	case Placeholder:
		return "a placeholder"
	case Malformed:
		return "not a URL"
	case Padded:
		return "padded with space"
	}
	return string(k)
}

// IsFatal reports whether the application cannot work with such a value, so that a deployment is not worth starting.
func (k Kind) IsFatal() bool { return k == Missing || k == Empty || k == Placeholder || k == Malformed }

// Problem is a variable that is not as the application needs it.
type Problem struct {
	Key  string `json:"key" yaml:"key"`
	Kind Kind   `json:"kind" yaml:"kind"`
}

// Judge returns what is wrong with the variables that keys name, in their order and at most one thing for each: the first
// that applies of missing, empty, placeholder, malformed, padded.
func Judge(values map[string]string, keys []string) []Problem {
	var problems []Problem
	for _, key := range keys {
		value, ok := values[key]
		if kind := classify(key, value, ok); kind != "" {
			problems = append(problems, Problem{key, kind})
		}
	}
	return problems
}

func classify(key, value string, ok bool) Kind {
	trimmed := strings.TrimSpace(value)
	switch {
	case !ok:
		return Missing
	case trimmed == "":
		return Empty
	case IsPlaceholder(value):
		return Placeholder
	case urlVariable.MatchString(key) && !isURL(trimmed):
		return Malformed
	case trimmed != value:
		return Padded
	}
	return ""
}

// urlVariable matches the names of variables whose values are URLs.
var urlVariable = regexp.MustCompile(`(?:^|_)(?:URL|URI|DSN)$`)

// isURL reports whether a value is an absolute URL with a host.
func isURL(value string) bool {
	parsed, err := url.Parse(value)
	return err == nil && parsed.Scheme != "" && parsed.Host != ""
}

// placeholderNouns are what templates put after your-.
const placeholderNouns = `(?:dsn|key|url|token|secret|password|project|value|domain|host|here)`

// placeholderPattern is what people and templates write where a value is to come: as the whole of it, in angle brackets within a
// URL, or as whole words of it, so that exchange-me and replacement are none. After a hyphen or in a path,
// your- is one only with a noun, and in a path as a whole segment: grow-your-business, /your-account and /reset-your-password are
// names.
var placeholderPattern = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`^(?:<[^>]*>|todo|tbd|fixme|x{3,}|\.{3}|placeholder|null|undefined|your (?:[a-z]+ )*` + placeholderNouns + `)$`,
	`^[a-z][a-z0-9+.:-]*://\S*<[^<>&=]+>`,
	`(?:^|[^a-z0-9])(?:change[-_ ]?me[0-9]*|replace[-_ ]?(?:me|with))(?:[^a-z0-9]|$)`,
	`(?:^|[^a-z0-9_/-])your[-_][a-z]`,
	`/your[-_]` + placeholderNouns + `(?:[^a-z0-9_-]|$)`,
	`^(?:[a-z][a-z0-9+.:-]*://)?(?:[^/]*[^a-z0-9/])?your[-_]?(?:[a-z]+[-_])*` + placeholderNouns + `(?:[^a-z0-9]|$)`,
}, "|"))

// IsPlaceholder reports whether a value was left for somebody to fill in.
func IsPlaceholder(value string) bool {
	return placeholderPattern.MatchString(strings.TrimSpace(value))
}

// DatabaseHost returns the host of a DATABASE_URL in small letters, empty where it has none.
func DatabaseHost(databaseURL string) string {
	parsed, err := url.Parse(strings.TrimSpace(databaseURL))
	if err != nil {
		return ""
	}
	return strings.ToLower(parsed.Hostname())
}
