package configuration

import (
	"cmp"
	"strings"
)

// Kind is what is wrong with a variable.
type Kind string

// The kinds of problems.
const (
	Missing Kind = "missing"
	// Empty variables have no value, or nothing but space.
	Empty Kind = "empty"
	// Placeholder values were never replaced: changeme, your-api-key, <dsn>, ${DSN}, TODO.
	Placeholder Kind = "placeholder"
	// Suspected values resemble a placeholder, but can be meant as they are: https://host/{user_id}, $HUNTER2.
	Suspected Kind = "suspected"
	// Malformed values are not a URL, although the name ends in URL, URI or DSN.
	Malformed Kind = "malformed"
	// Incomplete values are a Sentry DSN without its key or its project, with which nothing is reported.
	Incomplete Kind = "incomplete"
	// Hidden values contain characters that a reader overlooks: a zero width space, typographic quotes.
	Hidden Kind = "hidden"
	// Padded values begin or end with space, often a newline from a file.
	Padded Kind = "padded"
	// Converted values of a secret reach a container in another form than they are written. ParseSecret finds them.
	Converted Kind = "converted"
)

// Predicate returns the end of a sentence that begins with the variable: "is missing".
func (k Kind) Predicate() string {
	switch k {
	case Placeholder:
		return "is a placeholder"
	case Suspected:
		return "may be a placeholder"
	case Malformed:
		return "is not a URL"
	case Hidden:
		return "has characters that are easily overlooked"
	case Padded:
		return "is padded with space"
	case Converted:
		return "is converted by ECS"
	}
	return "is " + string(k)
}

// IsFatal reports whether the application cannot work with such a value, so that a deployment should not start.
func (k Kind) IsFatal() bool { return k == Missing || k == Empty || k == Placeholder || k == Malformed }

// Problem is a variable with a missing or invalid value.
type Problem struct {
	Key  string `json:"key" yaml:"key"`
	Kind Kind   `json:"kind" yaml:"kind"`
	// Detail explains the kind, and what to do, without a part of the value other than a single character; "" where the kind is enough.
	Detail string `json:"detail,omitempty" yaml:"detail,omitempty"`
}

// Message returns the end of a sentence that begins with the variable: "is not a URL: it has no scheme".
func (p Problem) Message() string { return Describe(p.Kind, p.Detail) }

// Describe returns the predicate of a kind with a detail, which can be "".
func Describe(kind Kind, detail string) string {
	return strings.TrimSuffix(kind.Predicate()+": "+detail, ": ")
}

// Judge returns the problems of the variables that keys name, in their order and at most one each: the first that
// applies of missing, empty, placeholder, malformed, incomplete, hidden, padded, suspected.
func Judge(values map[string]string, keys []string) []Problem {
	var problems []Problem
	for _, key := range keys {
		value, ok := values[key]
		if kind, detail := classify(key, value, ok); kind != "" {
			problems = append(problems, Problem{key, kind, detail})
		}
	}
	return problems
}

func classify(key, value string, ok bool) (kind Kind, detail string) {
	trimmed := strings.TrimSpace(value)
	switch {
	case !ok:
		return Missing, ""
	case strings.TrimFunc(trimmed, isBlank) == "":
		return Empty, ""
	case IsPlaceholder(value):
		return Placeholder, ""
	}
	hidden := hiddenCharacters(value)
	if urlVariable.MatchString(key) {
		if fault := urlFault(trimmed); fault != "" {
			return Malformed, cmp.Or(hidden, fault)
		}
	}
	if strings.HasSuffix(key, "DSN") {
		if fault := dsnFault(trimmed); fault != "" {
			return Incomplete, fault
		}
	}
	switch {
	case hidden != "":
		return Hidden, hidden
	case trimmed != value && !isPEM(trimmed, value):
		return Padded, ""
	case mayBePlaceholder(value):
		return Suspected, ""
	}
	return "", ""
}

// isPEM reports whether a value is a key or certificate that ends with its line, as its format has it.
// Source: https://www.rfc-editor.org/rfc/rfc7468#section-3
func isPEM(trimmed, value string) bool {
	return strings.HasPrefix(trimmed, "-----BEGIN ") && strings.HasSuffix(trimmed, "-----") && (value == trimmed+"\n" || value == trimmed+"\r\n")
}
