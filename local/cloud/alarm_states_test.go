package cloud

import (
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/stretchr/testify/require"
)

// TestAlarmsAboutMissingData follows an alarm about running tasks from its creation, before the first deployment, to a service without tasks.
func TestAlarmsAboutMissingData(t *testing.T) {
	sim := newSimulation(t)
	sim.m.speed = 1
	created := sim.m.now
	put := func(name, missing string, dimensions values) {
		sim.put(typeMetricAlarm, name, values{
			"name": name, "treatMissingData": missing, "threshold": 1.0, "evaluationPeriods": 5.0, "period": 60.0, "dimensions": dimensions,
		}).Created = created
	}
	put("tasks", "breaching", values{"ServiceName": apiService})
	put("outside", "breaching", values{"HealthCheckId": "1"})
	put("errors", "notBreaching", values{"ServiceName": apiService})
	states := func() map[string]types.StateValue {
		out, err := describeAlarms(sim.m, &cloudwatch.DescribeAlarmsInput{})
		require.NoError(t, err)
		found := map[string]types.StateValue{}
		for _, a := range out.MetricAlarms {
			found[*a.AlarmName] = a.StateValue
			if a.StateValue == types.StateValueAlarm {
				require.Equal(t, created.Add(time.Minute), *a.StateTransitionedTimestamp)
			}
		}
		return found
	}
	const ok, ringing, new = types.StateValueOk, types.StateValueAlarm, types.StateValueInsufficientData
	require.Equal(t, map[string]types.StateValue{"tasks": new, "outside": new, "errors": ok}, states())
	sim.m.now = created.Add(10 * time.Minute)
	require.Equal(t, map[string]types.StateValue{"tasks": ringing, "outside": ringing, "errors": ok}, states())

	started := sim.m.now
	sim.m.ECS.Services["s"] = &service{ARN: "s", Name: apiService}
	running := &task{ARN: "t", Service: "s", Created: started, Started: started, Healthy: started}
	sim.m.ECS.Tasks["t"] = running
	sim.m.now = started.Add(time.Minute)
	require.Equal(t, ringing, states()["tasks"], "its metric is not there yet")
	sim.m.now = started.Add(3 * time.Minute)
	require.Equal(t, ok, states()["tasks"])

	running.Deactivating = sim.m.now
	sim.m.now = running.Deactivating.Add(5*time.Minute + 30*time.Second)
	require.Equal(t, ok, states()["tasks"], "it ran in one of the last five minutes")
	sim.m.now = running.Deactivating.Add(8 * time.Minute)
	require.Equal(t, ringing, states()["tasks"])
}

// TestSubscriptionsAreConfirmed checks that recipients confirm after a while, unless a fault prevents it.
func TestSubscriptionsAreConfirmed(t *testing.T) {
	const topic = "arn:aws:sns:us-east-1:123456789012:v3-backend-staging-alarms"
	for _, faults := range [][]string{nil, {faultUnconfirmed}} {
		sim := newSimulation(t, faults...)
		sim.m.speed = 1
		list := func() string {
			out, err := listSubscriptionsByTopic(sim.m, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(topic)})
			require.NoError(t, err)
			require.Len(t, out.Subscriptions, 1)
			require.Equal(t, "ops@example.com", *out.Subscriptions[0].Endpoint)
			return *out.Subscriptions[0].SubscriptionArn
		}
		_, err := listSubscriptionsByTopic(sim.m, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(topic)})
		require.ErrorContains(t, err, "NotFound")
		sim.put(typeTopic, topic, values{"arn": topic})
		sim.put(typeTopicSubscription, topic+":1", values{"arn": topic + ":1", "topic": topic, "protocol": "email", "endpoint": "ops@example.com"}).Created = sim.m.now
		require.Equal(t, pendingSubscription, list())
		sim.m.now = sim.m.now.Add(confirmationTime)
		require.Equal(t, faults != nil, list() == pendingSubscription)
	}
}

// TestAnotherRegion checks what is simulated outside the account's region: alarms and topics, apart from those at home.
func TestAnotherRegion(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "account.json"))
	ctx := InRegion(t.Context(), "us-west-2")
	topic, err := a.CreateResource(ctx, typeTopic, values{"name": "alarms"})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:sns:us-west-2:"+a.ID()+":alarms", topic.ID)
	alarm := values{"name": "outside", "comparisonOperator": "LessThanThreshold", "evaluationPeriods": 2.0, "alarmActions": array(topic.ID)}
	_, err = a.CreateResource(t.Context(), typeMetricAlarm, alarm)
	require.EqualError(t, err, "ValidationError: Invalid region us-west-2 specified. Only us-east-1 is supported.")
	_, err = a.CreateResource(ctx, typeMetricAlarm, alarm)
	require.NoError(t, err)
	_, err = a.CreateResource(ctx, typeQueue, values{"name": "jobs"})
	require.EqualError(t, err, "the resource type aws:sqs/queue:Queue in us-west-2 is not simulated by local mode")
	for region, want := range map[string]int{"us-east-1": 0, "us-west-2": 1} {
		out, err := cloudwatch.NewFromConfig(a.Config(region)).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
		require.NoError(t, err)
		require.Len(t, out.MetricAlarms, want, region)
		_, err = sns.NewFromConfig(a.Config(region)).ListSubscriptionsByTopic(t.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(topic.ID)})
		require.Equal(t, want == 1, err == nil, region)
	}
}

// TestAlarmsAboutExecutions follows alarms about an execution that failed: the metric has one datapoint, which an alarm evaluates for as long as
// its periods.
func TestAlarmsAboutExecutions(t *testing.T) {
	sim := newSimulation(t)
	failed := sim.m.now
	sim.m.Executions = []*execution{{Machine: "m", Status: executionFailed, Ended: failed}}
	dimensions := values{"StateMachineArn": "m"}
	alarm := func(name string, more values) *Resource {
		properties := values{"name": name, "metricName": "ExecutionsFailed", "treatMissingData": "notBreaching", "period": 60.0, "dimensions": dimensions}
		maps.Copy(properties, more)
		return sim.put(typeMetricAlarm, name, properties)
	}
	minute := alarm("minute", values{"evaluationPeriods": 1.0})
	hours := alarm("hours", values{"evaluationPeriods": 360.0, "datapointsToAlarm": 1.0})
	all := alarm("all", values{"evaluationPeriods": 360.0})
	for _, test := range []struct {
		ago           time.Duration
		minute, hours types.StateValue
	}{
		{time.Minute, types.StateValueAlarm, types.StateValueAlarm},
		{10 * time.Minute, types.StateValueOk, types.StateValueAlarm},
		{7 * time.Hour, types.StateValueOk, types.StateValueOk},
	} {
		sim.m.now = failed.Add(sim.m.scaled(test.ago))
		require.Equal(t, test.minute, sim.m.stateOf(minute).Value, test.ago)
		require.Equal(t, test.hours, sim.m.stateOf(hours).Value, test.ago)
		require.Equal(t, types.StateValueOk, sim.m.stateOf(all).Value, "one of its datapoints does not suffice")
	}
}
