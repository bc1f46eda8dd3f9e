package configuration

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Settings are the variables of one source.
type Settings struct {
	// Source names where they come from: a file, standard input, a secret.
	Source string `json:"-"`
	// Values are the variables by name.
	Values map[string]string `json:"-"`
	// Lines say where each variable stands, counted from 1; it is empty where the source has a single line.
	Lines map[string]int `json:"-"`
	// Warnings are about what was accepted and may yet not be what somebody meant.
	Warnings []Fault `json:"-"`
}

// Names returns the names of the variables in order of the alphabet.
func (s Settings) Names() []string { return slices.Sorted(maps.Keys(s.Values)) }

// Location says where a variable stands: FILE:LINE, or the source alone where the line is not known.
func (s Settings) Location(name string) string { return location(s.Source, s.Lines[name]) }

// Format prints the source and the names of the variables, whatever the verb: a value printed by accident is a secret
// that is lost.
func (s Settings) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.Source+": "+strings.Join(s.Names(), ", "))
}

func location(source string, line int) string {
	if line == 0 {
		return source
	}
	return fmt.Sprintf("%s:%d", source, line)
}

// Fault is one thing about a text that is wrong, where it stands, and what to do about it.
type Fault struct {
	// Line counts from 1; it is 0 where the text has a single line.
	Line int `json:"line,omitempty"`
	// Key is the variable, where it is known.
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// Text is the fault on one line, with its place.
func (f Fault) Text(source string) string {
	text := location(source, f.Line) + ": "
	if f.Key != "" {
		text += f.Key + " "
	}
	return text + f.Message + "; " + f.Remedy
}

// InvalidError holds every fault of one source.
type InvalidError struct {
	Source   string
	Problems []Fault
}

// Error has a line for each fault: source, line, key, what is wrong, and the remedy.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, f := range e.Problems {
		lines[i] = f.Text(e.Source)
	}
	return strings.Join(lines, "\n")
}

// variableName is what a shell and the application take as the name of a variable.
// Source: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsName reports whether a text can be the name of a variable: letters, digits and _, with no digit first.
func IsName(text string) bool { return variableName.MatchString(text) }

// reader gathers the settings and faults of a text.
type reader struct {
	settings Settings
	problems []Fault
	// singleLine says that the text has one line, so that numbers of lines tell nothing.
	singleLine bool
}

func newReader(source, text string) *reader {
	return &reader{
		settings:   Settings{Source: source, Values: map[string]string{}, Lines: map[string]int{}},
		singleLine: !strings.Contains(strings.TrimRight(text, "\r\n"), "\n"),
	}
}

func (r *reader) line(line int) int {
	if r.singleLine {
		return 0
	}
	return line
}

func (r *reader) addProblem(line int, key, message, remedy string) {
	r.problems = append(r.problems, Fault{Line: r.line(line), Key: key, Message: message, Remedy: remedy})
}

func (r *reader) addWarning(line int, key, message, remedy string) {
	r.settings.Warnings = append(r.settings.Warnings, Fault{Line: r.line(line), Key: key, Message: message, Remedy: remedy})
}

// checkName holds a name against the rules that all sources share: it can be a variable's, and was not given before. What
// stands where a name should may be a piece of a value: it is not shown.
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

// set takes a variable whose name is good.
func (r *reader) set(line int, name, value string) {
	if strings.ContainsRune(value, 0) {
		r.addProblem(line, name, "holds a NUL byte, which no variable can", "take it out")
		return
	}
	r.settings.Values[name] = value
	if line := r.line(line); line > 0 {
		r.settings.Lines[name] = line
	}
}

// result is what could be read, and beside it an error where that is not all.
func (r *reader) result() (*Settings, error) {
	if len(r.problems) > 0 {
		return &r.settings, &InvalidError{Source: r.settings.Source, Problems: r.problems}
	}
	return &r.settings, nil
}

// ParseFile reads a file that holds either a JSON object or lines of KEY=value.
func ParseFile(source string, content []byte) (*Settings, error) {
	r := newReader(source, "")
	if encoding, wrong := notUTF8(content); wrong {
		r.addProblem(0, "", encoding, "save it as UTF-8")
		return r.result()
	}
	text := strings.TrimPrefix(string(content), byteOrderMark)
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "":
		r.addProblem(0, "", "holds no variable", "give KEY=value lines or a JSON object")
		return r.result()
	case strings.HasPrefix(trimmed, "{"):
		return ParseSecret(source, text)
	}
	return ParseDotenv(source, content)
}

const byteOrderMark = "\uFEFF"

// notUTF8 says what a text is encoded in, where that is not UTF-8.
func notUTF8(content []byte) (encoding string, wrong bool) {
	if len(content) >= 2 && (content[0] == 0xFF && content[1] == 0xFE || content[0] == 0xFE && content[1] == 0xFF) {
		return "is UTF-16", true
	}
	return "is not UTF-8", !utf8.Valid(content)
}
