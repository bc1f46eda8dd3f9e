package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestDescribeSchedule(t *testing.T) {
	s, err := environment.ParseSchedule("Mon-Fri 07:00-20:00 Europe/Berlin")
	require.NoError(t, err)
	for now, want := range map[string]string{
		"2026-11-30T12:00:00Z": "next it sleeps at Mon 2026-11-30 20:00 CET, then wakes at Tue 2026-12-01 07:00 CET",
		"2026-06-05T18:30:00Z": "next it wakes at Mon 2026-06-08 07:00 CEST, then sleeps at Mon 2026-06-08 20:00 CEST",
	} {
		at, err := time.Parse(time.RFC3339, now)
		require.NoError(t, err)
		require.Equal(t, "schedule.awake: awake 282 of 730 hours a month; "+want, describeSchedule(s, at))
	}
}
