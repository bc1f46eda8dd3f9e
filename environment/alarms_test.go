package environment

import (
	"slices"
	"testing"
	"time"

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

// TestRolloutAlarms checks which alarms end the rollout of which service, and for how long ECS watches them.
func TestRolloutAlarms(t *testing.T) {
	e := loaded(t, "staging")
	require.Subset(t, e.Alarms(), e.RolloutAlarms())
	for role, want := range map[Role][]string{
		API:       {"alb-5xx", "api-latency", "api-memory", "db-cpu", "jobs-dead"},
		Worker:    {"worker-memory", "db-cpu", "jobs-dead"},
		Scheduler: {"db-cpu", "jobs-dead"},
	} {
		e.Deployment.Rollout.Alarms = []string{"alb-5xx", "api-latency", "api-memory", "worker-memory", "db-cpu", "jobs-dead"}
		require.Equal(t, want, e.RolloutAlarmsOf(role), role)
	}
	for _, test := range []struct {
		alarms []string
		limit  time.Duration
		watch  time.Duration
		want   string
	}{
		{nil, time.Second, 0, ""},
		{[]string{"api-5xx"}, 15 * time.Minute, 5 * time.Minute, ""},
		{[]string{"jobs-dead", "api-latency"}, 20 * time.Minute, 10 * time.Minute, ""},
		{[]string{"api-5xx", "api-latency"}, 15 * time.Minute, 10 * time.Minute,
			"of 15m, ECS watches deployment.rollout.alarms for about 10m after the last task is healthy, which leaves 5m to start the tasks; " +
				"give at least 20m, or leave out the alarms that CloudWatch evaluates longest"},
		{[]string{"db-cpu"}, 5 * time.Minute, 15 * time.Minute,
			"of 5m, ECS watches deployment.rollout.alarms for about 15m after the last task is healthy, which leaves 0s to start the tasks; " +
				"give at least 25m, or leave out the alarms that CloudWatch evaluates longest"},
	} {
		e.Deployment.Rollout = RolloutLimits{Timeout: test.limit, Alarms: test.alarms}
		require.Equal(t, test.watch, e.AlarmWatch(), test.alarms)
		found := e.rolloutWarning()
		if test.want == "" {
			require.Nil(t, found, test.alarms)
			continue
		}
		require.Equal(t, "deployment.rollout.timeout", found.Path)
		require.Equal(t, test.want, found.Message+"; "+found.Remedy)
	}
}
