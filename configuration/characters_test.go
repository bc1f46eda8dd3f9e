package configuration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHiddenCharacters(t *testing.T) {
	for value, want := range map[string]string{
		"abc123\u200b":                          "the invisible character U+200B",
		"\ufeffabc":                             "the invisible character U+FEFF",
		"ab\u00adc":                             "the invisible character U+00AD",
		"ab\u2060c\u200e":                       "the invisible character U+2060, the invisible character U+200E",
		"a\u200db":                              "the invisible character U+200D",
		"a\ufe0f":                               "the invisible character U+FE0F",
		"a\u202eb":                              "the invisible character U+202E",
		"a\u2028b":                              "the invisible character U+2028",
		"a\x1b[0m":                              "the invisible character U+001B",
		"a\x7f\u0085":                           "the invisible character U+007F, the invisible character U+0085",
		"a\u3164b":                              "the invisible character U+3164",
		"a\ufffdb":                              "the invisible character U+FFFD",
		"a\U000E0041":                           "the invisible character U+E0041",
		"a\u00a0b c":                            "the unusual space U+00A0",
		"a\u2003b\u2003c":                       "the unusual space U+2003",
		"\u201cabc\u201d":                       "the typographic quote U+201C, the typographic quote U+201D",
		"\u201ctwo words\u201d":                 "the typographic quote U+201C",
		"abc\u2019":                             "the typographic quote U+2019",
		"https://x.example.com/\u00aba\u00bb":   "the typographic quote U+00AB, the typographic quote U+00BB",
		"":                                      "",
		"abc123":                                "",
		"line\nline\r\n\tline":                  "",
		"größe→ünï":                             "",
		"It\u2019s called \u201cbalancer\u201d": "",
		"\U0001F468\u200d\U0001F469":            "",
		"\u2764\ufe0f":                          "",
		"\u0645\u06CC\u200c\u062E":              "",
		"it's \"b\"":                            "",
	} {
		require.Equal(t, want, hiddenCharacters(value), "%+q", value)
	}
}
