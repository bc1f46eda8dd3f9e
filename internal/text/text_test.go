package text_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/text"
)

func TestPlural(t *testing.T) {
	for _, test := range []struct {
		n                      int
		singular, plural, want string
	}{
		{0, "task", "", "0 tasks"},
		{1, "task", "", "1 task"},
		{2, "task", "", "2 tasks"},
		{2, "policy", "", "2 policies"},
		{2, "key", "", "2 keys"},
		{2, "address", "", "2 addresses"},
		{1, "port is", "ports are", "1 port is"},
		{2, "port is", "ports are", "2 ports are"},
		{0, "snapshot has", "snapshots have", "0 snapshots have"},
		{2, "unknown", "unknown", "2 unknown"},
		{1234, "resource", "", "1234 resources"},
	} {
		require.Equal(t, test.want, text.Plural(test.n, test.singular, test.plural))
	}
	require.Equal(t, "operation", text.PluralWord(1, "operation", ""))
	require.Equal(t, "operations", text.PluralWord(3, "operation", ""))
}

func TestJoin(t *testing.T) {
	require.Empty(t, text.Join(nil, "and"))
	require.Equal(t, "a", text.Join([]string{"a"}, "and"))
	require.Equal(t, "a and b", text.Join([]string{"a", "b"}, "and"))
	require.Equal(t, "a, b or c", text.Join([]string{"a", "b", "c"}, "or"))
}

func TestFirstLine(t *testing.T) {
	require.Empty(t, text.FirstLine(""))
	require.Equal(t, "a", text.FirstLine("a"))
	require.Equal(t, "a", text.FirstLine("a\nb\nc"))
}

func TestHeadline(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a": "a", "a\nb\nc": "a", "a:": "a:", "a:\n": "a:", "a:\n\nb": "a:", "a:\n    b\n    c": "a: b", "a: b\n  c": "a: b",
	} {
		require.Equal(t, want, text.Headline(s), s)
	}
}

func TestWrap(t *testing.T) {
	for name, test := range map[string]struct {
		line   string
		width  int
		indent string
		want   string
	}{
		"it fits":                   {"one two", 7, "  ", "one two"},
		"no width":                  {"one two three", 0, "  ", "one two three"},
		"between words":             {"one two three", 8, "", "one two\nthree"},
		"indented":                  {"one two three four", 8, "    ", "one two\n    three\n    four"},
		"its own margin stays":      {"  one two three", 10, "    ", "  one two\n    three"},
		"a long word stays whole":   {"see https://example.com/a/b now", 10, "", "see\nhttps://example.com/a/b\nnow"},
		"colours take no room":      {"\x1b[1mone\x1b[0m two three", 8, "", "\x1b[1mone\x1b[0m two\nthree"},
		"characters, not bytes":     {"äöü äöü äöü", 7, "", "äöü äöü\näöü"},
		"wide characters take two":  {"生命 生命", 8, "", "生命\n生命"},
		"its own line breaks stay":  {"one two\nthree four five", 10, "  ", "one two\nthree four\n  five"},
		"a break before long words": {"a bcdefghij", 4, "", "a\nbcdefghij"},
	} {
		require.Equal(t, test.want, text.Wrap(test.line, test.width, test.indent), name)
	}
}

func TestSnip(t *testing.T) {
	for _, test := range []struct {
		line  string
		limit int
		// want is what is left when the end, the middle, and whole words are removed.
		end, middle, words string
	}{
		{"", 5, "", "", ""},
		{"abcde", 5, "abcde", "abcde", "abcde"},
		{"abcde", 0, "abcde", "abcde", "abcde"},
		{"abcdef", 5, "abcd…", "ab…ef", "abcd…"},
		{"one two, three", 10, "one two, …", "one …three", "one two…"},
		{"äöüäöüäöü", 5, "äöüä…", "äö…öü", "äöüä…"},
	} {
		require.Equal(t, test.end, text.Snip(test.line, test.limit))
		require.Equal(t, test.middle, text.SnipMiddle(test.line, test.limit))
		require.Equal(t, test.words, text.SnipWords(test.line, test.limit))
	}
}

func TestSnipCommonPrefix(t *testing.T) {
	for name, test := range map[string]struct{ a, b, x, y string }{
		"short":                       {"one", "two", "one", "two"},
		"the difference stays":        {"arn:aws:iam::1:role/old", "arn:aws:iam::1:role/new", "…:1:role/old", "…:1:role/new"},
		"they differ from the start":  {"old-abcdefghijklmnop", "new-abcdefghijklmnop", "old-abcdefg…", "new-abcdefg…"},
		"the difference is long":      {"arn:aws:iam::1:role/old-name", "arn:aws:iam::1:role/x", "…:1:role/ol…", "…:1:role/x"},
		"one is the other's start":    {"abcdefghijklmn", "abcdefghijklmnopq", "…ghijklmn", "…ghijklmnopq"},
		"characters that share bytes": {"äääääääääääääää", "äääääääääääääåå", "…ääääääääää", "…ääääääääåå"},
	} {
		x, y := text.SnipCommonPrefix(test.a, test.b, 12)
		require.Equal(t, [2]string{test.x, test.y}, [2]string{x, y}, name)
		require.True(t, utf8.ValidString(x) && utf8.ValidString(y), name)
	}
}

func TestPrintable(t *testing.T) {
	for name, test := range map[string]struct{ value, text, line string }{
		"nothing":         {"", "", ""},
		"plain":           {`a "b" \c ä 生`, `a "b" \c ä 生`, `a "b" \c ä 生`},
		"tab, line end":   {"a\tb\nc", "a\tb\nc", `a\tb\nc`},
		"quotes stay":     {"\"a\"\n", "\"a\"\n", `"a"\n`},
		"colour":          {"\x1b[31mred\x1b[0m", "red", `\x1b[31mred\x1b[0m`},
		"escape":          {"a\x1bb\a", `a\x1bb\x07`, `a\x1bb\a`},
		"carriage return": {"a\rb", `a\x0db`, `a\rb`},
		"text direction":  {"a\u202eb", `a\u202eb`, `a\u202eb`},
		"line separator":  {"a\u2028b", `a\u2028b`, `a\u2028b`},
		"invisible space": {"a\u00a0b\u200b", "a\u00a0b\u200b", `a\u00a0b\u200b`},
		"invalid UTF-8":   {"a\xffb", `a\xffb`, `a\xffb`},
		"a replacement":   {"a\ufffdb", "a\ufffdb", "a\ufffdb"},
	} {
		require.Equal(t, test.text, text.Printable(test.value), name)
		require.Equal(t, test.line, text.PrintableLine(test.value), name)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 12900 * time.Millisecond: "12s", time.Minute: "1m00s", 271 * time.Second: "4m31s",
		3599 * time.Second: "59m59s", 62 * time.Minute: "1h02m", 50*time.Hour + 59*time.Second: "50h00m",
	} {
		require.Equal(t, want, text.Duration(d))
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"staging": "staging", "../p/state_1": "../p/state_1", "TAG@sha256:0": "TAG@sha256:0", "http://127.0.0.1:5000": "http://127.0.0.1:5000",
		"": "''", "my own": "'my own'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "a;b": "'a;b'", "a\nb": "'a\nb'", "*": "'*'", "~": "'~'",
	} {
		require.Equal(t, want, text.ShellQuote(word), word)
	}
}
