package configuration

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/problem"
)

// Settings are the variables of one source.
type Settings struct {
	// Source is the name of a file, of a secret, or of standard input.
	Source string `json:"-"`
	// Values are the variables by name.
	Values map[string]string `json:"-"`
	// Lines has the line of each variable, counted from 1. It is empty where the source has a single line.
	Lines map[string]int `json:"-"`
	// Converted has, for the keys of a secret that ECS would convert, the values that it would pass on.
	Converted map[string]string `json:"-"`
	// Warnings are about what was accepted, but is probably a mistake.
	Warnings []problem.Problem `json:"-"`
}

// Names returns the names of the variables in alphabetical order.
func (s Settings) Names() []string { return slices.Sorted(maps.Keys(s.Values)) }

// Location returns SOURCE:LINE of a variable, or the source alone where the line is not known.
func (s Settings) Location(name string) string { return problem.Location(s.Source, s.Lines[name]) }

// Format prints the source and the names of the variables for every verb, so that no value is printed by accident.
func (s Settings) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.Source+": "+strings.Join(s.Names(), ", "))
}

// variableName matches what a shell and the application accept as the name of a variable.
// Source: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
var variableName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsName reports whether a text can be the name of a variable: letters, digits and _, not beginning with a digit.
func IsName(text string) bool { return variableName.MatchString(text) }

// reader collects the settings and problems of a text.
type reader struct {
	settings Settings
	problems []problem.Problem
	// singleLine omits the line from problems: the text has only one.
	singleLine bool
}

func newReader(source, text string) *reader {
	return &reader{
		settings:   Settings{Source: source, Values: map[string]string{}, Lines: map[string]int{}, Converted: map[string]string{}},
		singleLine: !strings.Contains(strings.TrimRight(text, "\r\n"), "\n"),
	}
}

func (r *reader) line(line int) int {
	if r.singleLine {
		return 0
	}
	return line
}

func (r *reader) addProblem(line int, name, message, remedy string) {
	r.problems = append(r.problems, problem.Problem{Line: r.line(line), Variable: name, Message: message, Remedy: remedy})
}

func (r *reader) addWarning(line int, name, message, remedy string) {
	r.settings.Warnings = append(r.settings.Warnings,
		problem.Problem{Line: r.line(line), Variable: name, Message: message, Remedy: remedy})
}

// checkName checks the rules that all sources share: the name is valid and is not a duplicate. A problem does not quote
// an invalid name, which may be part of a value.
func (r *reader) checkName(line int, name string, seen map[string]int) bool {
	if !IsName(name) {
		r.addProblem(line, "", "has a name that no variable can have", "use letters, digits and _, with no digit first")
		return false
	}
	if first, again := seen[name]; again {
		message := "is given twice"
		if first := r.line(first); first > 0 {
			message += fmt.Sprintf(", the first time in line %d", first)
		}
		r.addProblem(line, name, message, "keep one of them")
		return false
	}
	seen[name] = line
	return true
}

// set adds a variable whose name is valid.
func (r *reader) set(line int, name, value string) {
	if strings.ContainsRune(value, 0) {
		r.addProblem(line, name, "contains a NUL byte, which no variable can have", "remove it")
		return
	}
	r.settings.Values[name] = value
	if line := r.line(line); line > 0 {
		r.settings.Lines[name] = line
	}
}

// result returns the variables that could be read, and an error if there are problems.
func (r *reader) result() (*Settings, error) {
	if len(r.problems) > 0 {
		return &r.settings, &problem.Error{Source: r.settings.Source, Problems: r.problems}
	}
	return &r.settings, nil
}

// ParseFile reads a file that contains either a JSON object or lines of KEY=value, with or without a byte order mark: the file is
// not what is stored.
func ParseFile(source string, content []byte) (*Settings, error) {
	text := strings.TrimPrefix(string(content), byteOrderMark)
	switch _, wrong := notUTF8(content); {
	case !wrong && strings.TrimSpace(text) == "":
		r := newReader(source, "")
		r.addProblem(0, "", "has no variable", "give KEY=value lines or a JSON object")
		return r.result()
	case !wrong && strings.HasPrefix(strings.TrimSpace(text), "{"):
		return ParseSecret(source, text)
	}
	return ParseDotenv(source, content)
}

const byteOrderMark = "\uFEFF"

// notUTF8 returns a message about the encoding of a text that is not UTF-8.
func notUTF8(content []byte) (message string, wrong bool) {
	if len(content) >= 2 && (content[0] == 0xFF && content[1] == 0xFE || content[0] == 0xFE && content[1] == 0xFF) {
		return "is UTF-16", true
	}
	return "is not UTF-8", !utf8.Valid(content)
}

// Mask replaces a sensitive value of any length.
const Mask = "********"

// publicVariables returns the names of variables that determine how and where an application runs, but grant no access, each with
// the form that its values have.
func publicVariables() map[string]*lazyregexp.Regexp {
	region, word := lazyregexp.New(`^[a-z]{2}(?:-[a-z]+)+-[0-9]$`), lazyregexp.New(`^[A-Za-z]{1,12}$`)
	return map[string]*lazyregexp.Regexp{
		"AWS_DEFAULT_REGION": region, "AWS_REGION": region, "ENVIRONMENT": word, "LOG_FORMAT": word, "LOG_LEVEL": word, "NODE_ENV": word,
		"HOST": lazyregexp.New(`^(?:localhost|[0-9.]+|[0-9a-f:]+)$`), "PORT": lazyregexp.New(`^[0-9]{1,5}$`),
		"LANG": lazyregexp.New(`^(?:C|POSIX|[a-z]{2,3}_[A-Z]{2})(?:\.[Uu][Tt][Ff]-?8)?$`),
		"TZ":   lazyregexp.New(`^(?:UTC|[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+)$`),
	}
}

// IsSensitive reports whether a value that does not come from a secret must not be shown. Secrets have too many names and forms to
// be recognized: a value is shown only if its name is known to be harmless, here or in known, and it does not look like a secret.
func IsSensitive(name, value string, known []string) bool {
	_, public := publicVariables()[name]
	return !slices.Contains(known, name) && !public || grantsAccess(value)
}

// IsSensitiveInSecret reports whether a value of a secret must not be shown: all but those of variables that are known to be harmless
// and that are read from the key of their name, where the value has the form that theirs have. Something else that was pasted into
// such a key by mistake is not shown.
func IsSensitiveInSecret(name, key, value string) bool {
	form := publicVariables()[name]
	return form == nil || name != key || !form.MatchString(value)
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
