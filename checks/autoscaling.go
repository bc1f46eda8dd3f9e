package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// scalingState is what Application Auto Scaling has for the cluster's services.
type scalingState struct {
	targets  []scalingtypes.ScalableTarget
	policies []scalingtypes.ScalingPolicy
}

func readScaling(ctx context.Context, rc *runContext) (scalingState, error) {
	return cached(ctx, &rc.cache, "autoscaling", func(ctx context.Context) (scalingState, error) {
		client := scaling.NewFromConfig(rc.aws())
		resources := list.Map(rc.env.Services.List(), func(s environment.Service) string { return scalableID(rc.env, s.Role) })
		targets, err := awsx.Pages(ctx, scaling.NewDescribeScalableTargetsPaginator(client, &scaling.DescribeScalableTargetsInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceIds: resources,
		}), func(out *scaling.DescribeScalableTargetsOutput) []scalingtypes.ScalableTarget {
			return out.ScalableTargets
		})
		if err != nil || len(targets) == 0 {
			return scalingState{}, err
		}
		policies, err := awsx.Pages(ctx, scaling.NewDescribeScalingPoliciesPaginator(client, &scaling.DescribeScalingPoliciesInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs,
		}), func(out *scaling.DescribeScalingPoliciesOutput) []scalingtypes.ScalingPolicy {
			return out.ScalingPolicies
		})
		return scalingState{targets, policies}, err
	})
}

func scalableID(env *environment.Environment, role environment.Role) string {
	return "service/" + env.ClusterName() + "/" + env.ServiceName(role)
}

func checkAutoscaling(ctx context.Context, rc *runContext) ([]Finding, error) {
	services, found, err := readBoth(ctx, rc, readServices, readScaling)
	if err != nil {
		return nil, err
	}
	return list.Map(rc.env.Services.List(), func(s environment.Service) Finding {
		var desired int32
		if service := findService(services, rc.env.ServiceName(s.Role)); service != nil {
			desired = service.DesiredCount
		}
		return evaluateScaling(s, found, int(desired), rc.env)
	}), nil
}

// evaluateScaling expects desired to be the current number of tasks.
func evaluateScaling(s environment.Service, found scalingState, desired int, env *environment.Environment) Finding {
	id := scalableID(env, s.Role)
	f := newFinding("autoscaling", "Autoscaling-"+env.ServiceName(s.Role)).with("desired", desired)
	target := list.Find(found.targets, func(t scalingtypes.ScalableTarget) bool { return aws.ToString(t.ResourceId) == id })
	switch {
	case s.Autoscaling == nil && target == nil:
		return f.healthy("NotScaled", "a fixed number of %s", text.Plural(s.Tasks.Min, "task", "tasks"))
	case s.Autoscaling == nil:
		return f.warning("UnexpectedScaling", differsHint(env, "autoscaling was added"),
			"the %s is scaled, the environment's file has a fixed number of tasks", s.Role)
	case target == nil:
		return f.error("ScalingMissing", missingFromHint(env, "the scalable target"),
			"the %s is not scaled: it stays at %s", s.Role, text.Plural(desired, "task", "tasks"))
	}
	low, high := int(aws.ToInt32(target.MinCapacity)), int(aws.ToInt32(target.MaxCapacity))
	policies := len(list.Filter(found.policies, func(p scalingtypes.ScalingPolicy) bool { return aws.ToString(p.ResourceId) == id }))
	f = f.with("min", low).with("max", high).with("policies", policies)
	switch suspended := target.SuspendedState; {
	case target.MinCapacity == nil || target.MaxCapacity == nil:
		return f.unknown("BoundsUnknown", incompleteAnswer("DescribeScalableTargets", "MinCapacity or MaxCapacity"), "the bounds of the %s are unknown", s.Role)
	case low != s.Tasks.Min || high != s.Tasks.Max:
		return f.warning("OtherBounds", differsHint(env, "the bounds were changed"),
			"scales between %d and %d tasks, the environment's file has %d and %d", low, high, s.Tasks.Min, s.Tasks.Max)
	case policies == 0:
		return f.error("NoPolicies", deployHint(env, "the scaling policies were deleted"), "the %s does not scale: it has no scaling policies", s.Role)
	case suspended != nil && (aws.ToBool(suspended.DynamicScalingOutSuspended) || aws.ToBool(suspended.DynamicScalingInSuspended)):
		return f.warning("ScalingSuspended", driftHint(env, "it was suspended outside the deployer, or by a restore"), "scaling is suspended")
	case desired >= high:
		return f.warning("AtMaximum", Hint{
			Cause:    "the load has reached the limit of the environment",
			Solution: "raise tasks.max in the environment's file, or find the cause of the load", Command: command(env, "logs"),
		}, "%d of at most %d tasks: it cannot scale further", desired, high)
	}
	return f.healthy("Scales", "%s, between %d and %d, %s", text.Plural(desired, "task", "tasks"), low, high, text.Plural(policies, "policy", "policies"))
}
