// Package text has the helpers with which messages and reports are worded and fitted into lines: plurals, wrapping,
// truncation, and making text safe to print. Widths are columns of a terminal; colours take none.
package text

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

const ellipsis = "…"

// Plural returns a count with its noun: "1 task", "2 tasks". An empty plural follows the regular rules of English. Digits
// are not grouped, so that a count can be searched for.
func Plural(n int, singular, plural string) string {
	return fmt.Sprintf("%d %s", n, PluralWord(n, singular, plural))
}

// PluralWord returns the noun, or the words, that follow a count, without the count.
func PluralWord(n int, singular, plural string) string {
	return english.PluralWord(n, singular, plural)
}

// Join returns items as a sentence lists them: "a", "a and b", "a, b and c".
func Join(items []string, conjunction string) string { return english.WordSeries(items, conjunction) }

// Minute returns a time as messages show it: in UTC, and to the minute.
func Minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Duration returns a duration in whole seconds, as 12s, 4m31s or 1h02m.
func Duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// FirstLine returns what precedes the first line break.
func FirstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// Wrap breaks lines between words where they are wider than width. The lines that it adds begin with indent. A word that
// is wider than a line stays whole, so that it can be copied. With a width of 0 or less nothing is broken.
func Wrap(s string, width int, indent string) string {
	if width <= 0 {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = wrapLine(line, width, indent)
	}
	return strings.Join(lines, "\n")
}

func wrapLine(line string, width int, indent string) string {
	if Width(line) <= width {
		return line
	}
	words := strings.TrimLeft(line, " ")
	margin := line[:len(line)-len(words)]
	var b strings.Builder
	b.WriteString(margin)
	column := len(margin)
	for i, word := range strings.Split(words, " ") {
		wide := Width(word)
		switch {
		case i == 0:
		case column+1+wide > width:
			b.WriteString("\n" + indent)
			column = Width(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += wide
	}
	return b.String()
}

// Width returns how many columns a line takes.
func Width(line string) int { return text.StringWidthWithoutEscSequences(line) }

// Snip truncates a line that is wider than width, and marks where. With a width of 0 or less it returns the line.
func Snip(line string, width int) string { return text.Snip(line, width, ellipsis) }

// SnipMiddle removes the middle of a line that is longer than limit characters, so that its end can be read.
func SnipMiddle(line string, limit int) string {
	runes := []rune(line)
	if limit <= 0 || len(runes) <= limit {
		return line
	}
	head := (limit - 1) / 2
	return string(runes[:head]) + ellipsis + string(runes[len(runes)-(limit-1-head):])
}

// SnipWords truncates a line that is longer than limit characters, between words where it has several.
func SnipWords(line string, limit int) string {
	runes := []rune(line)
	if limit <= 0 || len(runes) <= limit {
		return line
	}
	head := string(runes[:limit-1])
	if space := strings.LastIndex(head, " "); space > 0 {
		head = head[:space]
	}
	return strings.TrimRight(head, " ,:;") + ellipsis
}

// SnipCommonPrefix shortens two lines to limit characters each so that the place where they begin to differ stays visible.
func SnipCommonPrefix(a, b string, limit int) (string, string) {
	const context, worthCutting = 8, 12
	x, y := []rune(a), []rune(b)
	same := 0
	for same < min(len(x), len(y)) && x[same] == y[same] {
		same++
	}
	if max(len(x), len(y)) > limit && same > worthCutting {
		a, b = ellipsis+string(x[same-context:]), ellipsis+string(y[same-context:])
	}
	return Snip(a, limit), Snip(b, limit)
}

// control matches a control sequence of terminals, such as a colour.
// Source: https://ecma-international.org/publications-and-standards/standards/ecma-48/, 5.4
var control = lazyregexp.New("\x1b\\[[0-?]*[ -/]*[@-~]")

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

// shellSafe matches words that a shell leaves as they are.
var shellSafe = lazyregexp.New(`^[\w@%+=:,./-]+$`)

// ShellQuote returns a word as a POSIX shell reads it.
func ShellQuote(word string) string {
	if shellSafe.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
