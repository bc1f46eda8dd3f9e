package environment

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAlarmRegions checks that each alarm is in exactly one region, and only those of Route 53 in another one than the environment's.
func TestAlarmRegions(t *testing.T) {
	for _, test := range []struct {
		stack, region string
		want          []string
	}{
		{"dev", "us-east-1", []string{"us-east-1"}},
		{"dev", "eu-central-1", []string{"eu-central-1"}},
		{"production", "us-east-1", []string{"us-east-1"}},
		{"production", "eu-central-1", []string{"eu-central-1", "us-east-1"}},
	} {
		e, err := Load(root, test.stack)
		require.NoError(t, err)
		e.Region = test.region
		require.Equal(t, test.want, e.AlarmRegions())
		var all []string
		for _, region := range e.AlarmRegions() {
			all = append(all, e.AlarmsIn(region)...)
		}
		require.ElementsMatch(t, e.Alarms(), all)
		require.Equal(t, test.stack == "production", slices.Contains(e.AlarmsIn(GlobalMetricsRegion), UptimeAlarm))
	}
}
