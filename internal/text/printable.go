package text

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// control matches a control sequence of terminals, such as a colour.
// Source: https://ecma-international.org/publications-and-standards/standards/ecma-48/, 5.4
var control = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// Printable makes text that others wrote safe for a terminal: it removes colours and other control sequences, and escapes
// every other control character. Tabs and line ends stay.
func Printable(text string) string {
	text = control.ReplaceAllString(text, "")
	return escape(text, func(r rune) bool { return r != '\t' && r != '\n' && IsControl(r) }, func(r rune) string {
		if r < utf8.RuneSelf {
			return fmt.Sprintf(`\x%02x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

// PrintableLine returns a value on one line, with every character that cannot be seen escaped as Go does.
func PrintableLine(value string) string {
	return escape(value, func(r rune) bool { return !unicode.IsPrint(r) }, func(r rune) string {
		quoted := strconv.QuoteRune(r)
		return quoted[1 : len(quoted)-1]
	})
}

// IsControl reports whether a terminal acts on a character instead of showing it: control characters, separators of
// lines, and those that change the direction of text.
func IsControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// escape replaces the characters that match, and every byte that is not valid UTF-8.
func escape(s string, matches func(rune) bool, replacement func(rune) string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, matches) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case matches(r):
			b.WriteString(replacement(r))
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}
