// Package sanitize makes text that others wrote harmless wherever it is shown: log lines of containers, what AWS, providers and servers
// answer, and records that are read from a bucket. It is applied where such text is read, so that no output has to think of it. What
// depends on an output, such as the escapes of Markdown, HTML or Slack, stays with that output.
package sanitize

import (
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// Text returns s without what a terminal or the runner of GitHub Actions acts on: control sequences are removed, other control
// characters and those that change the direction of text are escaped, and workflow commands are broken with a space. Tabs and line ends
// stay; CR LF becomes LF.
func Text(s string) string {
	if isHarmless(s) {
		return s
	}
	s = text.Printable(strings.ReplaceAll(s, "\r\n", "\n"))
	// The runner looks for this prefix anywhere in a line.
	// Source: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs, TryParse
	s = strings.ReplaceAll(s, "##[", "# #[")
	if !strings.Contains(s, "::") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = breakCommands(line)
	}
	return strings.Join(lines, "\n")
}

// isHarmless reports whether Text has nothing to change, for most of what AWS answers.
func isHarmless(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return !strings.Contains(s, "##[") && !strings.Contains(s, "::")
}

// breakCommands separates the colons with which a workflow command begins. The runner accepts one at the start of a line, after white
// space. Here each start of a word counts, for a line may be wrapped, and so does one without its end, which may follow on the line.
// Source: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs, TryParseV2
func breakCommands(line string) string {
	var b strings.Builder
	before := ' '
	for i, r := range line {
		b.WriteRune(r)
		rest, start := line[i:], unicode.IsSpace(before)
		before = r
		if start && strings.HasPrefix(rest, "::") && !isAddress(rest) {
			b.WriteByte(' ')
			before = ' '
		}
	}
	return b.String()
}

// isAddress reports whether a line begins with an IPv6 address, and has nothing that would make it a command.
func isAddress(line string) bool {
	word, _, _ := strings.Cut(line, " ")
	return strings.Trim(word, "0123456789abcdefABCDEF:.") == "" && !strings.Contains(line[2:], "::")
}

// Value replaces every string that v points to with its Text: in fields, elements, and maps. The fields named in exact stay as they are,
// with all that is below them.
func Value(v any, exact ...string) {
	ValueFunc(v, func(_, s string) string { return Text(s) }, exact...)
}

// ValueFunc replaces strings as Value does, with what change returns for each. change is given the name of the field that has the
// string, or of the next one above.
func ValueFunc(v any, change func(field, s string) string, exact ...string) {
	walker{change: change, exact: exact}.walk("", reflect.ValueOf(v))
}

type walker struct {
	change func(field, s string) string
	exact  []string
}

func (w walker) walk(field string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		w.walk(field, v.Elem())
	case reflect.Interface:
		w.walkInterface(field, v)
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).CanSet() && !slices.Contains(w.exact, name) {
				w.walk(name, v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // bytes are no text
		}
		for i := range v.Len() {
			w.walk(field, v.Index(i))
		}
	case reflect.Map:
		w.walkMap(field, v)
	case reflect.String:
		if v.CanSet() {
			v.SetString(w.change(field, v.String()))
		}
	}
}

// walkMap changes keys as well: they are names that others gave.
func (w walker) walkMap(field string, v reflect.Value) {
	for _, key := range v.MapKeys() {
		name, value := reflect.New(key.Type()).Elem(), reflect.New(v.Type().Elem()).Elem()
		name.Set(key)
		value.Set(v.MapIndex(key))
		w.walk(field, name)
		w.walk(field, value)
		v.SetMapIndex(key, reflect.Value{})
		v.SetMapIndex(name, value)
	}
}

// walkInterface changes what decoded JSON and the SDK's unions consist of. Other values, such as an open stream, are not touched.
func (w walker) walkInterface(field string, v reflect.Value) {
	switch inner := v.Elem(); inner.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.Set(reflect.ValueOf(w.change(field, inner.String())).Convert(inner.Type()))
		}
	case reflect.Map, reflect.Slice:
		w.walk(field, inner)
	case reflect.Pointer:
		if inner.Type().Elem().Kind() == reflect.Struct && strings.HasSuffix(inner.Type().Elem().PkgPath(), "/types") {
			w.walk(field, inner)
		}
	}
}
