package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func checkWAF(ctx context.Context, rc *runContext) ([]Finding, error) {
	balancer, err := readBalancer(ctx, rc)
	if err != nil {
		return nil, err
	}
	if balancer == nil {
		return []Finding{newFinding("waf", wafID(rc.env)).error("LoadBalancerMissing",
			deployHint(rc.env, "the environment was never deployed"), "the load balancer that it protects does not exist")}, nil
	}
	out, err := wafv2.NewFromConfig(rc.aws()).GetWebACLForResource(ctx, &wafv2.GetWebACLForResourceInput{
		ResourceArn: balancer.LoadBalancerArn,
	})
	// AWS returns no web ACL where there is none; emulators return an error.
	if hasCode(err, "WAFNonexistentItemException") {
		return []Finding{evaluateWAF(nil, rc.env)}, nil
	}
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateWAF(out.WebACL, rc.env)}, nil
}

func wafID(env *environment.Environment) string { return "WAF-" + env.WebACLName() }

func evaluateWAF(acl *waftypes.WebACL, env *environment.Environment) Finding {
	f := newFinding("waf", wafID(env))
	if acl == nil {
		return f.error("Unprotected", driftHint(env, "the association was removed, or never created"), "the load balancer has no web ACL")
	}
	name, rules := aws.ToString(acl.Name), len(acl.Rules)
	limit, limited := rateLimit(acl.Rules)
	f = f.with("name", name).with("rules", rules).with("rate_limit", limit)
	switch {
	case name != env.WebACLName():
		return f.warning("OtherWebACL", driftHint(env, "another one was associated outside the deployer"), "the load balancer has the web ACL %s, not %s", name, env.WebACLName())
	case rules == 0:
		return f.error("NoRules", driftHint(env, "the rules were deleted"), "the web ACL has no rules and blocks nothing")
	case !limited:
		return f.warning("NoRateLimit", driftHint(env, "the rule was deleted"), "the web ACL has %s, none of which limits rates", text.Plural(rules, "rule", "rules"))
	case int(limit) != env.Firewall.RateLimit:
		return f.warning("OtherRateLimit", driftHint(env, "the limit was changed outside the deployer"),
			"an address may make %d requests in five minutes, the environment's file has %d", limit, env.Firewall.RateLimit)
	}
	return f.healthy("Protected", "%s, %d requests an address in five minutes", text.Plural(rules, "rule", "rules"), limit)
}

func rateLimit(rules []waftypes.Rule) (int64, bool) {
	for _, r := range rules {
		if r.Statement != nil && r.Statement.RateBasedStatement != nil {
			return aws.ToInt64(r.Statement.RateBasedStatement.Limit), true
		}
	}
	return 0, false
}
