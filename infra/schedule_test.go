package infra

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// scheduleFile is the definition that the simulated account runs in its own tests, with these ARNs.
const (
	scheduleFile    = "testdata/schedule.json"
	scheduleTargets = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/v3-backend-staging-api-tg/1"
)

func scheduled(t *testing.T) (*environment.Environment, object) {
	t.Helper()
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	return env, scheduleMachine(env, rotationCluster, scheduleTargets)
}

func TestScheduleMachineIsTheTestedOne(t *testing.T) {
	tested, err := os.ReadFile(scheduleFile)
	require.NoError(t, err)
	_, machine := scheduled(t)
	definition, err := json.MarshalIndent(machine, "", "  ")
	require.NoError(t, err)
	require.Equal(t, string(tested), string(definition)+"\n", "the definition changed: copy it to "+scheduleFile)
}

// TestScheduleRoleAllowsOnlyWhatTheMachineCalls compares the operations in the definition with the policy of its role, both ways.
func TestScheduleRoleAllowsOnlyWhatTheMachineCalls(t *testing.T) {
	env, machine := scheduled(t)
	policy := policy{Statement: scheduleStatements(env)}
	in := func(service, resource string) string {
		return "arn:aws:" + service + ":us-east-1:123456789012:" + resource
	}
	const tag = "aws:ResourceTag/Environment"
	// Requests of the machine, and what it must not do, by action.
	type access struct{ resource, key, value string }
	allowed := map[string]access{
		"s3:ListBucket":                                  {"arn:aws:s3:::v3-backend-pulumi-state-123456789012", "s3:prefix", "locks/staging.json"},
		"ssm:GetParameters":                              {in("ssm", "parameter/v3-backend/staging/asleep"), "", ""},
		"ssm:PutParameter":                               {in("ssm", "parameter/v3-backend/staging/asleep"), "", ""},
		"ssm:DeleteParameters":                           {in("ssm", "parameter/v3-backend/staging/asleep"), "", ""},
		"cloudwatch:SetAlarmState":                       {in("cloudwatch", "alarm:v3-backend-staging-asleep"), "", ""},
		"ecs:DescribeServices":                           {in("ecs", "service/v3-backend-staging-cluster/v3-backend-staging-api-service"), "", ""},
		"ecs:UpdateService":                              {in("ecs", "service/v3-backend-staging-cluster/v3-backend-staging-scheduler-service"), "", ""},
		"rds:DescribeDBInstances":                        {in("rds", "db:v3-backend-staging-db"), "", ""},
		"rds:StartDBInstance":                            {in("rds", "db:v3-backend-staging-db"), "", ""},
		"rds:StopDBInstance":                             {in("rds", "db:v3-backend-staging-db"), "", ""},
		"application-autoscaling:RegisterScalableTarget": {in("application-autoscaling", "scalable-target/0ec5"), tag, "staging"},
		"elasticloadbalancing:DescribeTargetHealth":      {"*", "", ""},
	}
	called := map[string]bool{}
	services := map[string]string{"applicationautoscaling": "application-autoscaling", "elasticloadbalancingv2": "elasticloadbalancing"}
	for _, state := range machine["States"].(object) {
		operation, isCall := strings.CutPrefix(text(state.(object)["Resource"]), "arn:aws:states:::aws-sdk:")
		if !isCall {
			continue
		}
		service, action, _ := strings.Cut(operation, ":")
		if name, other := services[service]; other {
			service = name
		}
		called[strings.Replace(service+":"+strings.ToUpper(action[:1])+action[1:], "s3:ListObjectsV2", "s3:ListBucket", 1)] = true
	}
	for action, a := range allowed {
		require.True(t, called[action], "the machine does not call %s", action)
		request := of(action, a.resource)
		if a.key != "" {
			require.False(t, policy.allows(t, request.with(a.key, "production")), "%s of another environment", action)
			request = request.with(a.key, a.value)
		}
		require.True(t, policy.allows(t, request), action)
		if other := strings.ReplaceAll(a.resource, "staging", "production"); other != a.resource {
			require.False(t, policy.allows(t, of(action, other)), "%s on %s", action, other)
		}
	}
	require.Len(t, called, len(allowed))
	for action, resource := range map[string]string{
		"rds:DeleteDBInstance": in("rds", "db:v3-backend-staging-db"), "s3:GetObject": "arn:aws:s3:::v3-backend-pulumi-state-123456789012/locks/staging.json",
		"ecs:DeleteService": in("ecs", "service/v3-backend-staging-cluster/v3-backend-staging-api-service"),
	} {
		require.False(t, policy.allows(t, of(action, resource)), action)
	}
}

// TestSchedule checks the schedules, the rule and the alarms of an environment with schedule.awake, and that another has none of them.
func TestSchedule(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	env.Schedule.Awake = "Mon-Thu,Sat 06:30-19:15 America/New_York"
	all := record(t, env.Stack, Deploy(env, Release{Image: testImage, RecordedImage: testImage}))
	for action, expression := range map[string]string{"wake": "cron(30 6 ? * MON,TUE,WED,THU,SAT *)", "sleep": "cron(15 19 ? * MON,TUE,WED,THU,SAT *)"} {
		s := find(t, all, "aws:scheduler/schedule:Schedule", "schedule-"+action)
		require.Equal(t, "v3-backend-staging-"+action, s.get("name"))
		require.Equal(t, expression, s.get("scheduleExpression"))
		require.Equal(t, "America/New_York", s.get("scheduleExpressionTimezone"))
		require.Equal(t, "OFF", s.get("flexibleTimeWindow", "mode"))
		require.JSONEq(t, `{"action":"`+action+`"}`, text(s.get("target", "input")))
	}
	rule := find(t, all, "aws:cloudwatch/eventRule:EventRule", "schedule")
	require.JSONEq(t, `{"source":["aws.rds"],"detail-type":["RDS DB Instance Event"],
		"detail":{"EventID":["RDS-EVENT-0154"],"SourceIdentifier":["v3-backend-staging-db"]}}`, text(rule.get("eventPattern")))
	require.JSONEq(t, `{"action":"stop-again"}`, text(find(t, all, "aws:cloudwatch/eventTarget:EventTarget", "schedule").get("input")))
	start := parsed(t, find(t, all, "aws:iam/role:Role", "schedule-start").get("assumeRolePolicy"))
	require.Equal(t, condition{
		"StringEquals": {"aws:SourceAccount": {"123456789012"}},
		"ArnLike":      {"aws:SourceArn": {"arn:aws:scheduler:us-east-1:123456789012:schedule-group/default"}},
	}, start.Statement[0].Condition)
	rings := text(find(t, all, compositeType, "monitoring-alarms").get("alarmRule"))
	for _, what := range []string{"failed", "late"} {
		alarm := find(t, all, alarmType, "monitoring-schedule-"+what)
		require.Equal(t, env.ScheduleMachineARN(), alarm.get("dimensions", "StateMachineArn"))
		require.Equal(t, []any{1.0, 360.0}, []any{alarm.get("datapointsToAlarm"), alarm.get("evaluationPeriods")}, "it does not end at once")
		require.NotEmpty(t, alarm.get("alarmActions"), "it notifies people while the others are muted")
		require.NotContains(t, rings, "schedule-"+what, "and not twice while the environment is awake")
	}

	_, all = deployed(t, "production")
	for _, r := range all {
		require.NotContains(t, r.urn, "schedule-", "a protected environment never sleeps")
		require.NotContains(t, r.urn, "Schedule")
	}
}
