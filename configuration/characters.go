package configuration

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// blanks matches letters, marks and symbols that look like space, or replace a character that was lost.
// Source: https://www.unicode.org/reports/tr36/ and https://www.unicode.org/charts/
const blanks = "\u034F\u115F\u1160\u17B4\u17B5\u2800\u3164\uFFA0\uFFFC\uFFFD"

// typographicQuotes replace ' and " in word processors and chats.
const typographicQuotes = "\u2018\u2019\u201A\u201B\u201C\u201D\u201E\u201F\u2032\u2033\u00AB\u00BB\u2039\u203A\uFF02\uFF07"

// hiddenCharacters returns a list of the characters of a value that a reader overlooks, by code point, or "": invisible ones, other
// space than U+0020, and typographic quotes. Lines and tabs are none. Quotes in a text with spaces, and what joins the characters of
// some scripts and of emoji, are as they should be.
func hiddenCharacters(value string) string {
	var found []string
	quotes := !strings.ContainsFunc(strings.TrimSpace(value), unicode.IsSpace)
	last, _ := utf8.DecodeLastRuneInString(value)
	before := rune(0)
	for i, c := range value {
		text := ""
		switch {
		case strings.ContainsRune(typographicQuotes, c):
			if quotes || i == 0 && strings.ContainsRune(typographicQuotes, last) {
				text = fmt.Sprintf("the typographic quote %U", c)
			}
		case isInvisible(c, before):
			text = fmt.Sprintf("the invisible character %U", c)
		case unicode.Is(unicode.Zs, c) && c != ' ':
			text = fmt.Sprintf("the unusual space %U", c)
		}
		if text != "" && !slices.Contains(found, text) {
			found = append(found, text)
		}
		before = c
	}
	return strings.Join(found, ", ")
}

// isBlank reports whether a character shows nothing.
func isBlank(c rune) bool { return unicode.IsSpace(c) || isInvisible(c, 0) }

func isInvisible(c, before rune) bool {
	const joiners = "\u200C\u200D"
	switch {
	case strings.ContainsRune(joiners, c) || unicode.Is(unicode.Variation_Selector, c):
		// U+0250 is the first character after those of Western languages, which need none of them.
		return before < 0x250
	case c == '\t' || c == '\n' || c == '\r':
		return false
	}
	return unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || strings.ContainsRune(blanks, c)
}
