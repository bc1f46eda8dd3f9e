package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/wafv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Firewall is the web ACL in front of the load balancer: AWS's managed rules and a rate limit per address.
type Firewall struct {
	pulumi.ResourceState

	// ARN is the web ACL's.
	ARN pulumi.StringOutput
}

// NewFirewall declares a Firewall.
func NewFirewall(
	ctx *pulumi.Context, name string, env *environment.Environment, balancerARN pulumi.StringInput, opts ...pulumi.ResourceOption,
) (*Firewall, error) {
	c := &Firewall{}
	child, err := declare(ctx, "Firewall", name, c, opts)
	if err != nil {
		return nil, err
	}
	acl, err := wafv2.NewWebAcl(ctx, name, &wafv2.WebAclArgs{
		Name:          pulumi.String(env.WebACLName()),
		Description:   pulumi.String("Managed rules and a rate limit in front of " + env.LoadBalancerName()),
		Scope:         pulumi.String("REGIONAL"),
		DefaultAction: wafv2.WebAclDefaultActionArgs{Allow: wafv2.WebAclDefaultActionAllowArgs{}},
		Rules:         firewallRules(env),
		VisibilityConfig: wafv2.WebAclVisibilityConfigArgs{
			CloudwatchMetricsEnabled: pulumi.Bool(true),
			MetricName:               pulumi.String(env.WebACLName()),
			SampledRequestsEnabled:   pulumi.Bool(false),
		},
		Tags: withName(env.Tags(), env.WebACLName()),
	}, child)
	if err != nil {
		return nil, err
	}
	if _, err := wafv2.NewWebAclAssociation(ctx, name, &wafv2.WebAclAssociationArgs{
		ResourceArn: balancerARN,
		WebAclArn:   acl.Arn,
	}, child); err != nil {
		return nil, err
	}
	if env.Monitoring.AtLeast(environment.Enhanced) {
		if err := newFirewallLogs(ctx, name+"-logs", env, acl, child); err != nil {
			return nil, err
		}
	}
	c.ARN = acl.Arn
	return c, finish(ctx, name, c, pulumi.Map{"arn": c.ARN})
}

// firewallRules renders the rate limit, then the managed rules.
func firewallRules(env *environment.Environment) wafv2.WebAclRuleArray {
	rules := wafv2.WebAclRuleArray{wafv2.WebAclRuleArgs{
		Name:     pulumi.String("RateLimit"),
		Priority: pulumi.Int(0),
		Action:   wafv2.WebAclRuleActionArgs{Block: wafv2.WebAclRuleActionBlockArgs{}},
		Statement: wafv2.WebAclRuleStatementArgs{
			RateBasedStatement: wafv2.WebAclRuleStatementRateBasedStatementArgs{
				AggregateKeyType:    pulumi.String("IP"),
				EvaluationWindowSec: pulumi.Int(300),
				Limit:               pulumi.Int(env.Firewall.RateLimit),
			},
		},
		VisibilityConfig: visibilityConfig("RateLimit"),
	}}
	for i, group := range environment.ManagedRuleGroups() {
		rules = append(rules, managedRule(group, i+1))
	}
	return rules
}

// managedRule renders a rule group. Its own actions apply, except for the rules that only count.
func managedRule(m environment.ManagedRuleGroup, priority int) wafv2.WebAclRuleArgs {
	var counted wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArray
	for _, rule := range m.CountOnly {
		counted = append(counted, wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArgs{
			Name: pulumi.String(rule),
			ActionToUse: wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseArgs{
				Count: wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseCountArgs{},
			},
		})
	}
	return wafv2.WebAclRuleArgs{
		Name:           pulumi.String(m.Name),
		Priority:       pulumi.Int(priority),
		OverrideAction: wafv2.WebAclRuleOverrideActionArgs{None: wafv2.WebAclRuleOverrideActionNoneArgs{}},
		Statement: wafv2.WebAclRuleStatementArgs{
			ManagedRuleGroupStatement: wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs{
				VendorName:          pulumi.String("AWS"),
				Name:                pulumi.String(m.Name),
				RuleActionOverrides: counted,
			},
		},
		VisibilityConfig: visibilityConfig(m.Name),
	}
}

// visibilityConfig publishes the metrics of a rule, and no samples of requests: WAF keeps their headers and query
// strings whatever the logging configuration redacts, and everyone who may call GetSampledRequests reads them. The
// logs have the decisions.
// Source: https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingConfiguration.html
func visibilityConfig(metric string) wafv2.WebAclRuleVisibilityConfigArgs {
	return wafv2.WebAclRuleVisibilityConfigArgs{
		CloudwatchMetricsEnabled: pulumi.Bool(true),
		MetricName:               pulumi.String(metric),
		SampledRequestsEnabled:   pulumi.Bool(false),
	}
}

// newFirewallLogs logs the decisions of the web ACL, without the headers that have credentials. AWS requires the log
// group's name to begin with aws-waf-logs-.
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
func newFirewallLogs(
	ctx *pulumi.Context, name string, env *environment.Environment, acl *wafv2.WebAcl, child pulumi.ResourceOption,
) error {
	group, err := newLogGroup(ctx, name, "aws-waf-logs-"+env.WebACLName(), env, child)
	if err != nil {
		return err
	}
	var redacted wafv2.WebAclLoggingConfigurationRedactedFieldArray
	for _, header := range []string{"authorization", "cookie"} {
		redacted = append(redacted, wafv2.WebAclLoggingConfigurationRedactedFieldArgs{
			SingleHeader: wafv2.WebAclLoggingConfigurationRedactedFieldSingleHeaderArgs{Name: pulumi.String(header)},
		})
	}
	_, err = wafv2.NewWebAclLoggingConfiguration(ctx, name, &wafv2.WebAclLoggingConfigurationArgs{
		ResourceArn:           acl.Arn,
		LogDestinationConfigs: pulumi.StringArray{group.Arn},
		RedactedFields:        redacted,
	}, child)
	return err
}
