package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// FuzzStart says that whatever a secret holds, entrypoint neither crashes nor says a value, and that an application
// that is started has the variables that were set before. The text that must not be said is put into the secret at
// any place; it cannot be part of a name.
func FuzzStart(f *testing.F) {
	const value = "§hunter2§"
	for _, seed := range []string{
		`{"TOKEN":""}`, `{"TOKEN":{}}`, `{"A":1,"A":""}`, `{"DATABASE_URL":"postgresql://u:@h/d"}`, "", `[""]`, `{"API_URL":"https://"}`, `{"A":null,"":""}`,
		"{\n\"A\":\n\"changeme\"}",
	} {
		for _, at := range []uint{0, 2, 10, 30} {
			f.Add(seed, at)
		}
	}
	v := newFakeVault(f)
	f.Setenv("AWS_ENDPOINT_URL", v.URL)
	f.Setenv("AWS_REGION", "us-east-1")
	f.Setenv("AWS_ACCESS_KEY_ID", "test")
	f.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	f.Fuzz(func(t *testing.T, text string, at uint) {
		place := int(at % uint(len(text)+1))
		v.put("fuzzed", text[:place]+value+text[place:])
		var said []string
		s := starter{
			options:     options{command: []string{"true"}, required: []string{"TOKEN"}, timeout: time.Minute},
			environment: []string{"CONFIG_SECRET_ID=fuzzed", "DATABASE_SECRET_ARN=database", "DATABASE_HOST=h", "DATABASE_PORT=1", "DATABASE_NAME=d", "SET=before"},
			say:         func(line string) { said = append(said, line) }, clock: clock.Real(),
		}
		p, err := s.prepare(t.Context())
		if err != nil {
			said = append(said, linesOf(err)...)
			require.Nil(t, p)
		} else {
			require.Equal(t, "before", variables(p.environment)["SET"])
			require.NotEmpty(t, variables(p.environment)["TOKEN"])
		}
		for _, line := range said {
			require.NotContains(t, line, "hunter2")
			require.NotContains(t, line, "\n")
		}
		require.NotEmpty(t, strings.Join(said, ""))
	})
}
