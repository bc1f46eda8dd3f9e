package sleep

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestSleepAndWakeOverTheWire runs the steps with another implementation of AWS than the simulated account.
func TestSleepAndWakeOverTheWire(t *testing.T) {
	env, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	cfg := moto.Config(t, env.Region)
	deploy(t, cfg, env)
	run := func(steps []database.Step) {
		t.Helper()
		for _, step := range steps {
			_, err := step.Run(t.Context(), t.Logf)
			require.NoError(t, err, step.Name)
		}
	}
	suppressor := func() cwtypes.StateValue {
		out, err := cwmetrics.NewClient(cfg).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{env.SuppressorAlarmName()}})
		require.NoError(t, err)
		return out.MetricAlarms[0].StateValue
	}
	jane, schedule := New(cfg, env, clock.Fast(6000), "jane"), New(cfg, env, clock.Fast(6000), env.ScheduleName()+environment.Waking)

	state, err := jane.Read(t.Context())
	require.NoError(t, err)
	require.True(t, state.Awake(), "%+v", state)
	require.NoError(t, jane.CheckMaySleep(state))
	run(jane.SleepSteps())
	state, err = jane.Read(t.Context())
	require.NoError(t, err)
	require.True(t, state.Asleep(), "%+v", state)
	require.Equal(t, "jane", state.Marker.By)
	require.Equal(t, cwtypes.StateValueAlarm, suppressor())

	// The schedule, or a command that is killed, begins to wake the environment; sleep supersedes it.
	since := state.Marker.Since
	requireMarker := func(by string) {
		t.Helper()
		marker, err := asleep.Read(t.Context(), cfg, env)
		require.NoError(t, err)
		require.Equal(t, &environment.SleepMarker{Since: since, By: by}, marker)
	}
	for by, begin := range map[string]func(){
		env.ScheduleName() + environment.Waking: func() { require.NoError(t, schedule.mark(t.Context())) },
		"jane" + environment.Waking:             func() { run(jane.StartSteps(false)[:1]) },
	} {
		begin()
		requireMarker(by)
		state, err = jane.Read(t.Context())
		require.NoError(t, err)
		require.False(t, state.Asleep(), "it is being woken")
		require.False(t, state.Awake(), "it is still being woken")
		run(jane.SleepSteps())
		requireMarker("jane")
	}

	run(slices.Concat(jane.StartSteps(false), jane.EndSteps()))
	state, err = jane.Read(t.Context())
	require.NoError(t, err)
	require.True(t, state.Awake(), "%+v", state)
	require.Equal(t, cwtypes.StateValueOk, suppressor())
	require.NoError(t, jane.Forget(t.Context()), "it is forgotten already")

	// Alarms are muted without a marker: waking ends that, and writes no marker meanwhile.
	require.NoError(t, jane.setMuted(t.Context(), cwtypes.StateValueAlarm, "asleep"))
	state, err = jane.Read(t.Context())
	require.NoError(t, err)
	require.True(t, state.Marked(), "%+v", state)
	run(jane.StartSteps(false))
	marker, err := asleep.Read(t.Context(), cfg, env)
	require.NoError(t, err)
	require.Nil(t, marker)
	run(jane.EndSteps())
	state, err = jane.Read(t.Context())
	require.NoError(t, err)
	require.True(t, state.Awake(), "%+v", state)
}

// TestAlarmsOfTwoRegions reads the alarms that mute the others where the environment has some in two regions.
func TestAlarmsOfTwoRegions(t *testing.T) {
	env, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	env.Region, env.Monitoring.Level = "eu-central-1", environment.Full
	require.Equal(t, []string{"eu-central-1", "us-east-1"}, env.AlarmRegions())
	cfg := moto.Config(t, env.Region)
	sleeper := New(cfg, env, clock.Fast(6000), "jane")
	requireState := func(unsuppressed []string, muted bool) {
		t.Helper()
		state, err := sleeper.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, unsuppressed, state.Unsuppressed)
		require.Equal(t, muted, state.Muted)
		require.Equal(t, muted, state.Marked())
	}
	requireState([]string{"eu-central-1", "us-east-1"}, false)
	declareSuppressor(t, cfg, env)
	requireState([]string{"us-east-1"}, false)
	declareSuppressor(t, awsx.InRegion(cfg, "us-east-1"), env)
	requireState(nil, false)
	for _, region := range env.AlarmRegions() {
		_, err := cwmetrics.NewClient(awsx.InRegion(cfg, region)).SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
			AlarmName: aws.String(env.SuppressorAlarmName()), StateValue: cwtypes.StateValueAlarm, StateReason: aws.String("test"),
		})
		require.NoError(t, err)
		requireState(nil, true)
		require.NoError(t, sleeper.setMuted(t.Context(), cwtypes.StateValueOk, "awake"))
		requireState(nil, false)
	}
}

// deploy creates what sleep and wake change.
func deploy(t *testing.T, cfg aws.Config, env *environment.Environment) {
	t.Helper()
	ctx, client := t.Context(), ecs.NewFromConfig(cfg)
	_, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String(env.ClusterName())})
	require.NoError(t, err)
	for _, s := range env.Services.List() {
		_, err = client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(env.TaskFamily(s.Role)), ContainerDefinitions: []ecstypes.ContainerDefinition{{
				Name: aws.String("balancer-api"), Image: aws.String("balancer-api"), Memory: aws.Int32(512),
			}},
		})
		require.NoError(t, err)
		_, err = client.CreateService(ctx, &ecs.CreateServiceInput{
			Cluster: aws.String(env.ClusterName()), ServiceName: aws.String(env.ServiceName(s.Role)),
			TaskDefinition: aws.String(env.TaskFamily(s.Role)), DesiredCount: aws.Int32(1),
		})
		require.NoError(t, err)
		if s.Autoscaling == nil {
			continue
		}
		_, err = scaling.NewFromConfig(cfg).RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
			ResourceId: aws.String("service/" + env.ClusterName() + "/" + env.ServiceName(s.Role)), MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(2),
		})
		require.NoError(t, err)
	}
	_, err = rds.NewFromConfig(cfg).CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: aws.String(env.DatabaseIdentifier()), DBInstanceClass: aws.String("db.t3.small"), Engine: aws.String("postgres"),
		AllocatedStorage: aws.Int32(20),
	})
	require.NoError(t, err)
	declareSuppressor(t, cfg, env)
}

// declareSuppressor creates the alarm that mutes the others.
func declareSuppressor(t *testing.T, cfg aws.Config, env *environment.Environment) {
	t.Helper()
	_, err := cwmetrics.NewClient(cfg).PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String(env.SuppressorAlarmName()), Namespace: aws.String("v3-backend"), MetricName: aws.String("Asleep"),
		ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1), Period: aws.Int32(60),
		Threshold: aws.Float64(0), Statistic: cwtypes.StatisticSum,
	})
	require.NoError(t, err)
}
