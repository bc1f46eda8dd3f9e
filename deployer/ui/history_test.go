package ui

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// A restart is not taken for a deployment of code, in the list as in the single record, and JSON names the service.
func TestHistoryNamesRestarts(t *testing.T) {
	restart := history.Deployment{ID: "20261123-161530-1f3a", Kind: history.CodeOnly, Restarted: true, Outcome: history.Succeeded}
	one := restart
	one.RestartedOnly = "scheduler"
	one.Image.Tag = strings.Repeat("x", 40)
	one.Started = time.Date(2026, 11, 23, 16, 15, 30, 0, time.UTC)
	one.Ended = one.Started.Add(12*time.Minute + 34*time.Second)
	var out strings.Builder
	require.NoError(t, History(&out, []history.Deployment{restart, one}, "text"))
	require.Regexp(t, `1f3a +restart  `, out.String())
	require.Regexp(t, `1f3a +restart +x+… `, out.String())
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len([]rune(strings.TrimSpace(line))), 80, line)
	}
	out.Reset()
	require.NoError(t, Deployment(&out, one, "text"))
	require.Regexp(t, `kind +restart\n.*service +scheduler`, out.String())
	out.Reset()
	require.NoError(t, History(&out, []history.Deployment{one}, "json"))
	require.Contains(t, out.String(), `"restartedOnly": "scheduler"`)
}

// A tag is truncated between characters, not between their bytes.
func TestHistoryTruncatesTags(t *testing.T) {
	var out strings.Builder
	require.NoError(t, History(&out, []history.Deployment{{ID: "1", Image: history.Image{Tag: strings.Repeat("ä", 20)}}}, "text"))
	require.True(t, utf8.ValidString(out.String()), out.String())
	require.Contains(t, out.String(), strings.Repeat("ä", tagWidth-1)+"…")
}
