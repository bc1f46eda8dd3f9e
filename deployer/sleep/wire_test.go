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

	// The schedule begins to wake the environment, and is superseded.
	since := state.Marker.Since
	require.NoError(t, schedule.mark(t.Context()))
	state, err = jane.Read(t.Context())
	require.NoError(t, err)
	require.False(t, state.Asleep(), "it is being woken")
	run(jane.SleepSteps())
	marker, err := asleep.Read(t.Context(), cfg, env)
	require.NoError(t, err)
	require.Equal(t, &environment.SleepMarker{Since: since, By: "jane"}, marker)

	run(slices.Concat(jane.StartSteps(false), jane.EndSteps()))
	state, err = jane.Read(t.Context())
	require.NoError(t, err)
	require.True(t, state.Awake(), "%+v", state)
	require.Equal(t, cwtypes.StateValueOk, suppressor())
	require.NoError(t, jane.Forget(t.Context()), "it is forgotten already")
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
	_, err = cwmetrics.NewClient(cfg).PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String(env.SuppressorAlarmName()), Namespace: aws.String("v3-backend"), MetricName: aws.String("Asleep"),
		ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold, EvaluationPeriods: aws.Int32(1), Period: aws.Int32(60),
		Threshold: aws.Float64(0), Statistic: cwtypes.StatisticSum,
	})
	require.NoError(t, err)
}
