package environment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSleepMarker(t *testing.T) {
	since := time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC)
	for by, want := range map[string]struct {
		text   string
		waking bool
	}{
		"":                                     {"2026-11-30 19:00 UTC", false},
		"jane@laptop":                          {"2026-11-30 19:00 UTC, by jane@laptop", false},
		`a "b"`:                                {`2026-11-30 19:00 UTC, by a "b"`, false},
		"v3-backend-staging-schedule":          {"2026-11-30 19:00 UTC, by v3-backend-staging-schedule", false},
		"v3-backend-staging-schedule" + Waking: {"2026-11-30 19:00 UTC, by v3-backend-staging-schedule (waking)", true},
	} {
		var read SleepMarker
		require.NoError(t, json.Unmarshal([]byte(SleepMarkerJSON(since.Format(time.RFC3339Nano), by)), &read))
		require.Equal(t, SleepMarker{since, by}, read)
		require.Equal(t, want.text, read.String())
		require.Equal(t, want.waking, read.Waking(), by)
	}
}
