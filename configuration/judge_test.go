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
		"LINE": "token\n", "CURL": "x",
	}
	require.Equal(t, []Problem{
		{"GONE", Missing}, {"EMPTY", Empty}, {"SPACE", Empty}, {"MARKED", Placeholder}, {"CHANGE", Placeholder}, {"SENTRY_DSN", Placeholder},
		{"TODO", Placeholder}, {"API_URL", Malformed}, {"SPACED_URL", Malformed}, {"PORT_URL", Malformed}, {"LINE", Padded},
	}, Judge(values, []string{
		"SET", "GONE", "EMPTY", "SPACE", "MARKED", "CHANGE", "SENTRY_DSN", "TODO", "EXAMPLE", "API_URL", "SPACED_URL", "PORT_URL", "GOOD_URL", "LINE", "CURL",
	}))
	require.Empty(t, Judge(values, nil))
}

func TestKinds(t *testing.T) {
	for kind, want := range map[Kind]struct {
		text  string
		stops bool
	}{
		Missing: {"missing", true}, Empty: {"empty", true}, Malformed: {"not a URL", true},
		Placeholder: {"a placeholder", true}, Padded: {"padded with space", false},
	} {
		require.Equal(t, want.text, kind.String())
		require.Equal(t, want.stops, kind.IsFatal(), kind)
	}
}

func TestIsPlaceholder(t *testing.T) {
	for value, want := range map[string]bool{
		"xxx": true, "...": true, "null": true, "<…>": true, "REPLACE_ME": true, "replace-with-dsn": true, "your-api-key": true, "YOUR_TOKEN": true,
		"changeme": true, "TODO": true, "fixme": true,
		"x": false, "production": false, "https://abc@o1.ingest.sentry.io/1": false, "nullable": false, "s3cr3t<x>": false, "": false,
		"https://api.studio.thegraph.com/query/24/balancer-v2/version/latest": false, "postgres://u:p@your-db-host/x": true,
		"https://your-domain.example.com": true, "your-db-host": true, "https://<host>/x": true, "postgresql://u:p@db/<name>?a=b": true,
		"https://key@sentry.io/your-project": true, "put-your-api-key-here": true, "YOUR API KEY": true, "https://put-your-key-here@sentry.io/1": true, "a@yourdomain.com": true,
		"https://app.example.com/reset-your-password": false, "Reset your password now": false, "https://a.example.com/?next=/manage-your-project": false,
		"https://yourdomain.com": true, "https://example.com/your-account": false, "https://example.com/your-project-plans": false,
		"PLEASE_CHANGE_ME": true, "changeme123": true, "https://change-me.example.com/x": true, "https://u:replace_with_password@h": true,
		"https://exchange-metrics.example.com/v1": false, "https://exchange-me.example.com": false, "https://change-metrics.example.com": false,
		"replacement": false, "none": false, "https://example.com/grow-your-business": false, "https://a.example.com/?if=a<b&c>d": false, "flavour-key": false,
	} {
		require.Equal(t, want, IsPlaceholder(value), value)
	}
}

func TestDatabaseHost(t *testing.T) {
	for url, want := range map[string]string{
		"postgresql://u:p@V3-backend-staging-db.abc.us-east-1.rds.amazonaws.com:5432/balancer": "v3-backend-staging-db.abc.us-east-1.rds.amazonaws.com",
		" postgresql://localhost/balancer\n":                                                   "localhost", "postgresql://u:p@ho st/balancer": "", "": "",
	} {
		require.Equal(t, want, DatabaseHost(url), url)
	}
}
