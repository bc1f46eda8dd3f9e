package checks

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
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
	f := evaluateWAF(out.WebACL, rc.env)
	if out.WebACL == nil {
		return []Finding{f}, nil
	}
	if blocked, found := readBlockedRequests(ctx, rc); found {
		f.Details["blocked_last_hour"] = blocked
		f.Message += fmt.Sprintf("; %s blocked in the last hour", text.Plural(blocked, "request", "requests"))
	}
	return []Finding{f}, nil
}

// readBlockedRequests returns how many requests the web ACL has blocked in the last hour, and whether CloudWatch has the number. No data are
// no blocked requests. It is supplementary evidence: without it nothing becomes unknown.
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html
func readBlockedRequests(ctx context.Context, rc *runContext) (count int, found bool) {
	dimension := func(name, value string) cwtypes.Dimension {
		return cwtypes.Dimension{Name: aws.String(name), Value: aws.String(value)}
	}
	out, err := cwmetrics.NewClient(rc.aws()).GetMetricData(ctx, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(rc.now.Add(-time.Hour)), EndTime: aws.Time(rc.now),
		MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("blocked"), MetricStat: &cwtypes.MetricStat{
			Metric: &cwtypes.Metric{Namespace: aws.String("AWS/WAFV2"), MetricName: aws.String("BlockedRequests"), Dimensions: []cwtypes.Dimension{
				dimension("WebACL", rc.env.WebACLName()), dimension("Region", rc.env.Region), dimension("Rule", "ALL"),
			}},
			Period: aws.Int32(int32(metricPeriod.Seconds())), Stat: aws.String("Sum"),
		}}},
	})
	if err != nil || len(out.MetricDataResults) == 0 {
		return 0, false
	}
	var sum float64
	for _, value := range out.MetricDataResults[0].Values {
		sum += value
	}
	return int(math.Round(sum)), true
}

func wafID(env *environment.Environment) string { return "WAF-" + env.WebACLName() }

func evaluateWAF(acl *waftypes.WebACL, env *environment.Environment) Finding {
	f := newFinding("waf", wafID(env))
	switch {
	case acl == nil && !env.Firewall.Enabled:
		return f.healthy("Disabled", "there is no web ACL: firewall.enabled is false in %s", environment.FileName(env.Stack))
	case acl != nil && !env.Firewall.Enabled:
		return f.with("name", aws.ToString(acl.Name)).warning("UnexpectedWebACL", differsHint(env, "it was associated"),
			"the load balancer has the web ACL %s, and firewall.enabled is false in %s", aws.ToString(acl.Name), environment.FileName(env.Stack))
	case acl == nil:
		return f.error("Unprotected", differsHint(env, "the association was removed"), "the load balancer has no web ACL")
	}
	name, rules := aws.ToString(acl.Name), len(acl.Rules)
	limit, limited := rateLimit(acl.Rules)
	differences := compareManagedRules(acl.Rules)
	f = f.with("name", name).with("rules", rules).with("rate_limit", limit)
	switch {
	case name != env.WebACLName():
		return f.warning("OtherWebACL", driftHint(env, "another one was associated outside the deployer"), "the load balancer has the web ACL %s, not %s", name, env.WebACLName())
	case rules == 0:
		return f.error("NoRules", driftHint(env, "the rules were deleted"), "the web ACL has no rules and blocks nothing")
	case !limited:
		return f.warning("NoRateLimit", driftHint(env, "the rule was deleted"), "the web ACL has %s, none of which limits rates", text.Plural(rules, "rule", "rules"))
	case len(differences) > 0:
		return f.with("differences", differences).warning("ManagedRulesDiffer", driftHint(env, "the rules were changed outside the deployer, or by "+
			"an earlier version of it: a rule that should count may block legitimate GraphQL, one that should block protects nothing"),
			"the managed rules differ from the program's: %s", strings.Join(differences, "; "))
	case int(limit) != env.Firewall.RateLimit:
		return f.warning("OtherRateLimit", differsHint(env, "the limit was changed"),
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

// compareManagedRules returns the differences of a web ACL from the rule groups and the counted rules that the program declares.
func compareManagedRules(rules []waftypes.Rule) []string {
	groups := map[string]waftypes.Rule{}
	for _, r := range rules {
		if r.Statement != nil && r.Statement.ManagedRuleGroupStatement != nil {
			groups[aws.ToString(r.Statement.ManagedRuleGroupStatement.Name)] = r
		}
	}
	var differences []string
	for _, want := range environment.ManagedRuleGroups() {
		r, exists := groups[want.Name]
		if !exists {
			differences = append(differences, want.Name+" is missing")
			continue
		}
		if r.OverrideAction != nil && r.OverrideAction.Count != nil {
			differences = append(differences, want.Name+" only counts")
		}
		overridden := map[string]bool{} // whether the rule counts
		for _, override := range r.Statement.ManagedRuleGroupStatement.RuleActionOverrides {
			overridden[aws.ToString(override.Name)] = override.ActionToUse != nil && override.ActionToUse.Count != nil
		}
		for _, name := range want.CountOnly {
			if !overridden[name] {
				differences = append(differences, name+" blocks")
			}
			delete(overridden, name)
		}
		for _, name := range slices.Sorted(maps.Keys(overridden)) {
			differences = append(differences, name+" is overridden")
		}
	}
	return differences
}
