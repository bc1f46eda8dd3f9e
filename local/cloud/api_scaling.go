package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

func scalingOperations() []operation {
	return []operation{reading(describeScalableTargets), reading(describeScalingPolicies)}
}

func describeScalableTargets(m moment, in *scaling.DescribeScalableTargetsInput) (*scaling.DescribeScalableTargetsOutput, error) {
	var found []types.ScalableTarget
	for _, r := range m.ByType(typeScalingTarget) {
		if r.Text("serviceNamespace") != string(in.ServiceNamespace) ||
			len(in.ResourceIds) > 0 && !slices.Contains(in.ResourceIds, r.Text("resourceId")) {
			continue
		}
		found = append(found, types.ScalableTarget{
			ResourceId: aws.String(r.Text("resourceId")), ScalableDimension: types.ScalableDimension(r.Text("scalableDimension")),
			ServiceNamespace: in.ServiceNamespace, MinCapacity: int32p(number(r, "minCapacity", 0)), MaxCapacity: int32p(number(r, "maxCapacity", 0)),
			RoleARN: aws.String(r.Text("roleArn")), ScalableTargetARN: aws.String(r.Text("arn")), CreationTime: &r.Created,
			SuspendedState: &types.SuspendedState{
				DynamicScalingInSuspended: aws.Bool(false), DynamicScalingOutSuspended: aws.Bool(false), ScheduledScalingSuspended: aws.Bool(false),
			},
		})
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 50)
	return &scaling.DescribeScalableTargetsOutput{ScalableTargets: found, NextToken: next}, err
}

func describeScalingPolicies(m moment, in *scaling.DescribeScalingPoliciesInput) (*scaling.DescribeScalingPoliciesOutput, error) {
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
