package configuration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	values := map[string]string{
		"SET": "production", "EMPTY": "", "SPACE": " \n", "MARKED": "<sentry dsn>", "CHANGE": "please-CHANGE_ME",
		"SENTRY_DSN": "https://your-dev-sentry-dsn@sentry.io/project", "TODO": "todo", "EXAMPLE": "https://example.com/none-of-it",
		"API_URL": "example.com/x", "SPACED_URL": "https://exam ple.com", "GOOD_URL": "postgresql://u:p%40@h:5432/db", "PORT_URL": "https://h:hunter2/",
		"LINE": "token\n", "CURL": "x", "INVISIBLE": " \u200b\u2060", "HIDDEN": "abc123\u200b ", "HIDDEN_URL": "https://h/x\u200b",
		"QUOTED_URL": "\u201chttps://h/x",
	}
	const noScheme = "it does not begin with a scheme and a host, such as https://host"
	require.Equal(t, []Problem{
		{"GONE", Missing, ""}, {"EMPTY", Empty, ""}, {"SPACE", Empty, ""}, {"INVISIBLE", Empty, ""}, {"MARKED", Placeholder, ""}, {"CHANGE", Placeholder, ""},
		{"SENTRY_DSN", Placeholder, ""}, {"TODO", Placeholder, ""}, {"API_URL", Malformed, noScheme},
		{"SPACED_URL", Malformed, "its host contains a character that no host has"}, {"PORT_URL", Malformed, "its port is not a number from 0 to 65535"},
		{"QUOTED_URL", Malformed, "the typographic quote U+201C"}, {"HIDDEN", Hidden, "the invisible character U+200B"},
		{"HIDDEN_URL", Hidden, "the invisible character U+200B"}, {"LINE", Padded, ""},
	}, Judge(values, []string{
		"SET", "GONE", "EMPTY", "SPACE", "INVISIBLE", "MARKED", "CHANGE", "SENTRY_DSN", "TODO", "EXAMPLE", "API_URL", "SPACED_URL", "PORT_URL", "QUOTED_URL", "HIDDEN", "HIDDEN_URL", "GOOD_URL", "LINE", "CURL",
	}))
	require.Empty(t, Judge(values, nil))
}

func TestJudgeOneValue(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
	noKey, noProject := "it has no key before the host: https://KEY@HOST/PROJECT", "it has no project after the host: https://KEY@HOST/PROJECT"
	for variable, want := range map[[2]string]Problem{
		{"A_URL", "https://api.example.com/v1/users/{user_id}"}: {Kind: Suspected}, {"A", "$HUNTER2"}: {Kind: Suspected},
		{"A_URL", "postgresql://app:a***b@db/app"}: {Kind: Suspected}, {"A", "[x-y-pass]"}: {Kind: Suspected},
		{"SENTRY_DSN", "https://sentry.io"}: {Kind: Incomplete, Detail: noKey}, {"SENTRY_DSN", "https://sentry.io/1"}: {Kind: Incomplete, Detail: noKey},
		{"SENTRY_DSN", "https://0a1b@sentry.io"}: {Kind: Incomplete, Detail: noProject}, {"SENTRY_DSN", "https://0a1b@sentry.io/?a=b"}: {Kind: Incomplete, Detail: noProject},
		{"SENTRY_DSN", "https://0a1b@sentry.io/1"}: {}, {"SENTRY_DSN", "https://0a1b@sentry.example.com/path/1"}: {}, {"DSN", "postgresql://u:p@h"}: {},
		{"SENTRY_URL", "https://sentry.io"}: {},
		{"A", pem}:                          {}, {"A", pem + "\n"}: {}, {"A", pem + "\r\n"}: {}, {"A", pem + "\n\n"}: {Kind: Padded}, {"A", " " + pem}: {Kind: Padded},
	} {
		got := append(Judge(map[string]string{variable[0]: variable[1]}, []string{variable[0]}), Problem{})[0]
		got.Key = ""
		require.Equal(t, want, got, variable)
	}
}

func TestKinds(t *testing.T) {
	for kind, want := range map[Kind]struct {
		text  string
		stops bool
	}{
		Missing: {"is missing", true}, Empty: {"is empty", true}, Malformed: {"is not a URL", true}, Placeholder: {"is a placeholder", true},
		Suspected: {"may be a placeholder", false}, Incomplete: {"is incomplete", false},
		Padded: {"is padded with space", false}, Hidden: {"has characters that are easily overlooked", false}, Converted: {"is converted by ECS", false},
	} {
		require.Equal(t, want.text, kind.Predicate())
		require.Equal(t, want.stops, kind.IsFatal(), kind)
	}
	require.Equal(t, "is missing", Problem{"A", Missing, ""}.Message())
	require.Equal(t, "is not a URL: it has no host", Problem{"A", Malformed, "it has no host"}.Message())
}

func TestDatabaseHost(t *testing.T) {
	for url, want := range map[string]string{
		"postgresql://u:p@V3-backend-staging-db.abc.us-east-1.rds.amazonaws.com:5432/balancer": "v3-backend-staging-db.abc.us-east-1.rds.amazonaws.com",
		" postgresql://localhost/balancer\n":                                                   "localhost", "postgresql://u:p@ho st/balancer": "", "": "",
		"postgresql://u:a^b{c}|d@DB.example.com:5432/b": "db.example.com", "postgresql://u:p@[::1]:5432/b": "::1",
		"postgresql://u:p@a.example.com:5432,b.example.com/b": "a.example.com", "postgresql://u:hunter#2@h/b": "", "hunter2": "",
	} {
		require.Equal(t, want, DatabaseHost(url), url)
	}
}
