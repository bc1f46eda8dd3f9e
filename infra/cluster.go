package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// A Cluster declares the ECS cluster, on Fargate and Fargate Spot, and the log group of its containers.
type Cluster struct {
	pulumi.ResourceState

	// ARN is the ARN of the cluster, LogGroupARN that of the log group.
	ARN, LogGroupARN pulumi.StringOutput
	// Capacity associates the cluster with its capacity providers; ECS rejects a service before that.
	Capacity pulumi.Resource
}

// fargate declares the capacity provider of services that are not on environment.FargateSpot, and the compatibility of task definitions.
const fargate = "FARGATE"

// NewCluster declares a Cluster.
func NewCluster(ctx *pulumi.Context, name string, env *environment.Environment, opts ...pulumi.ResourceOption) (*Cluster, error) {
	c := &Cluster{}
	child, err := declare(ctx, "Cluster", name, c, opts)
	if err != nil {
		return nil, err
	}
	insights := "disabled"
	if env.Monitoring.AtLeast(environment.Enhanced) {
		insights = "enabled"
	}
	cluster, err := ecs.NewCluster(ctx, name, &ecs.ClusterArgs{
		Name: pulumi.String(env.ClusterName()),
		Settings: ecs.ClusterSettingArray{ecs.ClusterSettingArgs{
			Name:  pulumi.String("containerInsights"),
			Value: pulumi.String(insights),
		}},
		Tags: withName(env.Tags(), env.ClusterName()),
	}, child)
	if err != nil {
		return nil, err
	}
	capacity, err := ecs.NewClusterCapacityProviders(ctx, name, &ecs.ClusterCapacityProvidersArgs{
		ClusterName: cluster.Name,
		// Both, whether or not a service uses Spot: ECS does not remove a provider that a service uses, and the service changes later.
		CapacityProviders: pulumi.StringArray{pulumi.String(fargate), pulumi.String(environment.FargateSpot)},
		DefaultCapacityProviderStrategies: ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArray{
			ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs{
				CapacityProvider: pulumi.String(fargate), Weight: pulumi.Int(1),
			},
		},
	}, child)
	if err != nil {
		return nil, err
	}
	group, err := newLogGroup(ctx, name, env.LogGroupName(), env, child)
	if err != nil {
		return nil, err
	}
	c.ARN, c.LogGroupARN, c.Capacity = cluster.Arn, group.Arn, capacity
	return c, finish(ctx, name, c, pulumi.Map{"arn": c.ARN, "logGroupArn": c.LogGroupARN})
}
