package checks

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestEvaluateAsleep(t *testing.T) {
	env := loaded(t, "dev")
	marker := environment.SleepMarker{Since: time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC), By: "jane"}
	waking := environment.SleepMarker{Since: marker.Since, By: "jane" + environment.Waking}
	services := func(desired, running int32) []ecstypes.Service {
		return []ecstypes.Service{{DesiredCount: 0}, {DesiredCount: desired, RunningCount: running}}
	}
	for name, test := range map[string]struct {
		marker   environment.SleepMarker
		services []ecstypes.Service
		database string
		want     verdict
		command  string
	}{
		"asleep": {marker, services(0, 0), "stopped",
			verdict{Healthy, "Asleep", "development is asleep since 2026-11-30 19:00 UTC"}, ""},
		"the database is stopping": {marker, services(0, 0), "stopping",
			verdict{Healthy, "Asleep", "no task runs, the database is stopping, and"}, ""},
		"no database": {marker, services(0, 0), "", verdict{Healthy, "Asleep", "no task runs, and its alarms"}, ""},
		"started by RDS": {marker, services(0, 0), "available",
			verdict{Warning, "RunsAsleep", "this is not stopped: the database, which is available"}, "sleep"},
		"being started": {marker, services(0, 0), "starting",
			verdict{Warning, "RunsAsleep", "the database, which is starting"}, "sleep"},
		"draining": {marker, services(0, 1), "stopped",
			verdict{Warning, "RunsAsleep", "this is not stopped: 1 task"}, "sleep"},
		"everything runs": {marker, services(2, 2), "available",
			verdict{Warning, "RunsAsleep", "these are not stopped: 2 tasks, the database, which is available"}, "sleep"},
		"a wake has begun": {waking, services(0, 0), "stopped",
			verdict{Warning, "Waking", "development is asleep since 2026-11-30 19:00 UTC, and a wake has not ended; started so far: nothing"}, "wake"},
		"a wake starts the database": {waking, services(0, 0), "starting",
			verdict{Warning, "Waking", "started so far: the database, which is starting"}, "wake"},
		"a wake starts tasks": {waking, services(2, 1), "available",
			verdict{Warning, "Waking", "started so far: 2 tasks, the database, which is available"}, "wake"},
		"a wake without a database": {waking, services(2, 0), "", verdict{Warning, "Waking", "started so far: 2 tasks"}, "wake"},
	} {
		t.Run(name, func(t *testing.T) {
			var database *rdstypes.DBInstance
			if test.database != "" {
				database = &rdstypes.DBInstance{DBInstanceStatus: aws.String(test.database)}
			}
			found := evaluateAsleep(test.marker, test.services, database, env)
			requireVerdict(t, test.want, found)
			require.Equal(t, test.marker.By, found.Details["by"])
			require.Equal(t, found.Status == Healthy, Report{Services: []Finding{found}}.Asleep())
			if test.command != "" {
				other := map[string]string{"sleep": "wake", "wake": "sleep"}[test.command]
				require.Equal(t, "deployer "+test.command+" --env dev", found.Hint.Command)
				require.Contains(t, found.Hint.Solution, "`deployer "+other+" --env dev`")
			}
			protected := evaluateAsleep(test.marker, test.services, database, loaded(t, "production"))
			require.Equal(t, "deployer wake --env production", protected.Hint.Command)
			require.NotContains(t, protected.Hint.Solution, "deployer sleep", "which is refused there")
		})
	}
}

// TestCausedBySleep distinguishes the findings that sleep replaces from the problems that stay.
func TestCausedBySleep(t *testing.T) {
	for _, test := range []struct {
		component, reason string
		details           map[string]any
		want              bool
	}{
		{"ecs_service", "NoTasksDesired", nil, true},
		{"ecs_service", "ServiceMissing", nil, false},
		{"target_groups", "NoTargets", nil, true},
		{"target_groups", "TargetGroupMissing", nil, false},
		{"endpoint", "HTTPStatus", nil, true},
		{"endpoint", "CertificateExpired", nil, false},
		{"readiness", "DNSNotFound", nil, false},
		{"certificate", "CertificateExpired", nil, false},
		{"security_groups", "OpenToTheWorld", nil, false},
		{"alarms", "InAlarm", nil, false},
		{"roles", reasonAccessDenied, nil, false},
		{"database", reasonAccessDenied, nil, false},
		{"database", "DatabaseUnavailable", map[string]any{"status": "stopped"}, true},
		{"database", "DatabaseUnavailable", map[string]any{"status": "starting"}, true},
		{"database", "DatabaseUnavailable", map[string]any{"status": "storage-full"}, false},
		{"database", "PubliclyAccessible", map[string]any{"status": "stopped"}, false},
	} {
		require.Equal(t, test.want, causedBySleep(Finding{Component: test.component, Reason: test.reason, Details: test.details}), test)
	}
}

// TestEvaluateMuted warns where everything runs and only the alarms are still muted.
func TestEvaluateMuted(t *testing.T) {
	env := loaded(t, "dev")
	marker := &environment.SleepMarker{Since: time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC), By: "jane"}
	one := func(desired, running int32) []ecstypes.Service {
		return []ecstypes.Service{{DesiredCount: 1, RunningCount: 1}, {DesiredCount: desired, RunningCount: running}}
	}
	for name, test := range map[string]struct {
		marker        *environment.SleepMarker
		services      []ecstypes.Service
		database      string
		asleep, muted bool
	}{
		"awake":                {nil, one(1, 1), "available", false, false},
		"everything runs":      {marker, one(1, 1), "available", false, true},
		"being changed by RDS": {marker, one(1, 1), "modifying", false, true},
		"without a database":   {marker, one(1, 1), "", false, true},
		"a task is starting":   {marker, one(1, 0), "available", true, false},
		"a service is stopped": {marker, one(0, 0), "available", true, false},
		"a database starts":    {marker, one(1, 1), "starting", true, false},
		"no service":           {marker, nil, "available", true, false},
	} {
		state := sleepState{marker: test.marker, services: test.services}
		if test.database != "" {
			state.database = &rdstypes.DBInstance{DBInstanceStatus: aws.String(test.database)}
		}
		require.Equal(t, test.asleep, state.isAsleep(), name)
		found := state.evaluateMuted(env)
		require.Equal(t, test.muted, found != nil, name)
		if found != nil {
			requireVerdict(t, verdict{Warning, "AlarmsMuted", "development runs, but it is marked as asleep since 2026-11-30 19:00 UTC"}, *found)
			require.Equal(t, "deployer wake --env dev", found.Hint.Command)
			require.Contains(t, found.Hint.Solution, "`deployer sleep --env dev`")
		}
	}
}

// TestSleepMutesAlarms reports the alarms that sleep does not mute, and those that are missing.
func TestSleepMutesAlarms(t *testing.T) {
	env := loaded(t, "dev")
	for _, test := range map[string]struct {
		what  string
		state cwtypes.StateValue
		want  verdict
	}{
		"of what is stopped": {"alb-5xx", cwtypes.StateValueAlarm, verdict{Healthy, "Quiet", "waiting for data: alb-5xx"}},
		"without data":       {"db-cpu", cwtypes.StateValueInsufficientData, verdict{Healthy, "Quiet", "none in alarm"}},
		"failed schedule":    {"schedule-failed", cwtypes.StateValueAlarm, verdict{Warning, "ScheduleFailed", "schedule-failed"}},
		"late schedule":      {"schedule-late", cwtypes.StateValueAlarm, verdict{Warning, "ScheduleFailed", "schedule-late"}},
	} {
		alarms := foundAlarms{metric: alarmsOf(env), asleep: true, marked: true}
		for i := range alarms.metric {
			if a := &alarms.metric[i]; *a.AlarmName == env.AlarmName(test.what) {
				a.StateValue, a.StateUpdatedTimestamp = test.state, aws.Time(now.Add(-24*time.Hour))
			}
		}
		alarms.add(env.Region, env, []cwtypes.MetricAlarm{{AlarmName: aws.String(env.SuppressorAlarmName()), StateValue: cwtypes.StateValueAlarm}})
		alarms.composite = []regionalComposite{{env.Region, cwtypes.CompositeAlarm{
			AlarmName: aws.String(env.CompositeAlarmName()), AlarmActions: []string{env.TopicARN(env.Region)}, ActionsEnabled: aws.Bool(true),
		}}}
		requireVerdict(t, test.want, evaluateAlarms(alarms, env, now))
	}
}
