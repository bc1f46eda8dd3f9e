package cloud

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"
)

func wafOperations() []operation {
	return []operation{readOp(listWebACLs), readOp(getWebACLForResource)}
}

func listWebACLs(m model, in *wafv2.ListWebACLsInput) (*wafv2.ListWebACLsOutput, error) {
	var found []types.WebACLSummary
	for _, r := range m.ByType(typeWebACL) {
		if r.Text("scope") == string(in.Scope) {
			found = append(found, types.WebACLSummary{
				ARN: aws.String(r.Text("arn")), Id: aws.String(r.ID), Name: aws.String(r.Text("name")),
				Description: orNil(r.Text("description")), LockToken: aws.String(r.Text("lockToken")),
			})
		}
	}
	found, next, err := page(found, in.NextMarker, in.Limit, 100)
	return &wafv2.ListWebACLsOutput{WebACLs: found, NextMarker: next}, err
}

func getWebACLForResource(m model, in *wafv2.GetWebACLForResourceInput) (*wafv2.GetWebACLForResourceOutput, error) {
	if m.Get(typeLoadBalancer, deref(in.ResourceArn)) == nil {
		return nil, &types.WAFNonexistentItemException{Message: aws.String(
			"AWS WAF couldn't perform the operation because your resource doesn't exist.")}
	}
	association := m.Find(typeWebACLAssociation, "resourceArn", deref(in.ResourceArn))
	if association == nil {
		return &wafv2.GetWebACLForResourceOutput{}, nil
	}
	r := m.Find(typeWebACL, "arn", association.Text("webAclArn"))
	acl := &types.WebACL{
		ARN: aws.String(r.Text("arn")), Id: aws.String(r.ID), Name: aws.String(r.Text("name")), Capacity: int64(numberOr(r, "capacity", 0)),
		Description: orNil(r.Text("description")), DefaultAction: &types.DefaultAction{},
	}
	for _, block := range r.Blocks("defaultAction") {
		if _, blocks := block["block"]; blocks {
			acl.DefaultAction.Block = &types.BlockAction{}
		} else {
			acl.DefaultAction.Allow = &types.AllowAction{}
		}
	}
	for _, block := range r.Blocks("rules") {
		acl.Rules = append(acl.Rules, ruleOfACL(block))
	}
	return &wafv2.GetWebACLForResourceOutput{WebACL: acl}, nil
}

// ruleOfACL converts managed rule groups and rate limits; of other statements it returns only the name.
func ruleOfACL(block map[string]any) types.Rule {
	rule := types.Rule{
		Name: aws.String(blockText(block, "name")), Priority: int32(blockNumber(block, "priority")), Statement: &types.Statement{},
	}
	statement, _ := block["statement"].(map[string]any)
	if group, ok := statement["managedRuleGroupStatement"].(map[string]any); ok {
		managed := &types.ManagedRuleGroupStatement{
			Name: aws.String(blockText(group, "name")), VendorName: aws.String(blockText(group, "vendorName")),
		}
		for _, override := range blocksIn(group, "ruleActionOverrides") {
			managed.RuleActionOverrides = append(managed.RuleActionOverrides, types.RuleActionOverride{
				Name: aws.String(blockText(override, "name")), ActionToUse: actionOfRule(override),
			})
		}
		rule.Statement.ManagedRuleGroupStatement = managed
		rule.OverrideAction = &types.OverrideAction{None: &types.NoneAction{}}
	}
	if rate, ok := statement["rateBasedStatement"].(map[string]any); ok {
		rule.Statement.RateBasedStatement = &types.RateBasedStatement{
			Limit: aws.Int64(int64(blockNumber(rate, "limit"))), AggregateKeyType: types.RateBasedStatementAggregateKeyType(blockText(rate, "aggregateKeyType")),
		}
		rule.Action = &types.RuleAction{Block: &types.BlockAction{}}
	}
	return rule
}

// actionOfRule returns the action that an override uses: Count, or else Block.
func actionOfRule(override map[string]any) *types.RuleAction {
	use, _ := override["actionToUse"].(map[string]any)
	if _, counts := use["count"]; counts {
		return &types.RuleAction{Count: &types.CountAction{}}
	}
	return &types.RuleAction{Block: &types.BlockAction{}}
}

func blocksIn(block map[string]any, property string) []map[string]any {
	return (&Resource{Outputs: block}).Blocks(property)
}
