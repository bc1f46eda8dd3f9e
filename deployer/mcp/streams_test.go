package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An answer is a response of JSON-RPC.
type answer struct {
	ID     any
	Result map[string]any
	Error  *struct {
		Code    int
		Message string
	}
}

// serve returns the first n answers of a server to lines; the lines end after them.
func serve(t *testing.T, lines string, n int) []answer {
	server, err := NewServer(options, functions(empty))
	require.NoError(t, err)
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(context.WithoutCancel(t.Context()), Streams(in, out))
		_ = out.Close()
	}()
	go func() { _, _ = io.WriteString(toServer, lines) }()
	var answers []answer
	read := bufio.NewReader(fromServer)
	for range n {
		line, err := read.ReadString('\n')
		require.NoError(t, err)
		var a answer
		require.NoError(t, json.Unmarshal([]byte(line), &a), line)
		answers = append(answers, a)
	}
	require.NoError(t, toServer.Close())
	rest, err := io.ReadAll(read)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.NoError(t, <-ended)
	return answers
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},` +
	`"clientInfo":{"name":"test","version":"1"}}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"

// A line that is no message is answered, and the server continues.
func TestLinesThatAreNoMessages(t *testing.T) {
	const ping = `{"jsonrpc":"2.0","id":"last","method":"ping"}`
	long := strings.Repeat("x", 60_000)
	callOf := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":7,"method":"` + method + `","params":` + params + `}`
	}
	for name, test := range map[string]struct {
		line string
		code int
		id   any
		want string
	}{
		"truncated":              {`{`, -32700, nil, "is not JSON"},
		"text":                   {`hello`, -32700, nil, "is not JSON"},
		"two messages":           {ping + ping, -32700, nil, "one message a line"},
		"deep":                   {strings.Repeat("[", 500_000), -32700, nil, "is not JSON"},
		"long":                   {`{"a":"` + strings.Repeat("x", 3*maxLine) + `"}`, -32700, nil, "more than 1048576 bytes"},
		"null":                   {`null`, -32600, nil, "not a message"},
		"number":                 {`1`, -32600, nil, "not a message"},
		"empty":                  {`{}`, -32600, nil, "not a message"},
		"no method":              {`{"jsonrpc":"2.0","id":99}`, -32600, 99.0, "neither a method nor a result or an error"},
		"empty batch":            {`[]`, -32600, nil, "batches are not supported"},
		"batch":                  {`[` + ping + `]`, -32600, nil, "batches are not supported"},
		"no version":             {`{"id":7,"method":"ping"}`, -32600, 7., "version tag"},
		"long version":           {`{"jsonrpc":"` + long + `","id":"a","method":"ping"}`, -32600, "a", "version tag"},
		"an ID that is none":     {`{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, -32600, nil, "not a message"},
		"a method that is none":  {`{"jsonrpc":"2.0","id":7,"method":5}`, -32600, 7., "not a message"},
		"a long method":          {`{"jsonrpc":"2.0","id":7,"method":"` + long + `"}`, -32601, 7., "x"},
		"a long tool":            {callOf("tools/call", `{"name":"`+long+`"}`), -32602, 7., "unknown tool"},
		"parameters of no call":  {callOf("tools/call", `["`+long+`"]`), 0, 7., ""},
		"a prompt":               {callOf("prompts/get", `{"name":"`+long+`"}`), -32602, 7., ""},
		"a notification with ID": {`{"jsonrpc":"2.0","id":7,"method":"notifications/initialized"}`, -32600, 7., ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []string{"\n", "\r\n\n"} {
				answers := serve(t, initialize+test.line+end+ping+"\n", 3)
				byID := map[any]answer{}
				for _, a := range answers {
					byID[fmt.Sprint(a.ID)] = a
				}
				require.NotNil(t, byID["last"].Result, "the server continues")
				got := byID[fmt.Sprint(test.id)]
				require.NotNil(t, got.Error)
				if test.code != 0 {
					require.Equal(t, test.code, got.Error.Code, got.Error.Message)
				}
				require.Contains(t, got.Error.Message, test.want)
				require.LessOrEqual(t, len([]rune(got.Error.Message)), maxError)
			}
		})
	}
}

// Nothing of this is answered, and nothing ends the server but the end of its input.
func TestLinesWithoutAnAnswer(t *testing.T) {
	for _, line := range []string{
		"", "\n", "   \n", "\r\n", `{"jsonrpc":"2.0","id":99,"result":{}}` + "\n",
		`{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"x"}}` + "\n",
		`{"jsonrpc":"2.0","method":"notifications/unknown"}` + "\n",
	} {
		answers := serve(t, initialize+line+`{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n", 2)
		require.ElementsMatch(t, []any{1., 2.}, []any{answers[0].ID, answers[1].ID}, "%q", line)
	}
}

// The last line is answered also where it has no end.
func TestLastLineWithoutEnd(t *testing.T) {
	for line, want := range map[string]string{
		`{`: "-32700", `null`: "-32600", strings.Repeat("x", maxLine+1): "-32700", "": "", "\n": "",
	} {
		server, err := NewServer(options, functions(empty))
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, server.Run(t.Context(), Streams(strings.NewReader(line), &out)))
		require.Equal(t, want != "", strings.Contains(out.String(), `"code":`+want), out.String())
	}
}
