package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

func scalingOperations() []operation {
	return []operation{readOp(describeScalableTargets), readOp(describeScalingPolicies), writeOp(registerScalableTarget)}
}

func describeScalableTargets(m model, in *scaling.DescribeScalableTargetsInput) (*scaling.DescribeScalableTargetsOutput, error) {
	var found []types.ScalableTarget
	for _, r := range m.ByType(typeScalingTarget) {
		if r.Text("serviceNamespace") != string(in.ServiceNamespace) ||
			len(in.ResourceIds) > 0 && !slices.Contains(in.ResourceIds, r.Text("resourceId")) {
			continue
		}
		found = append(found, types.ScalableTarget{
			ResourceId: aws.String(r.Text("resourceId")), ScalableDimension: types.ScalableDimension(r.Text("scalableDimension")),
			ServiceNamespace: in.ServiceNamespace, MinCapacity: int32p(numberOr(r, "minCapacity", 0)), MaxCapacity: int32p(numberOr(r, "maxCapacity", 0)),
			RoleARN: aws.String(r.Text("roleArn")), ScalableTargetARN: aws.String(r.Text("arn")), CreationTime: &r.Created,
			SuspendedState: suspendedState(r),
		})
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 50)
	return &scaling.DescribeScalableTargetsOutput{ScalableTargets: found, NextToken: next}, err
}

func suspended(target *Resource) bool { return *suspendedState(target).DynamicScalingOutSuspended }

func suspendedState(target *Resource) *types.SuspendedState {
	state := target.Blocks("suspendedState")
	return &types.SuspendedState{
		DynamicScalingInSuspended:  aws.Bool(slices.ContainsFunc(state, func(b map[string]any) bool { return blockBool(b, "dynamicScalingInSuspended") })),
		DynamicScalingOutSuspended: aws.Bool(slices.ContainsFunc(state, func(b map[string]any) bool { return blockBool(b, "dynamicScalingOutSuspended") })),
		ScheduledScalingSuspended:  aws.Bool(slices.ContainsFunc(state, func(b map[string]any) bool { return blockBool(b, "scheduledScalingSuspended") })),
	}
}

// registerScalableTarget changes an existing target. Only the program can create one.
func registerScalableTarget(m model, in *scaling.RegisterScalableTargetInput) (*scaling.RegisterScalableTargetOutput, error) {
	r := m.Find(typeScalingTarget, "resourceId", deref(in.ResourceId))
	if r == nil {
		return nil, apiError("NotSimulated", "local mode cannot register a new scalable target: %s does not exist", deref(in.ResourceId))
	}
	if in.MinCapacity != nil {
		r.modify("minCapacity", float64(*in.MinCapacity))
	}
	if in.MaxCapacity != nil {
		r.modify("maxCapacity", float64(*in.MaxCapacity))
	}
	if s := in.SuspendedState; s != nil {
		// A target that is not suspended has the same properties as one that never was.
		delete(r.Outputs, "suspendedState")
		if deref(s.DynamicScalingInSuspended) || deref(s.DynamicScalingOutSuspended) || deref(s.ScheduledScalingSuspended) {
			r.Outputs["suspendedState"] = map[string]any{
				"dynamicScalingInSuspended":  deref(s.DynamicScalingInSuspended),
				"dynamicScalingOutSuspended": deref(s.DynamicScalingOutSuspended),
				"scheduledScalingSuspended":  deref(s.ScheduledScalingSuspended),
			}
		}
	}
	return &scaling.RegisterScalableTargetOutput{ScalableTargetARN: aws.String(r.Text("arn"))}, nil
}

func describeScalingPolicies(m model, in *scaling.DescribeScalingPoliciesInput) (*scaling.DescribeScalingPoliciesOutput, error) {
	var found []types.ScalingPolicy
	for _, r := range m.ByType(typeScalingPolicy) {
		if r.Text("serviceNamespace") != string(in.ServiceNamespace) || in.ResourceId != nil && r.Text("resourceId") != *in.ResourceId ||
			len(in.PolicyNames) > 0 && !slices.Contains(in.PolicyNames, r.Text("name")) {
			continue
		}
		policy := types.ScalingPolicy{
			PolicyARN: aws.String(r.Text("arn")), PolicyName: aws.String(r.Text("name")), PolicyType: types.PolicyType(r.Text("policyType")),
			ResourceId: aws.String(r.Text("resourceId")), ScalableDimension: types.ScalableDimension(r.Text("scalableDimension")),
			ServiceNamespace: in.ServiceNamespace, CreationTime: &r.Created,
		}
		for _, block := range r.Blocks("targetTrackingScalingPolicyConfiguration") {
			policy.TargetTrackingScalingPolicyConfiguration = trackingOf(block)
		}
		found = append(found, policy)
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 50)
	return &scaling.DescribeScalingPoliciesOutput{ScalingPolicies: found, NextToken: next}, err
}

func trackingOf(block map[string]any) *types.TargetTrackingScalingPolicyConfiguration {
	target, _ := block["targetValue"].(float64)
	tracking := &types.TargetTrackingScalingPolicyConfiguration{
		TargetValue: aws.Float64(target), DisableScaleIn: aws.Bool(blockBool(block, "disableScaleIn")),
		ScaleInCooldown: int32p(blockNumber(block, "scaleInCooldown")), ScaleOutCooldown: int32p(blockNumber(block, "scaleOutCooldown")),
	}
	if metric, ok := block["predefinedMetricSpecification"].(map[string]any); ok {
		tracking.PredefinedMetricSpecification = &types.PredefinedMetricSpecification{
			PredefinedMetricType: types.MetricType(blockText(metric, "predefinedMetricType")), ResourceLabel: orNil(blockText(metric, "resourceLabel")),
		}
	}
	return tracking
}
