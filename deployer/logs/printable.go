package logs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// controlSequence is a control sequence of terminals, such as a colour.
// Source: https://ecma-international.org/publications-and-standards/standards/ecma-48/, 5.4
var controlSequence = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// printable makes text harmless to a terminal: colours and the like go, every other control character is spelled out.
// Tabs and line ends stay.
func printable(text string) string {
	text = controlSequence.ReplaceAllString(text, "")
	if !strings.ContainsFunc(text, func(r rune) bool { return unprintable(r) || r == utf8.RuneError }) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r == '\t', r == '\n':
			b.WriteRune(r)
		case unprintable(r) && r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case unprintable(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// unprintable reports whether a terminal acts on a character instead of showing it: control characters, and those that turn
// the direction of text around.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// escapeJSON replaces such characters in JSON, where they only occur in strings, by their escapes.
func escapeJSON(json []byte) []byte {
	if !strings.ContainsFunc(string(json), unprintable) {
		return json
	}
	var b strings.Builder
	for _, r := range string(json) {
		if unprintable(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return []byte(b.String())
}
