package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// FuzzStart checks that no content of a secret makes entrypoint crash or print a value, and that a started application
// has the variables that were set before. The text that must not be printed is inserted anywhere in the secret; it cannot
// be part of a name.
func FuzzStart(f *testing.F) {
	setAWS(f)
	for _, seed := range []string{
		`{"TOKEN":""}`, `{"TOKEN":{}}`, `{"A":1,"A":""}`, `{"DATABASE_URL":"postgresql://u:@h/d"}`, "", `[""]`, `{"API_URL":"https://"}`, `{"A":null,"":""}`,
		"{\n\"A\":\n\"changeme\"}",
	} {
		for _, at := range []uint{0, 2, 10, 30} {
			f.Add(seed, at)
		}
	}
	v := newFakeSecretsManager(f)
	f.Fuzz(func(t *testing.T, text string, at uint) {
		v.put("fuzzed", withHidden(text, at))
		startFuzzed(t, "database", func(r *http.Request) (*http.Response, error) {
			answer := httptest.NewRecorder()
			v.ServeHTTP(answer, r)
			return answer.Result(), nil
		})
	})
}

// FuzzAnswer checks the same for every response of the endpoint.
func FuzzAnswer(f *testing.F) {
	setAWS(f)
	const object = `{"SecretString":"{\"TOKEN\":\"\"}"}`
	for _, seed := range append(slices.Sorted(maps.Values(rawResponses)),
		fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(object)+len(hiddenWhole), object),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\nTrailer: x\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Type: application/x-amz-json-1.1\r\n\r\n{\"message\":\"\"}",
		"HTTP/1.1 400 No\r\nx-amzn-RequestId: r\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{\"__type\":\"AccessDeniedException\",\"message\":\"\"}",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
	) {
		for _, at := range []uint{0, 20, 60} {
			f.Add(seed, at)
		}
	}
	f.Fuzz(func(t *testing.T, answer string, at uint) {
		answer = withHidden(answer, at)
		startFuzzed(t, "", func(r *http.Request) (*http.Response, error) {
			return http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), r)
		})
	})
}

// setAWS configures the SDK so that it reads nothing outside the process.
func setAWS(f *testing.F) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://vault.invalid", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CA_BUNDLE": "", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		f.Setenv(name, value)
	}
}

// hiddenWhole contains hidden, and cannot be part of a variable's name.
const hiddenWhole = "§" + hidden + "§"

func withHidden(text string, at uint) string {
	place := int(at % uint(len(text)+1))
	return text[:place] + hiddenWhole + text[place:]
}

// inProcess answers requests without a network, whose goroutines would hide an input's coverage from the fuzzer.
type inProcess func(*http.Request) (*http.Response, error)

func (answer inProcess) RoundTrip(r *http.Request) (*http.Response, error) { return answer(r) }

// noRetryClock is a clock on which every wait runs out of time, so that there is no retry.
type noRetryClock struct{ clock.Clock }

func (noRetryClock) Wait(context.Context, time.Duration) error { return context.DeadlineExceeded }

// startFuzzed prepares an application with the responses, and searches the output.
func startFuzzed(t *testing.T, database string, answer inProcess) {
	var (
		mu     sync.Mutex
		output []string
	)
	s := launcher{
		options:     options{command: []string{"true"}, required: []string{"TOKEN"}, timeout: time.Minute},
		environment: []string{"CONFIG_SECRET_ID=fuzzed", "DATABASE_SECRET_ARN=" + database, "DATABASE_HOST=h", "DATABASE_PORT=1", "DATABASE_NAME=d", "SET=before"},
		clock:       noRetryClock{clock.Real()}, transport: answer,
		log: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			output = append(output, line)
		},
	}
	p, err := s.prepare(t.Context())
	if err != nil {
		output = append(output, errorLines(err)...)
		require.Nil(t, p)
	} else {
		require.Equal(t, "before", variables(p.environment)["SET"])
		require.NotEmpty(t, variables(p.environment)["TOKEN"])
	}
	for _, line := range output {
		require.NotContains(t, line, hidden)
		require.NotContains(t, line, "\n")
	}
	require.NotEmpty(t, strings.Join(output, ""))
	require.NotContains(t, output[0], "AWS configuration", "there was no call")
}
