package environment

// ManagedRuleGroup is a rule group that AWS manages.
type ManagedRuleGroup struct {
	Name string
	// CountOnly lists the rules whose matches are counted and let through. WAF ignores a name that the group does not have.
	CountOnly []string
}

// ManagedRuleGroups returns the rule groups of a web ACL in the order of evaluation.
//
// An API for GraphQL receives programs, as a query string or as a body: longer than 2 KB, with braces, comments, HTML in mutations, file names
// and words of SQL. The rules about the contents and the size of these two match legitimate requests, so they only count; the first 8 KB are
// still inspected, and the metrics show matches. The application parses each request by its schema, and binds values in its queries. Rules
// about the path, cookies and headers, known exploits (Log4j, deserialization, React) and requests for instance metadata block.
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
// Source: https://github.com/coreruleset/coreruleset/issues/1775
// Source: https://github.com/oqtopus-team/oqtopus-cloud/issues/431
// Source: https://github.com/cds-snc/notification-terraform/pull/498
func ManagedRuleGroups() []ManagedRuleGroup {
	return []ManagedRuleGroup{
		{Name: "AWSManagedRulesAmazonIpReputationList"},
		{Name: "AWSManagedRulesKnownBadInputsRuleSet"},
		{Name: "AWSManagedRulesCommonRuleSet", CountOnly: []string{
			"SizeRestrictions_QUERYSTRING", "SizeRestrictions_BODY",
			"GenericLFI_QUERYARGUMENTS", "GenericLFI_BODY",
			"GenericRFI_QUERYARGUMENTS", "GenericRFI_BODY",
			"CrossSiteScripting_QUERYARGUMENTS", "CrossSiteScripting_BODY",
			"RestrictedExtensions_QUERYARGUMENTS",
		}},
		{Name: "AWSManagedRulesSQLiRuleSet", CountOnly: []string{
			"SQLi_QUERYARGUMENTS", "SQLi_BODY", "SQLiExtendedPatterns_QUERYARGUMENTS", "SQLiExtendedPatterns_BODY",
		}},
	}
}
