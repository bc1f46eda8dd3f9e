package sanitize

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"plain":                       {"a: b::c ## [x] 10:00::ü", "a: b::c ## [x] 10:00::ü"},
		"tabs and lines":              {"a\tb\nc\r\nd", "a\tb\nc\nd"},
		"colours are removed":         {"\x1b[31mred\x1b[0m", "red"},
		"clearing the screen":         {"\x1b[2Jx", "x"},
		"the clipboard":               {"\x1b]52;c;eA==\x07", `\x1b]52;c;eA==\x07`},
		"a sequence in C1":            {"\u009b2Jx\u0085", `\u009b2Jx\u0085`},
		"delete":                      {"a\x7f", `a\x7f`},
		"an overwritten line":         {"good\rbad", `good\x0dbad`},
		"another direction":           {"a\u202eb\u2066c", `a\u202eb\u2066c`},
		"separators":                  {"a\u2028b", `a\u2028b`},
		"not UTF-8":                   {"a\xffb", `a\xffb`},
		"a command of the runner":     {"::error file=a::b", ": :error file=a::b"},
		"after white space":           {"a\n \t\u3000::add-mask::a", "a\n \t\u3000: :add-mask::a"},
		"where a line may be wrapped": {"a ::stop-commands::b ::c::", "a : :stop-commands::b : :c::"},
		"without an end":              {"::error", ": :error"},
		"a mapped address":            {"::ffff:10.0.0.1 - GET", "::ffff:10.0.0.1 - GET"},
		"many colons":                 {":::::", ": : :::"},
		"an address":                  {"::1 is local", "::1 is local"},
		"after a removed sequence":    {"\x1b[0m::error::b", ": :error::b"},
		"an older command, anywhere":  {"x##[error]y ###[a]", "x# #[error]y ## #[a]"},
		"after a removed sequence in": {"#\x1b[0m#[error]", "# #[error]"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, Text(test.text))
			require.Equal(t, test.want, Text(Text(test.text)), "sanitizing again changes nothing")
		})
	}
}

func TestValue(t *testing.T) {
	out := &ecs.DescribeTasksOutput{Tasks: []types.Task{{
		StoppedReason: aws.String("\x1b[2Jgone"), Tags: []types.Tag{{Key: aws.String("k\r"), Value: aws.String("##[x")}},
		Containers: []types.Container{{Reason: aws.String("a\x07"), ExitCode: aws.Int32(1)}},
	}}}
	Value(out)
	require.Equal(t, &ecs.DescribeTasksOutput{Tasks: []types.Task{{
		StoppedReason: aws.String("gone"), Tags: []types.Tag{{Key: aws.String(`k\x0d`), Value: aws.String("# #[x")}},
		Containers: []types.Container{{Reason: aws.String(`a\x07`), ExitCode: aws.Int32(1)}},
	}}}, out)

	var decoded any
	require.NoError(t, json.Unmarshal([]byte(`{"a\u0007": ["b\u0007", {"c": "d\u0007"}, 1, null], "e": true}`), &decoded))
	Value(&decoded)
	require.Equal(t, map[string]any{`a\x07`: []any{`b\x07`, map[string]any{"c": `d\x07`}, 1.0, nil}, "e": true}, decoded)

	type record struct {
		Secret struct{ Text string }
		Other  map[string]string
		Body   fmt.Stringer
		Array  [1]string
	}
	r := record{Other: map[string]string{"x": "\a"}, Body: &strings.Builder{}, Array: [1]string{"\a"}}
	r.Secret.Text = "\a"
	Value(&r, "Secret")
	require.Equal(t, "\a", r.Secret.Text)
	require.Equal(t, `\x07`, r.Other["x"])
	require.Equal(t, `\x07`, r.Array[0])
	Value(nil)
	Value((*record)(nil))
}

func TestRedact(t *testing.T) {
	const password, key, dsn = `p%4"s&w!rdü`, "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----", "https://0123456789abcdef@sentry.example.org/7"
	const api = "https://gateway.example.org/api/0011223344556677889900aa/subgraphs/id/short?token=99887766554433221100"
	var r Redactor
	require.Equal(t, "as it is", r.Redact("as it is"))
	r.Add(password, key)
	r.Add(dsn, api, "staging", "short 1")
	whole, err := json.Marshal(map[string]string{"password": password, "key": key})
	require.NoError(t, err)
	nested, err := json.Marshal(map[string]string{"body": string(whole)})
	require.NoError(t, err)
	for name, text := range map[string]string{
		"as it is": "it is " + password + ".", "in JSON": string(whole), "in JSON in JSON": string(nested), "quoted": fmt.Sprintf("%q", password),
		"in ASCII": fmt.Sprintf("%+q", password), "for a query": "/?p=" + url.QueryEscape(password), "for a path": "/" + url.PathEscape(password),
		"in a URL":       (&url.URL{Scheme: "postgres", Host: "h", User: url.UserPassword("u", password)}).String(),
		"a login":        "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+password)),
		"for URLs":       base64.URLEncoding.EncodeToString([]byte(`{"p":"` + password + `"}`)),
		"a line of it":   "reads MIIEvQIBADANBg",
		"the whole DSN":  "Sentry is at " + dsn,
		"the user of it": "key 0123456789abcdef",
		"of the path":    "POST /api/0011223344556677889900aa/x", "of the parameters": "token 99887766554433221100",
		"of any URL": "cannot reach postgres://balancer:unknown-1@db:5432/balancer",
	} {
		t.Run(name, func(t *testing.T) {
			got := r.Redact(text)
			require.Contains(t, got, Hidden)
			for _, secret := range []string{password, "w!rd", "MIIE", "0123456789abcdef", "0011223344", "9988776655", "unknown-1"} {
				require.NotContains(t, got, secret)
			}
		})
	}
	for _, text := range []string{"staging is short 1", "https://sentry.example.org/8", "http://[::1]:3000/graphql", "a@b: https://h/x@y", "id/short"} {
		require.Equal(t, text, r.Redact(text), "what is short, and ordinary text, stays")
	}
	require.Equal(t, "postgres://balancer:[hidden]@db:5432/balancer", r.Redact("postgres://balancer:unknown-1@db:5432/balancer"))
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"\x1b[31m::a::b", "##\x1b[[x", "\r\n::x::", "#\u202e#[", "a ::b::c ::d::", ":: ::", "\x1b\x1b[0m[2J"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean := Text(s)
		require.NotContains(t, clean, "##[")
		require.NotContains(t, clean, "\x1b")
		for line := range strings.SplitSeq(clean, "\n") {
			trimmed := strings.TrimSpace(line)
			require.False(t, strings.HasPrefix(trimmed, "::") && strings.Contains(trimmed[2:], "::"), "%q", line)
		}
		require.Equal(t, clean, Text(clean))
	})
}
