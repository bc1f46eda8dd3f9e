package cloud

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

// withTraffic returns an account in which image one runs behind a load balancer, on a clock of AWS's speed.
func withTraffic(t *testing.T) *simulation {
	sim := newSimulation(t)
	sim.m.speed = 1
	sim.put(typeLoadBalancer, "alb", values{"arn": "alb", "arnSuffix": "app/alb/1"})
	sim.put(typeTargetGroup, "tg", values{"arn": "tg", "arnSuffix": "targetgroup/tg/2", "deregistrationDelay": 30.0})
	forward := array(values{"type": "forward", "targetGroupArn": "tg"})
	sim.put(typeListener, "https", values{"arn": "https", "loadBalancerArn": "alb", "defaultActions": forward})
	sim.startService(sim.define(1, imageOne), 1, nil)
	sim.after(10 * time.Minute)
	return sim
}

// metric returns a metric's values of the last minutes, the oldest first; those that are missing are left out.
func (sim *simulation) metric(name, statistic string, minutes int, dimensions map[string]string) []float64 {
	sim.t.Helper()
	stat := &types.MetricStat{Metric: &types.Metric{MetricName: &name}, Period: aws.Int32(60), Stat: &statistic}
	for dimension, value := range dimensions {
		stat.Metric.Dimensions = append(stat.Metric.Dimensions, types.Dimension{Name: aws.String(dimension), Value: aws.String(value)})
	}
	out, err := getMetricData(sim.m, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(sim.m.now.Add(-time.Duration(minutes) * time.Minute)), EndTime: &sim.m.now,
		ScanBy:            types.ScanByTimestampAscending,
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("m"), MetricStat: stat}},
	})
	require.NoError(sim.t, err)
	return out.MetricDataResults[0].Values
}

var (
	behindBalancer = map[string]string{"LoadBalancer": "app/alb/1", "TargetGroup": "targetgroup/tg/2"}
	ofService      = map[string]string{"ClusterName": "v3-backend-staging-cluster", "ServiceName": apiService}
)

// TestTraffic requires metrics of healthy traffic with the delay of CloudWatch, and none without a healthy target.
func TestTraffic(t *testing.T) {
	sim := withTraffic(t)
	requests := sim.metric("RequestCount", "Sum", 15, behindBalancer)
	require.Len(t, requests, 7, "ten minutes without the one that began before the task was healthy, and the delay")
	require.Equal(t, requests, sim.metric("RequestCount", "Sum", 15, behindBalancer))
	for _, n := range requests {
		require.InDelta(t, requestsPerMinute, n, 25)
	}
	for _, seconds := range sim.metric("TargetResponseTime", "p95", 15, behindBalancer) {
		require.InDelta(t, usualResponse, seconds, 0.005)
	}
	failed := 0.0
	sim.after(time.Hour)
	for _, n := range sim.metric("HTTPCode_Target_5XX_Count", "Sum", 60, behindBalancer) {
		failed += n
	}
	require.InDelta(t, 4, failed, 3, "of 14400 requests")

	other := map[string]string{"LoadBalancer": "app/alb/1", "TargetGroup": "targetgroup/other/3"}
	require.Empty(t, sim.metric("RequestCount", "Sum", 15, other))
	sim.startService(sim.define(1, imageOne), 0, nil)
	sim.after(20 * time.Minute)
	require.Empty(t, sim.metric("RequestCount", "Sum", 15, behindBalancer))
}

// TestLateFaults requires a rollout to succeed under the faults that begin after it, the metrics and alarms to show them, and the
// image that ran before to be free of them.
func TestLateFaults(t *testing.T) {
	for fault, tc := range map[string]struct {
		metric, statistic string
		dimensions        map[string]string
		healthy, faulty   float64
		alarm             values
	}{
		faultLateErrors: {"HTTPCode_Target_5XX_Count", "Sum", behindBalancer, 1, 50, values{
			"metricName": "HTTPCode_Target_5XX_Count", "statistic": "Sum", "threshold": 10.0, "evaluationPeriods": 5.0,
			"dimensions": values{"LoadBalancer": "app/alb/1", "TargetGroup": "targetgroup/tg/2"}}},
		faultSlowResponses: {"TargetResponseTime", "p95", behindBalancer, 0.05, 3, values{
			"metricName": "TargetResponseTime", "extendedStatistic": "p95", "threshold": 2.0, "evaluationPeriods": 5.0,
			"dimensions": values{"LoadBalancer": "app/alb/1", "TargetGroup": "targetgroup/tg/2"}}},
		faultMemoryLeak: {"MemoryUtilization", "Maximum", ofService, 70, 90, nil},
	} {
		t.Run(fault, func(t *testing.T) {
			sim := withTraffic(t)
			if tc.alarm != nil {
				tc.alarm["name"], tc.alarm["comparisonOperator"] = "alarm", "GreaterThanThreshold"
				sim.put(typeMetricAlarm, "alarm", tc.alarm)
			}
			state := func() types.StateValue {
				out, err := describeAlarms(sim.m, &cloudwatch.DescribeAlarmsInput{})
				require.NoError(t, err)
				if tc.alarm == nil {
					return types.StateValueOk
				}
				return out.MetricAlarms[0].StateValue
			}
			worst := func(minutes int) (most float64) {
				for _, value := range sim.metric(tc.metric, tc.statistic, minutes, tc.dimensions) {
					most = max(most, value)
				}
				return most
			}
			require.LessOrEqual(t, worst(10), tc.healthy)
			require.Equal(t, types.StateValueOk, state())

			sim.m.faults = faultSet{fault: true}
			sim.startService(sim.define(2, imageTwo), 1, nil)
			sim.after(2 * time.Minute)
			require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
			require.True(t, sim.m.healthy(sim.m.targets("tg")[0].task))
			sim.after(3*time.Minute + 20*time.Second)
			require.Greater(t, worst(4), tc.faulty)
			sim.after(6 * time.Minute)
			require.Equal(t, tc.alarm != nil, state() == types.StateValueAlarm)
			if fault == faultMemoryLeak {
				require.Equal(t, int32(137), *sim.m.ECS.tasksOf(sim.service())[1].Exit)
			}

			sim.startService(sim.define(3, imageOne), 1, nil)
			sim.after(20 * time.Minute)
			require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
			require.LessOrEqual(t, worst(10), tc.healthy, "the image that ran well before has no fault")
			require.Equal(t, types.StateValueOk, state())
		})
	}
}

// TestLateFaultsOfARunningVersion requires the faults that begin after the rollout to act on a version that runs already, unless
// a deployment has verified it, and the version that was verified before to be free of them.
func TestLateFaultsOfARunningVersion(t *testing.T) {
	for fault, tc := range map[string]struct {
		metric, statistic string
		dimensions        map[string]string
		faulty            float64
		line              string
	}{
		faultLateErrors:    {"HTTPCode_Target_5XX_Count", "Sum", behindBalancer, 50, "Cannot read properties of undefined"},
		faultSlowResponses: {"TargetResponseTime", "p95", behindBalancer, 3, "slow query"},
		faultMemoryLeak:    {"MemoryUtilization", "Maximum", ofService, 85, "the cache of prices"},
	} {
		for name, when := range map[string]struct {
			verified, environment string
			acts                  bool
		}{
			"not verified":        {imageOne, "staging", true},
			"every environment":   {imageOne, "", true},
			"never verified":      {"", "staging", true},
			"verified":            {imageTwo, "staging", false},
			"another environment": {imageOne, "production", false},
		} {
			t.Run(fault+", "+name, func(t *testing.T) {
				sim, tags := withTraffic(t), values{"tagsAll": values{"Environment": "staging"}}
				sim.startService(sim.define(2, imageTwo), 1, tags)
				sim.after(20 * time.Minute)
				if when.verified != "" {
					sim.m.Registry.tag(imageRepository, "running-staging", sim.m.Registry.byTag(imageRepository, when.verified))
				}
				worst := func(minutes int) (most float64) {
					for _, value := range sim.metric(tc.metric, tc.statistic, minutes, tc.dimensions) {
						most = max(most, value)
					}
					return most
				}
				running := func() *task { return sim.m.targets("tg")[0].task }
				deployments, before, usual := len(sim.service().Deployments), running(), worst(20)

				sim.m.faults = faultSet{fault: true}
				sim.m.beginLateFaults(when.environment)
				require.Equal(t, usual, worst(20), "what was is not changed")
				sim.after(time.Minute)
				sim.m.beginLateFaults(when.environment)
				sim.after(3*time.Minute + 20*time.Second)
				require.Equal(t, before, running(), "no task was started")
				require.Len(t, sim.service().Deployments, deployments)
				var log string
				for _, line := range sim.m.logLines(before) {
					log += line.Message + "\n"
				}
				require.Equal(t, when.acts, strings.Contains(log, tc.line))
				require.Equal(t, 1, strings.Count(log, "balancer starting"))

				sim.after(2 * time.Minute)
				require.Equal(t, when.acts, worst(6) > tc.faulty)
				require.Equal(t, when.acts && fault == faultMemoryLeak, before.Exit != nil)
				if !when.acts || when.verified == "" {
					return
				}
				sim.after(3 * time.Minute)
				require.Equal(t, fault, running().Fault, "also of a task that replaces one without memory")
				sim.startService(sim.define(3, imageOne), 1, tags)
				sim.after(20 * time.Minute)
				require.LessOrEqual(t, worst(10), max(usual, 1), "the version that was verified has no fault")
				require.Nil(t, running().Exit)
			})
		}
	}
}
