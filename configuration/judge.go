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
	// Placeholder values were never replaced: changeme, your-api-key, <dsn>, TODO.
	Placeholder Kind = "placeholder"
	// Malformed values are not a URL, although the name ends in URL, URI or DSN.
	Malformed Kind = "malformed"
	// Padded values begin or end with space, often a newline from a file.
	Padded Kind = "padded"
)

// String returns the end of a sentence that begins with the variable and "is".
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

// IsFatal reports whether the application cannot work with such a value, so that a deployment should not start.
func (k Kind) IsFatal() bool { return k == Missing || k == Empty || k == Placeholder || k == Malformed }

// Problem is a variable with a missing or invalid value.
type Problem struct {
	Key  string `json:"key" yaml:"key"`
	Kind Kind   `json:"kind" yaml:"kind"`
}

// Judge returns the problems of the variables that keys name, in their order and at most one each: the first that
// applies of missing, empty, placeholder, malformed, padded.
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

func isURL(value string) bool {
	parsed, err := url.Parse(value)
	return err == nil && parsed.Scheme != "" && parsed.Host != ""
}

// placeholderNouns are the words that templates have after your-.
const placeholderNouns = `(?:dsn|key|url|token|secret|password|project|value|domain|host|here)`

// placeholderPattern matches placeholders: as the whole value, in angle brackets within a URL, or as whole words, so
// that it does not match exchange-me or replacement. After a hyphen or in a path, your- needs one of the nouns, and in
// a path it must begin a segment: grow-your-business, /your-account and /reset-your-password are names.
var placeholderPattern = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`^(?:<[^>]*>|todo|tbd|fixme|x{3,}|\.{3}|placeholder|null|undefined|your (?:[a-z]+ )*` + placeholderNouns + `)$`,
	`^[a-z][a-z0-9+.:-]*://\S*<[^<>&=]+>`,
	`(?:^|[^a-z0-9])(?:change[-_ ]?me[0-9]*|replace[-_ ]?(?:me|with))(?:[^a-z0-9]|$)`,
	`(?:^|[^a-z0-9_/-])your[-_][a-z]`,
	`/your[-_]` + placeholderNouns + `(?:[^a-z0-9_-]|$)`,
	`^(?:[a-z][a-z0-9+.:-]*://)?(?:[^/]*[^a-z0-9/])?your[-_]?(?:[a-z]+[-_])*` + placeholderNouns + `(?:[^a-z0-9]|$)`,
}, "|"))

// IsPlaceholder reports whether a value is a placeholder that was never replaced.
func IsPlaceholder(value string) bool {
	return placeholderPattern.MatchString(strings.TrimSpace(value))
}

// DatabaseHost returns the host of a DATABASE_URL in lower case, or "".
func DatabaseHost(databaseURL string) string {
	parsed, err := url.Parse(strings.TrimSpace(databaseURL))
	if err != nil {
		return ""
	}
	return strings.ToLower(parsed.Hostname())
}
