package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// readBalancer returns the environment's load balancer, or nil where there is none.
func readBalancer(ctx context.Context, rc *runContext) (*elbtypes.LoadBalancer, error) {
	return cached(ctx, &rc.cache, balancerKey, func(ctx context.Context) (*elbtypes.LoadBalancer, error) {
		out, err := elb.NewFromConfig(rc.aws()).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{
			Names: []string{rc.env.LoadBalancerName()},
		})
		if err != nil || len(out.LoadBalancers) == 0 {
			return nil, ignoreCodes(err, "LoadBalancerNotFound", "LoadBalancerNotFoundException")
		}
		return &out.LoadBalancers[0], nil
	})
}

// readListeners returns the listeners of the load balancer, none where there is no balancer.
func readListeners(ctx context.Context, rc *runContext) ([]elbtypes.Listener, error) {
	return cached(ctx, &rc.cache, listenersKey, func(ctx context.Context) ([]elbtypes.Listener, error) {
		balancer, err := readBalancer(ctx, rc)
		if err != nil || balancer == nil {
			return nil, err
		}
		return awsx.Pages(ctx, elb.NewDescribeListenersPaginator(elb.NewFromConfig(rc.aws()), &elb.DescribeListenersInput{
			LoadBalancerArn: balancer.LoadBalancerArn,
		}), func(out *elb.DescribeListenersOutput) []elbtypes.Listener { return out.Listeners })
	})
}

// targetGroup is a target group and the health of its targets.
type targetGroup struct {
	elbtypes.TargetGroup
	targets []elbtypes.TargetHealthDescription
}

// readTargetGroup returns the API's target group, or nil where there is none.
func readTargetGroup(ctx context.Context, rc *runContext) (*targetGroup, error) {
	return cached(ctx, &rc.cache, targetGroupKey, func(ctx context.Context) (*targetGroup, error) {
		client := elb.NewFromConfig(rc.aws())
		out, err := client.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{rc.env.TargetGroupName()}})
		if err != nil || len(out.TargetGroups) == 0 {
			return nil, ignoreCodes(err, "TargetGroupNotFound", "TargetGroupNotFoundException")
		}
		group := targetGroup{TargetGroup: out.TargetGroups[0]}
		health, err := client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: group.TargetGroupArn})
		if err != nil {
			return nil, err
		}
		group.targets = health.TargetHealthDescriptions
		return &group, nil
	})
}

// attributes maps settings by their keys.
type attributes map[string]string

// readAttributes returns the settings of the load balancer that DescribeLoadBalancers leaves out.
func readAttributes(ctx context.Context, rc *runContext) (attributes, error) {
	balancer, err := readBalancer(ctx, rc)
	if err != nil || balancer == nil {
		return nil, err
	}
	out, err := elb.NewFromConfig(rc.aws()).DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{
		LoadBalancerArn: balancer.LoadBalancerArn,
	})
	if err != nil {
		return nil, err
	}
	found := attributes{}
	for _, a := range out.Attributes {
		found[aws.ToString(a.Key)] = aws.ToString(a.Value)
	}
	return found, nil
}

// balancerSection returns the report's section about the load balancer, from what the run has read.
func balancerSection(rc *runContext) []LoadBalancer {
	balancer, ok := peek[*elbtypes.LoadBalancer](&rc.cache, balancerKey)
	if !ok || balancer == nil {
		return []LoadBalancer{}
	}
	section := LoadBalancer{
		Name: aws.ToString(balancer.LoadBalancerName), DNSName: aws.ToString(balancer.DNSName),
		Listeners: []Listener{}, TargetGroups: []TargetGroup{},
	}
	if balancer.State != nil {
		section.State = string(balancer.State.Code)
	}
	listeners, _ := peek[[]elbtypes.Listener](&rc.cache, listenersKey)
	for _, l := range listeners {
		section.Listeners = append(section.Listeners, Listener{
			Port: int(aws.ToInt32(l.Port)), Protocol: string(l.Protocol), Action: actionOf(l), TLSPolicy: aws.ToString(l.SslPolicy),
		})
	}
	if group, ok := peek[*targetGroup](&rc.cache, targetGroupKey); ok && group != nil {
		counts := countTargets(group.targets)
		section.TargetGroups = append(section.TargetGroups, TargetGroup{
			Name: aws.ToString(group.TargetGroupName), Healthy: counts.healthy, Total: counts.total(),
		})
	}
	return []LoadBalancer{section}
}

func checkBalancer(ctx context.Context, rc *runContext) ([]Finding, error) {
	balancer, err := readBalancer(ctx, rc)
	if err != nil {
		return nil, err
	}
	// Without the settings the rest is evaluated.
	settings, _ := readAttributes(ctx, rc)
	return []Finding{evaluateBalancer(balancer, settings, rc.env)}, nil
}

// evaluateBalancer evaluates the load balancer; settings is nil where they could not be read.
func evaluateBalancer(balancer *elbtypes.LoadBalancer, settings attributes, env *environment.Environment) Finding {
	f := newFinding("load_balancer", "ALB-"+env.LoadBalancerName())
	if balancer == nil {
		return f.error("LoadBalancerMissing", missingHint(env, "the balancer"), "the load balancer %s does not exist", env.LoadBalancerName())
	}
	state := elbtypes.LoadBalancerState{}
	if balancer.State != nil {
		state = *balancer.State
	}
	zones := len(balancer.AvailabilityZones)
	f = f.with("dns_name", aws.ToString(balancer.DNSName)).with("state", string(state.Code)).
		with("scheme", string(balancer.Scheme)).with("zones", zones)
	for key, detail := range map[string]string{
		"access_logs.s3.enabled": "access_logs", "deletion_protection.enabled": "deletion_protection",
		"routing.http.drop_invalid_header_fields.enabled": "drop_invalid_headers",
	} {
		if value, ok := settings[key]; ok {
			f = f.with(detail, value == "true")
		}
	}
	switch {
	case state.Code == "":
		return f.unknown("StateUnknown", incompleteAnswer("DescribeLoadBalancers", "a state"), "it is unknown whether the load balancer is active")
	case state.Code == elbtypes.LoadBalancerStateEnumFailed:
		return f.error("LoadBalancerFailed", deployHint(env, "AWS could not set it up"), "the load balancer failed: %s", aws.ToString(state.Reason))
	case state.Code == elbtypes.LoadBalancerStateEnumActiveImpaired:
		return f.warning("LoadBalancerImpaired", Hint{
			Cause:    "AWS cannot scale it, often because its subnets have no free addresses",
			Solution: "check how many free addresses the public subnets have",
		}, "the load balancer is active, but impaired: %s", aws.ToString(state.Reason))
	case state.Code != elbtypes.LoadBalancerStateEnumActive:
		return f.warning("LoadBalancerNotActive", Hint{Cause: "it is being created", Solution: "wait a few minutes"}, "the load balancer is %s", state.Code)
	case balancer.Scheme == "":
		return f.unknown("SchemeUnknown", incompleteAnswer("DescribeLoadBalancers", "a scheme"),
			"it is unknown whether the load balancer is reachable from the internet")
	case balancer.Scheme != elbtypes.LoadBalancerSchemeEnumInternetFacing:
		return f.error("LoadBalancerInternal", driftHint(env, "it was created with another scheme"), "the load balancer is not reachable from the internet")
	case zones < 2:
		return f.warning("TooFewZones", driftHint(env, "a subnet was removed"), "the load balancer is in %d zone", zones)
	case settings["access_logs.s3.enabled"] == "false":
		return f.warning("AccessLogsOff", driftHint(env, "the setting was changed outside the deployer"), "the load balancer writes no access logs")
	}
	return f.healthy("Active", "active in %d zones", zones)
}
