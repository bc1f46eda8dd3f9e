package environment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documentedRules are the rules of AWS's groups.
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-use-case.html
var documentedRules = map[string][]string{
	"AWSManagedRulesCommonRuleSet": {
		"NoUserAgent_HEADER", "UserAgent_BadBots_HEADER", "SizeRestrictions_QUERYSTRING", "SizeRestrictions_Cookie_HEADER",
		"SizeRestrictions_BODY", "SizeRestrictions_URIPATH", "EC2MetaDataSSRF_BODY", "EC2MetaDataSSRF_COOKIE", "EC2MetaDataSSRF_URIPATH",
		"EC2MetaDataSSRF_QUERYARGUMENTS", "GenericLFI_QUERYARGUMENTS", "GenericLFI_URIPATH", "GenericLFI_BODY", "RestrictedExtensions_URIPATH",
		"RestrictedExtensions_QUERYARGUMENTS", "GenericRFI_QUERYARGUMENTS", "GenericRFI_BODY", "GenericRFI_URIPATH", "CrossSiteScripting_COOKIE",
		"CrossSiteScripting_QUERYARGUMENTS", "CrossSiteScripting_BODY", "CrossSiteScripting_URIPATH",
	},
	"AWSManagedRulesSQLiRuleSet": {
		"SQLi_QUERYARGUMENTS", "SQLiExtendedPatterns_QUERYARGUMENTS", "SQLi_BODY", "SQLiExtendedPatterns_BODY", "SQLi_COOKIE",
	},
}

// TestCountedRules checks what the API's own requests consist of: every rule about the contents or the size of a query string or a body
// counts, apart from the one about instance metadata, and no other does. WAF would ignore a misspelled name.
func TestCountedRules(t *testing.T) {
	for _, group := range ManagedRuleGroups() {
		var want []string
		for _, rule := range documentedRules[group.Name] {
			_, part, _ := strings.Cut(rule, "_")
			if strings.HasPrefix(rule, "EC2MetaDataSSRF") || part != "BODY" && part != "QUERYARGUMENTS" && rule != "SizeRestrictions_QUERYSTRING" {
				continue
			}
			want = append(want, rule)
		}
		require.ElementsMatch(t, want, group.CountOnly, group.Name)
	}
}
