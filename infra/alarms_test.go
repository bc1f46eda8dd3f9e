package infra

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// TestConnectionsAlarmCanRing checks that the alarm is below what an instance class really allows: 81 to 87 for the smallest.
func TestConnectionsAlarmCanRing(t *testing.T) {
	env, err := environment.Load("..", "dev")
	require.NoError(t, err)
	for class, threshold := range map[string]float64{"db.t3.micro": 67.2, "db.t3.small": 134.4, "db.t3.medium": 269.6, "db.r6g.16xlarge": 4000} {
		env.Database.InstanceClass = class
		all := databaseAlarms(env)
		require.Equal(t, "db-connections", all[len(all)-1].name)
		require.InDelta(t, threshold, all[len(all)-1].threshold, 0.01, class)
	}
}

func TestAlarmsHaveNamesAndThresholds(t *testing.T) {
	env, err := environment.Load("..", "production")
	require.NoError(t, err)
	seen := map[string]alarm{}
	for _, a := range alarms(env, pulumi.String("app/alb/1"), pulumi.String("targetgroup/api/2")) {
		require.NotContains(t, seen, a.name)
		require.NotEmpty(t, a.description)
		require.Positive(t, a.minutes, a.name)
		require.NotEmpty(t, a.dimensions, a.name)
		seen[a.name] = a
	}
	require.Equal(t, 2.0, seen["api-tasks"].threshold)
	require.Equal(t, breaching, seen["api-tasks"].missing, "no sample is no task")
	require.Equal(t, 900.0, seen["jobs-age"].threshold, "three tries of five minutes")
	require.Equal(t, 10.0*gigabyte, seen["db-storage"].threshold)
}

// TestAlarmsOfRollouts checks for how long CloudWatch evaluates the alarms that may end a rollout, which limits the rollout's time, and which
// of them each service has. A service without any has them switched off, since the provider ignores a block that is missing.
func TestAlarmsOfRollouts(t *testing.T) {
	env, err := environment.Load("..", "production")
	require.NoError(t, err)
	minutes := map[string]int{}
	for _, a := range alarms(env, pulumi.String("app/alb/1"), pulumi.String("targetgroup/api/2")) {
		minutes[a.name] = a.minutes
	}
	for _, what := range env.RolloutAlarms() {
		require.Equal(t, minutes[what], environment.AlarmMinutes(what), what)
	}
	env.Deployment.Rollout.Alarms = []string{"api-5xx", "api-latency"}
	for role, want := range map[environment.Role]struct {
		names   []string
		watches bool
	}{
		environment.API:    {[]string{"v3-backend-production-api-5xx", "v3-backend-production-api-latency"}, true},
		environment.Worker: {[]string{"v3-backend-production-worker-memory"}, false},
	} {
		args := deploymentAlarms(env, role)
		require.Equal(t, pulumi.ToStringArray(want.names), args.AlarmNames, role)
		require.Equal(t, pulumi.Bool(want.watches), args.Enable, role)
		require.Equal(t, pulumi.Bool(want.watches), args.Rollback, role)
	}
	_, all := deployed(t, "dev")
	for _, s := range ofType(all, ServiceType) {
		require.Equal(t, map[string]any{"alarmNames": []any{"v3-backend-development-" + s.name + "-memory"}, "enable": false, "rollback": false}, s.get("alarms"))
	}
}

func TestAlarmsNotifyTheTopic(t *testing.T) {
	_, all := deployed(t, "dev")
	require.Nil(t, find(t, all, alarmType, "monitoring-db-cpu").get("alarmActions"), "basic alarms only show")

	_, all = deployed(t, "production")
	for _, a := range ofType(all, alarmType) {
		require.Equal(t, []any{"arn:aws:aws:sns/topicPolicy:TopicPolicy:notifications"}, a.get("alarmActions"), a.name)
		require.Equal(t, a.get("alarmActions"), a.get("okActions"), a.name)
	}
	require.Empty(t, ofType(all, compositeType), "a protected environment never sleeps")

	_, all = deployed(t, "staging")
	latency := find(t, all, alarmType, "monitoring-api-latency")
	require.Equal(t, "p95", latency.get("extendedStatistic"))
	require.Nil(t, latency.get("statistic"))
	require.Equal(t, "v3-backend-staging-api-latency", latency.get("name"))
}

// TestAlarmsAreMutedThroughTheComposite checks that alarms of an environment that may sleep notify people through one composite alarm only, which
// the alarm asleep suppresses, in each region that has some.
func TestAlarmsAreMutedThroughTheComposite(t *testing.T) {
	env, err := environment.Load("..", "production")
	require.NoError(t, err)
	env.Protected, env.Region = false, "eu-central-1"
	all := record(t, env.Stack, Deploy(env, Release{Image: testImage}))
	for _, a := range ofType(all, alarmType) {
		require.Nil(t, a.get("alarmActions"), a.name)
		require.Nil(t, a.get("okActions"), a.name)
	}
	for _, test := range []struct{ suffix, region string }{{"", "eu-central-1"}, {"-us-east-1", "us-east-1"}} {
		composite := find(t, all, compositeType, "monitoring-alarms"+test.suffix)
		require.Equal(t, "v3-backend-production-alarms", composite.get("alarmName"))
		require.Equal(t, []any{"arn:aws:aws:sns/topicPolicy:TopicPolicy:notifications" + test.suffix}, composite.get("alarmActions"))
		require.Equal(t, composite.get("alarmActions"), composite.get("okActions"))
		require.Equal(t, "v3-backend-production-asleep", composite.get("actionsSuppressor", "alarm"))
		var rule []string
		for _, what := range env.AlarmsIn(test.region) {
			rule = append(rule, `ALARM("v3-backend-production-`+what+`")`)
		}
		require.Equal(t, strings.Join(rule, " OR "), composite.get("alarmRule"))
		suppressor := find(t, all, alarmType, "monitoring-asleep"+test.suffix)
		require.Equal(t, "ignore", suppressor.get("treatMissingData"), "its state is the one that was set last")
		require.Equal(t, environment.SuppressorNamespace, suppressor.get("namespace"), "no role writes its metric")
	}
	require.Len(t, ofType(all, compositeType), 2)
}

const compositeType = "aws:cloudwatch/compositeAlarm:CompositeAlarm"

// TestDeclaredAlarms compares the alarms that the program declares with those that status expects, by region.
func TestDeclaredAlarms(t *testing.T) {
	for _, stack := range []string{"dev", "staging", "production"} {
		for i, region := range []string{"us-east-1", "eu-central-1"} {
			env, err := environment.Load("..", stack)
			require.NoError(t, err)
			env.Region, env.Firewall.Enabled = region, i == 0
			declared := map[string][]string{}
			for _, a := range ofType(record(t, env.Stack, Deploy(env, Release{Image: testImage})), alarmType) {
				home := region
				if strings.Contains(a.provider, "::aws-us-east-1::") {
					home = "us-east-1"
				}
				what, found := strings.CutPrefix(a.get("name").(string), env.AlarmName(""))
				require.True(t, found, a.get("name"))
				declared[home] = append(declared[home], what)
			}
			if env.MaySleep() {
				for home, names := range declared {
					require.Contains(t, names, "asleep")
					declared[home] = slices.DeleteFunc(names, func(what string) bool { return what == "asleep" })
				}
			}
			require.Len(t, declared, len(env.AlarmRegions()))
			for _, home := range env.AlarmRegions() {
				require.ElementsMatch(t, env.AlarmsIn(home), declared[home], "%s in %s", stack, home)
			}
		}
	}
}

func TestUptimeAlarmIsInTheRegionOfItsMetric(t *testing.T) {
	env, all := deployed(t, "production")
	require.Equal(t, "monitoring-id", find(t, all, alarmType, "monitoring-outside").get("dimensions", "HealthCheckId"))
	require.Len(t, ofType(all, "pulumi:providers:aws"), 1)

	env.Region = "eu-central-1"
	all = record(t, env.Stack, Deploy(env, Release{Image: testImage, EndpointURL: "http://127.0.0.1:5000"}))
	second := find(t, all, "pulumi:providers:aws", "aws-us-east-1")
	require.Equal(t, "us-east-1", second.get("region"))
	require.Equal(t, []any{env.Account}, second.get("allowedAccountIds"))
	require.Equal(t, "http://127.0.0.1:5000", second.get("endpoints", 0, "cloudwatch"))
	// CloudWatch rejects an action in another region, so there is a topic with the same recipients.
	require.Equal(t, []any{"arn:aws:aws:sns/topicPolicy:TopicPolicy:notifications-us-east-1"}, find(t, all, alarmType, "monitoring-outside").get("alarmActions"))
	for _, typ := range []string{"aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy", "aws:sns/topicSubscription:TopicSubscription"} {
		var elsewhere int
		for _, r := range ofType(all, typ) {
			if strings.Contains(r.provider, "::aws-us-east-1::") {
				elsewhere++
			}
		}
		require.Equal(t, 1, elsewhere, typ)
		require.Len(t, ofType(all, typ), 2, typ)
	}
	require.Contains(t, find(t, all, "aws:sns/topicPolicy:TopicPolicy", "notifications-us-east-1").get("policy"), "arn:aws:cloudwatch:us-east-1:")
}

const alarmType = "aws:cloudwatch/metricAlarm:MetricAlarm"

func TestDashboardShowsEveryService(t *testing.T) {
	env, all := deployed(t, "production")
	var body struct{ Widgets []widget }
	require.NoError(t, json.Unmarshal([]byte(find(t, all, "aws:cloudwatch/dashboard:Dashboard", "monitoring").
		get("dashboardBody").(string)), &body))
	taken := map[[2]int]bool{}
	for _, w := range body.Widgets {
		require.False(t, taken[[2]int{w.X, w.Y}], "two widgets in one place")
		taken[[2]int{w.X, w.Y}] = true
		require.NotEmpty(t, w.Properties.Metrics)
	}
	require.Len(t, perService(env, "CPUUtilization"), 3)
	require.Contains(t, dashboardURL(env), "v3-backend-production")
}
