package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// trackedMetric is the target of one scaling policy.
type trackedMetric struct {
	// name is the policy's; metric is a predefined one of ECS or the load balancer.
	name, metric string
	value        int
	// byRequests is true for a metric of a target group, which the policy has to name.
	byRequests bool
}

// trackedMetrics returns the targets. One with the value 0 is not set.
// Source: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html
func trackedMetrics(a environment.Autoscaling) []trackedMetric {
	return []trackedMetric{
		{name: "cpu", metric: "ECSServiceAverageCPUUtilization", value: a.CPUPercent},
		{name: "memory", metric: "ECSServiceAverageMemoryUtilization", value: a.MemoryPercent},
		{name: "requests", metric: "ALBRequestCountPerTarget", value: a.RequestsPerMin, byRequests: true},
	}
}

// newScaling declares the autoscaling of a service between its limits: up within a minute, down after five.
func newScaling(ctx *pulumi.Context, name string, args *ServiceArgs, service *ecs.Service, child pulumi.ResourceOption) error {
	env, s := args.Env, args.Service
	target, err := appautoscaling.NewTarget(ctx, name, &appautoscaling.TargetArgs{
		ServiceNamespace:  pulumi.String("ecs"),
		ScalableDimension: pulumi.String("ecs:service:DesiredCount"),
		ResourceId:        pulumi.Sprintf("service/%s/%s", env.ClusterName(), service.Name),
		MinCapacity:       pulumi.Int(s.Tasks.Min),
		MaxCapacity:       pulumi.Int(s.Tasks.Max),
		Tags:              withName(env.Tags(), env.ServiceName(s.Role)),
		// The deployer suspends scaling while the environment is asleep, and during the switch of a database.
	}, child, pulumi.IgnoreChanges([]string{"suspendedState"}))
	if err != nil {
		return err
	}
	for _, t := range trackedMetrics(*s.Autoscaling) {
		if t.value <= 0 {
			continue
		}
		metric := appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs{
			PredefinedMetricType: pulumi.String(t.metric),
		}
		if t.byRequests {
			metric.ResourceLabel = pulumi.Sprintf("%s/%s", args.Balancer.Suffix, args.Balancer.TargetGroupSuffix)
		}
		if _, err := appautoscaling.NewPolicy(ctx, name+"-"+t.name, &appautoscaling.PolicyArgs{
			Name:              pulumi.String(env.ResourceName(string(s.Role) + "-" + t.name)),
			PolicyType:        pulumi.String("TargetTrackingScaling"),
			ServiceNamespace:  target.ServiceNamespace,
			ScalableDimension: target.ScalableDimension,
			ResourceId:        target.ResourceId,
			TargetTrackingScalingPolicyConfiguration: appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs{
				TargetValue:                   pulumi.Float64(t.value),
				PredefinedMetricSpecification: metric,
				ScaleOutCooldown:              pulumi.Int(60),
				ScaleInCooldown:               pulumi.Int(300),
			},
		}, child); err != nil {
			return err
		}
	}
	return nil
}
