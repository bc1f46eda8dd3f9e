package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// Service is a long-running role of the image: its task definition, its ECS service and its autoscaling.
//
// Provisioning omits every Service, so nothing outside may depend on one.
type Service struct {
	pulumi.ResourceState
}

// ServiceArgs are the arguments of a Service.
type ServiceArgs struct {
	TaskArgs
	Service         environment.Service
	ClusterARN      pulumi.StringInput
	SubnetIDs       pulumi.StringArrayInput
	SecurityGroupID pulumi.StringInput
	// Balancer is where the API registers its tasks; other roles have none.
	Balancer *Balancer
	// After has resources that tasks need to start, and that no other argument refers to.
	After []pulumi.Resource
}

// graceSeconds is how long a new task of the API may fail the load balancer's checks before ECS replaces it.
const graceSeconds = 60

// NewService declares a Service.
func NewService(ctx *pulumi.Context, name string, args *ServiceArgs, opts ...pulumi.ResourceOption) (*Service, error) {
	c := &Service{}
	child, err := declare(ctx, "Service", name, c, opts)
	if err != nil {
		return nil, err
	}
	s := args.Service
	definition, err := newTaskDefinition(ctx, name, &args.TaskArgs, s.Role, s.CPU, s.Memory, child)
	if err != nil {
		return nil, err
	}
	after := args.After
	if args.Balancer != nil {
		after = append([]pulumi.Resource{args.Balancer.HTTPS}, after...)
	}
	// The deployer sets the number of tasks, which is 0 while the environment is asleep, and autoscaling does.
	service, err := ecs.NewService(ctx, name, serviceArgs(args, definition.Arn), child, pulumi.DependsOn(after),
		pulumi.IgnoreChanges([]string{"desiredCount"}))
	if err != nil {
		return nil, err
	}
	if s.Autoscaling != nil {
		if err := newScaling(ctx, name, args, service, child); err != nil {
			return nil, err
		}
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// serviceArgs returns the arguments of the ECS service. Pulumi does not wait for its deployment: the deployer polls
// that, and can report why it is stuck. ECS rolls a failed deployment back.
//
// A service has a capacity provider strategy from the start: going from a launch type to a strategy replaces it. A
// different strategy updates it, if the provider may force a deployment; otherwise that would replace it, too.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/ecs/service.go
func serviceArgs(args *ServiceArgs, definitionARN pulumi.StringInput) *ecs.ServiceArgs {
	env, s := args.Env, args.Service
	minimumPercent, maximumPercent, rebalancing := 100, 200, "ENABLED"
	provider := fargate
	if s.Spot {
		provider = environment.FargateSpot
	}
	if s.Role == environment.Scheduler {
		// A scheduler must never run twice: its old task stops first. For the same reason ECS must not rebalance it between
		// zones, which starts the new task first.
		// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
		minimumPercent, maximumPercent, rebalancing = 0, 100, "DISABLED"
	}
	service := &ecs.ServiceArgs{
		Name:           pulumi.String(env.ServiceName(s.Role)),
		Cluster:        args.ClusterARN,
		TaskDefinition: definitionARN,
		DesiredCount:   pulumi.Int(s.Tasks.Min),
		CapacityProviderStrategies: ecs.ServiceCapacityProviderStrategyArray{ecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String(provider), Base: pulumi.Int(0), Weight: pulumi.Int(1),
		}},
		ForceNewDeployment:              pulumi.Bool(true),
		PlatformVersion:                 pulumi.String("LATEST"),
		DeploymentMinimumHealthyPercent: pulumi.Int(minimumPercent),
		DeploymentMaximumPercent:        pulumi.Int(maximumPercent),
		AvailabilityZoneRebalancing:     pulumi.String(rebalancing),
		DeploymentCircuitBreaker:        ecs.ServiceDeploymentCircuitBreakerArgs{Enable: pulumi.Bool(true), Rollback: pulumi.Bool(true)},
		Alarms:                          deploymentAlarms(env, s.Role),
		NetworkConfiguration: ecs.ServiceNetworkConfigurationArgs{
			Subnets:        args.SubnetIDs,
			SecurityGroups: pulumi.StringArray{args.SecurityGroupID},
			AssignPublicIp: pulumi.Bool(false),
		},
		EnableExecuteCommand: pulumi.Bool(env.Services.ExecuteCommand),
		EnableEcsManagedTags: pulumi.Bool(true),
		PropagateTags:        pulumi.String("SERVICE"),
		WaitForSteadyState:   pulumi.Bool(false),
		Tags:                 withName(env.Tags(), env.ServiceName(s.Role)),
	}
	if args.Balancer != nil {
		service.HealthCheckGracePeriodSeconds = pulumi.Int(graceSeconds)
		service.LoadBalancers = ecs.ServiceLoadBalancerArray{ecs.ServiceLoadBalancerArgs{
			TargetGroupArn: args.Balancer.TargetGroupARN,
			ContainerName:  pulumi.String(env.ContainerName(s.Role)),
			ContainerPort:  pulumi.Int(environment.ContainerPort),
		}}
	}
	return service
}

// deploymentAlarms returns the alarms that end a rollout of a service. ECS does not require them to exist, and they refer to the service: it
// gets their names. A service without any has them switched off, and names one: the provider changes nothing where the block is missing, and
// sends no empty list, which the API requires.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/ecs/service.go
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func deploymentAlarms(env *environment.Environment, role environment.Role) ecs.ServiceAlarmsArgs {
	watched := env.RolloutAlarmsOf(role)
	watches := pulumi.Bool(len(watched) > 0)
	if !watches {
		watched = []string{string(role) + "-memory"}
	}
	return ecs.ServiceAlarmsArgs{
		AlarmNames: pulumi.ToStringArray(list.Map(watched, env.AlarmName)), Enable: watches, Rollback: watches,
	}
}

// serviceRole is a role that an AWS service assumes on behalf of sources in this account, and its policy.
type serviceRole struct {
	name, service, sources, policy string
	permissions                    pulumi.StringInput
}

// newServiceRole declares a role of an environment. The account's boundary limits what any of its policies can allow, so
// that permission to change its policy and to run a task with it is no escalation.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func newServiceRole(
	ctx *pulumi.Context, name string, env *environment.Environment, spec serviceRole, child pulumi.ResourceOption,
) (*iam.Role, *iam.RolePolicy, error) {
	trusted, err := document(trust(spec.service, env.Account, spec.sources))
	if err != nil {
		return nil, nil, err
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name:                pulumi.String(spec.name),
		AssumeRolePolicy:    pulumi.String(trusted),
		PermissionsBoundary: pulumi.String(environment.BoundaryARN(env.Prefix, env.Account)),
		Tags:                withName(env.Tags(), spec.name),
	}, child)
	if err != nil {
		return nil, nil, err
	}
	policy, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Name:   pulumi.String(spec.policy),
		Role:   role.Name,
		Policy: spec.permissions,
	}, child)
	return role, policy, err
}
