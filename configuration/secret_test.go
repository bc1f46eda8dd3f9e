package configuration

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/problem"
)

func TestParseSecret(t *testing.T) {
	const huge = "12345678901234567890"
	settings, err := ParseSecret("s", `{"A":"a","N":`+huge+`,"P":3000,"F":0.1,"E":1e3,"B":true,"O":false,"Z":null,"U":"\u00e4\ud83d\ude00","R":"\ufffd","J":"{\"x\":1}"}`)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"A": "a", "N": huge, "P": "3000", "F": "0.1", "E": "1e3", "B": "true", "O": "false", "Z": "", "U": "ä😀", "R": "\uFFFD", "J": `{"x":1}`,
	}, settings.Values)
	number := func(key string) problem.Problem {
		return problem.Problem{Variable: key, Message: "is a number that ECS would pass on in another form", Remedy: "put it in quotes"}
	}
	require.Equal(t, []problem.Problem{
		number("N"), number("E"), {Variable: "Z", Message: "is null: it counts as empty, but ECS would pass it on as <nil>", Remedy: `write ""`},
	}, settings.Warnings)
	require.Equal(t, map[string]string{"N": "1.2345678901234567e+19", "E": "1000", "Z": "<nil>"}, settings.Converted)

	settings, err = ParseSecret("s", "{}")
	require.NoError(t, err)
	require.Empty(t, settings.Values)
}

func TestSecretProblems(t *testing.T) {
	const mark = "begins with a byte order mark (U+FEFF), with which ECS starts no task; write it again without the mark: " +
		"`deployer secrets set KEY` does, whichever key is set"
	const name = "has a name that no variable can have; use letters, digits and _, with no digit first"
	for text, want := range map[string]string{
		"":                          `s: is not a JSON object; write {"KEY": "value", …}`,
		"hunter2":                   `s: is not a JSON object; write {"KEY": "value", …}`,
		`"hunter2"`:                 `s: is not a JSON object; write {"KEY": "value", …}`,
		`["hunter2"]`:               `s: is not a JSON object; write {"KEY": "value", …}`,
		"null":                      `s: is not a JSON object; write {"KEY": "value", …}`,
		"postgres://u:hunter2@h":    `s: is not a JSON object; write {"KEY": "value", …}`,
		`{"A":{"hunter2":1}}`:       "s: A is an object; write its value as a string; JSON in a string is one too",
		`{"A":["hunter2"]}`:         "s: A is a list; write its value as a string; JSON in a string is one too",
		`{"A":"hunter2","A":"b"}`:   "s: A is given twice; keep one of them",
		`{"a-b":"hunter2"}`:         "s: " + name,
		`{"":"hunter2"}`:            "s: " + name,
		`{"A=B":"hunter2"}`:         "s: " + name,
		`{"A":"hunter2\u0000"}`:     "s: A contains a NUL byte, which no variable can have; remove it",
		`{"A":"hunter2\ud800"}`:     "s: A contains half of a surrogate pair; write the character itself",
		`{"A":"hunter2`:             "s: is not JSON from here on; look for a missing comma or quote",
		`{"A":"hunter2"`:            "s: is JSON that does not end; look for a missing } or quote",
		`{"A":hunter2}`:             "s: is not JSON from here on; look for a missing comma or quote",
		`{"A":"b"} hunter2`:         "s: has something after the JSON object; remove it",
		`{"A":"b"}{"B":"c"}`:        "s: has something after the JSON object; remove it",
		"\uFEFF{\"A\":\"hunter2\"}": "s: " + mark,
		"\uFEFF":                    "s: " + mark + "\ns: is not a JSON object; write {\"KEY\": \"value\", …}",
		`{"A":1e400}`:               "s: A is a number that is too large for ECS, which then starts no task; put it in quotes",
		"{\"A\":\"hunter2\xff\"}":   "s: is not UTF-8; write it as UTF-8",
		"{\n\"A\":\"b\",\n\"B\":[],\n\"A\":{}}": "s:3: B is a list; write its value as a string; JSON in a string is one too\n" +
			"s:4: A is given twice, the first time in line 2; keep one of them",
		"{\n\"A\":\"b\"\n\"B\":\"hunter2\"}": "s:3: is not JSON from here on; look for a missing comma or quote",
	} {
		_, err := ParseSecret("s", text)
		require.EqualError(t, err, want, text)
	}
}

// TestByteOrderMark checks that what ECS cannot read can be repaired: the values can be read, and are written without the mark.
func TestByteOrderMark(t *testing.T) {
	settings, err := ParseSecret("s", "\uFEFF{\"A\":\"b\",\"N\":1e3}")
	require.ErrorContains(t, err, "U+FEFF")
	require.Equal(t, map[string]string{"A": "b", "N": "1e3"}, settings.Values)
	text, err := EncodeSecret("s", settings.Values)
	require.NoError(t, err)
	require.Equal(t, `{"A":"b","N":"1e3"}`, text)
}

func TestSettingsDoNotPrintValues(t *testing.T) {
	settings, err := ParseSecret("s", `{"B":"hunter2","A":"hunter2"}`)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "s: A, B", fmt.Sprintf(verb, settings), verb)
		require.NotContains(t, fmt.Sprintf(verb, *settings), "hunter2", verb)
	}
	text, err := json.Marshal(settings)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
}

func TestEncodeSecret(t *testing.T) {
	text, err := EncodeSecret("s", map[string]string{"B": "<&>\n\u2028", "A": `"`})
	require.NoError(t, err)
	require.Equal(t, `{"A":"\"","B":"<&>\n\u2028"}`, text)

	full := map[string]string{"A": strings.Repeat("a", SecretLimit-len(`{"A":""}`))}
	text, err = EncodeSecret("s", full)
	require.NoError(t, err)
	require.Len(t, text, SecretLimit)
	read, err := ParseSecret("s", text)
	require.NoError(t, err)
	require.Equal(t, full, read.Values)

	full["A"] += "a"
	_, err = EncodeSecret("s", full)
	require.EqualError(t, err, "s: has 65537 bytes, but the limit of a secret is 65536; store large values elsewhere, such as in a bucket")
	_, err = EncodeSecret("s", map[string]string{"a b": "hunter2", "N": "hunter2\x00", "U": "hunter2\xff"})
	require.EqualError(t, err, "s: N contains a NUL byte, which no variable can have; remove it\ns: U is not UTF-8; write it as UTF-8, or as base64\n"+
		"s: has a name that no variable can have; use letters, digits and _, with no digit first")
}

// problemText matches every text of a problem, except for the names of variables and numbers.
var problemText = regexp.MustCompile(`^(?:\.env|s)(?::\d+)?: (?:[A-Za-z_][A-Za-z0-9_]* )?(?:` + strings.Join([]string{
	`there is no = in this line; .*`, `has a name that no variable can have; .*`, `is given twice(?:, the first time in line \d+)?; .*`,
	`begins with a quote that is never closed; .*`, `has text after the closing quote; .*`, `refers to another variable, .*`,
	`contains a control character; .*`, `contains a NUL byte, .*`, `is not UTF-8; .*`, `is UTF-16; .*`, `is not a JSON object; .*`,
	`is an object; .*`, `is a list; .*`, `contains half of a surrogate pair; .*`, `is a string that cannot be read; .*`,
	`is not JSON from here on; .*`, `is JSON that does not end; .*`, `has something after the JSON object; .*`,
	`begins with a byte order mark \(U\+FEFF\), .*`, `is a number that is too large for ECS, .*`, `begins with #, as a comment does; .*`, `looks like a piece of (?:a value|the value in line \d+); .*`,
}, "|") + `)$`)

// requireProblems checks that an error has problems whose texts are the reader's own, without a part of a value.
func requireProblems(t *testing.T, err error, text string) {
	t.Helper()
	var invalid *problem.Error
	require.ErrorAs(t, err, &invalid)
	require.NotEmpty(t, invalid.Problems)
	for _, p := range invalid.Problems {
		require.Regexp(t, problemText, p.Text(invalid.Source))
		require.LessOrEqual(t, p.Line, 1+strings.Count(text, "\n"))
		if p.Variable != "" {
			require.True(t, IsName(p.Variable))
		}
	}
}

// FuzzParseSecret checks that no input crashes the reader, that no problem quotes a value, that what was read equals
// what the standard decoder reads, and that it can be encoded and read again.
func FuzzParseSecret(f *testing.F) {
	for _, seed := range []string{
		`{"A":"b"}`, `{"A":1e400,"B":true,"C":null}`, `{"A":{}}`, `{"A":[1]}`, `{"A":"\ud800"}`, `{"A":1,"A":2}`, "[]", "", "{", `{"A`, "{\n\"A\":\n\"b\"}\n",
		`{"A":"b"}x`, "\uFEFF{}", `{"A":"\u0000"}`, `{"a b":""}`, `{"A":-0.0}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := ParseSecret("s", text)
		if err != nil {
			requireProblems(t, err, text)
			return
		}
		var object map[string]any
		decoder := json.NewDecoder(strings.NewReader(strings.TrimPrefix(text, byteOrderMark)))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&object))
		require.Len(t, settings.Values, len(object))
		for name, value := range settings.Values {
			require.True(t, IsName(name) && utf8.ValidString(value) && !strings.ContainsRune(value, 0))
			if text, isText := object[name].(string); isText {
				require.Equal(t, text, value)
			}
		}
		encoded, err := EncodeSecret("s", settings.Values)
		if len(text) > SecretLimit/8 {
			return
		}
		require.NoError(t, err)
		reread, err := ParseSecret("s", encoded)
		require.NoError(t, err)
		require.Equal(t, settings.Values, reread.Values)
		require.Empty(t, reread.Warnings)
	})
}
