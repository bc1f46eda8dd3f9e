package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/environment"
)

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
		return f.error("LoadBalancerMissing", missingHint(env, "the balancer"),
			"the load balancer %s does not exist", env.LoadBalancerName())
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
	case state.Code == elbtypes.LoadBalancerStateEnumFailed:
		return f.error("LoadBalancerFailed", deployHint(env, "AWS could not set it up"), "the load balancer failed: %s", aws.ToString(state.Reason))
	case state.Code == elbtypes.LoadBalancerStateEnumActiveImpaired:
		return f.warning("LoadBalancerImpaired", Hint{
			Cause:    "AWS cannot scale it, often because its subnets have no free addresses",
			Solution: "check how many free addresses the public subnets have",
		}, "the load balancer is active, but impaired: %s", aws.ToString(state.Reason))
	case state.Code != elbtypes.LoadBalancerStateEnumActive:
		return f.warning("LoadBalancerNotActive", Hint{
			Cause: "it is being created", Solution: "wait a few minutes",
		}, "the load balancer is %s", state.Code)
	case balancer.Scheme != elbtypes.LoadBalancerSchemeEnumInternetFacing:
		return f.error("LoadBalancerInternal", driftHint(env, "it was created with another scheme"), "the load balancer is not reachable from the internet")
	case zones < 2:
		return f.warning("TooFewZones", driftHint(env, "a subnet was removed"), "the load balancer is in %d zone", zones)
	case settings["access_logs.s3.enabled"] == "false":
		return f.warning("AccessLogsOff", driftHint(env, "the setting was changed outside the deployer"), "the load balancer writes no access logs")
	}
	return f.healthy("Active", "active in %d zones", zones)
}
