package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A time that is long ago is one, whatever its form: all times before the epoch are the epoch.
func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90s":                   "2026-11-30T11:58:30Z",
		"0d":                    "2026-11-30T12:00:00Z",
		"30d":                   "2026-10-31T12:00:00Z",
		"9999d":                 "1999-07-16T12:00:00Z",
		"2026-11-01":            "2026-11-01T00:00:00Z",
		"2026-11-01T10:00":      "2026-11-01T10:00:00Z",
		"99999d":                "1970-01-01T00:00:00Z",
		"99999999999999999999d": "1970-01-01T00:00:00Z",
		"99999999999h":          "1970-01-01T00:00:00Z",
		"0001-01-01":            "1970-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z":  "1970-01-01T00:00:00Z",
	} {
		at, err := parseTime("--since", text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, at.Format(time.RFC3339), text)
	}
	for _, text := range []string{"", "soon", "-1d", "d", "1w", "2026-13-01"} {
		_, err := parseTime("--since", text, now)
		require.ErrorContains(t, err, "is not a time", text)
	}
}
