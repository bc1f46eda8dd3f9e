package logs

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	const head = "2026-11-23T12:00:01.000Z api/065154de "
	for name, test := range map[string]struct{ message, want string }{
		"plain":             {"server ready at http://0.0.0.0:3000/graphql\n", "server ready at http://0.0.0.0:3000/graphql"},
		"json":              {`{"level":"error","msg":"no answer","url":"https://a.b/c","status":503}`, "ERROR no answer url=https://a.b/c status=503"},
		"pino":              {`{"level":30,"time":1795435201000,"pid":7,"msg":"ready"}`, "INFO  ready pid=7"},
		"another time":      {`{"level":"warn","timestamp":"2026-11-23T11:00:00Z","message":"old"}`, "WARN  old timestamp=2026-11-23T11:00:00Z"},
		"order is kept":     {`{"z":1,"msg":"m","a":2}`, "m z=1 a=2"},
		"nested":            {`{"msg":"m","err":{"code": 1, "at": [1, 2]},"none":null,"yes":true}`, `m err={"code":1,"at":[1,2]} none=null yes=true`},
		"needs quotes":      {`{"msg":"m","q":"a b","e":"","k":"x=y"}`, `m q="a b" e="" k="x=y"`},
		"big number":        {`{"msg":"m","block":12345678901234567890}`, "m block=12345678901234567890"},
		"stack":             {`{"level":"error","msg":"m","stack":"Error: x\n    at y\n","n":1}`, "ERROR m n=1\n    stack=\n    Error: x\n        at y"},
		"message of lines":  {"Error: x\n  at y\n", "Error: x\n      at y"},
		"odd level":         {`{"level":{"a":1},"msg":"m"}`, `m level={"a":1}`},
		"malformed":         {`{"level":"error","msg":`, `{"level":"error","msg":`},
		"trailing":          {`{"msg":"m"} and more`, `{"msg":"m"} and more`},
		"array":             {`[1,2]`, `[1,2]`},
		"empty":             {"", ""},
		"colours go":        {"\x1b[32mINFO\x1b[0m started", "INFO started"},
		"terminal commands": {"a\x1b]0;title\x07b\rc\x7f", `a\x1b]0;title\x07b\x0dc\x7f`},
		"c1 and direction":  {"a\u009b2Jb\u202ec", `a\u009b2Jb\u202ec`},
		"no utf-8":          {"a\xffb", `a\xffb`},
		"within json":       {`{"msg":"a\u001b[2Jb\u0007","k\u001b":"v\u001b]0"}`, `ab\x07 k\x1b=v\x1b]0`},
		"emoji and letters": {"größe 👩‍💻 日本", "größe 👩‍💻 日本"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			e := Event{Time: noon.Add(time.Second), Stream: "api/balancer-api/065154de7d0efc0a08d0a80e642320c1", Message: test.message}.withStreamParts()
			require.NoError(t, Printer{Out: &out, Format: Text, Width: 12}.Print(e))
			require.Equal(t, head+test.want+"\n", out.String())
		})
	}
}

func TestColoursOnlyWhereAllowed(t *testing.T) {
	var plain, coloured bytes.Buffer
	e := Event{Time: noon, Stream: "worker/balancer-worker/0123", Message: `{"level":"error","msg":"m"}`}.withStreamParts()
	require.NoError(t, Printer{Out: &plain, Format: Text}.Print(e))
	require.NoError(t, Printer{Out: &coloured, Format: Text, Colour: true}.Print(e))
	require.Equal(t, "2026-11-23T12:00:00.000Z worker/0123 ERROR m\n", plain.String())
	require.Contains(t, coloured.String(), "\x1b[35mworker/0123\x1b[0m \x1b[31mERROR\x1b[0m m")
}

func TestRawIsTheLineWithoutItsControlSequences(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Printer{Out: &out, Format: Raw}.Print(Event{Message: "a\x1b[2J\x07 {\"k\": 1}\r\n"}))
	require.Equal(t, "a\\x07 {\"k\": 1}\n", out.String())
}

func TestJSONIsOneObjectALine(t *testing.T) {
	var out bytes.Buffer
	p := Printer{Out: &out, Format: JSON}
	require.NoError(t, p.Print(Event{ID: "1", Time: noon, Stream: "xray", Message: "two\nlines \u009b"}.withStreamParts()))
	require.NoError(t, p.Print(Event{ID: "2", Time: noon, Stream: "api/balancer-api/01", Message: `{"msg": "m"}`}.withStreamParts()))
	require.NotContains(t, out.String(), "\u009b")
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	require.Len(t, lines, 2)
	var first, second map[string]any
	require.NoError(t, json.Unmarshal(lines[0], &first))
	require.NoError(t, json.Unmarshal(lines[1], &second))
	require.Equal(t, "two\nlines \u009b", first["message"])
	require.Equal(t, "xray", first["service"])
	require.NotContains(t, first, "data")
	require.Equal(t, "2026-11-23T12:00:00Z", second["time"])
	require.Equal(t, "balancer-api", second["container"])
	require.Equal(t, map[string]any{"msg": "m"}, second["data"])
}

func TestPattern(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "error": "error", "pool timeout": "pool timeout", "GET /health": `GET "/health"`, "-debug": "-debug", "?error ?fatal": "?error ?fatal",
		"-/health": `-"/health"`, "2026-11-23": `"2026-11-23"`, `"an exact phrase"`: `"an exact phrase"`, "-": `"-"`,
		`{ $.level = "error" }`: `{ $.level = "error" }`, "{ $.ms > 5 }": "{ $.ms > 5 }", "[ip, user]": "[ip, user]", "%regex%": "%regex%",
	} {
		require.Equal(t, want, Pattern(text), text)
	}
}
