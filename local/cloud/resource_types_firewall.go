package cloud

import (
	"strings"
	"time"
)

// firewallTypes are the types of WAF: https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html
var firewallTypes = map[string]resourceType{
	typeWebACL: {
		name: "name",
		id:   "${uuid}",
		importID: func(r *Resource) string {
			return r.ID + "/" + r.Text("name") + "/" + r.Text("scope")
		},
		required:        []string{"scope", "defaultAction", "visibilityConfig"},
		replaceOnChange: []string{"name", "namePrefix", "scope"},
		defaults:        values{"capacity": 700.0, "tokenDomains": array()},
		computed: map[string]string{
			"arn": "arn:aws:wafv2:${region}:${account}:regional/webacl/${name}/${id}", "lockToken": "${uuid.lock}",
		},
		rules: []rule{oneOf("scope", "CLOUDFRONT", "REGIONAL"),
			matchesPattern("name", `^[a-zA-Z0-9_-]{1,128}$`,
				"must contain only alphanumeric hyphen and underscore characters")},
		validate: unique("name", "WAFDuplicateItemException",
			"AWS WAF couldn't perform the operation because some resource in your request is a duplicate of an existing one: %s"),
		inUse: errorTemplate{"WAFAssociatedItemException",
			"AWS WAF couldn't perform the operation because your resource %s is being used by another resource."},
		deleteTimeout: 5 * time.Minute,
		creationDelay: 5 * time.Second,
	},
	typeWebACLAssociation: {
		id:       "${webAclArn},${resourceArn}",
		required: []string{"resourceArn", "webAclArn"}, replaceOnChange: []string{"resourceArn", "webAclArn"},
		refs: []ref{
			refTo("webAclArn", typeWebACL, "WAFNonexistentItemException",
				"AWS WAF couldn't perform the operation because %s doesn't exist.", "arn"),
			refTo("resourceArn", typeLoadBalancer, "WAFUnavailableEntityException", "AWS WAF couldn't retrieve %s."),
		},
		creationDelay: 5 * time.Second,
	},
	typeWebACLLogging: {
		id:       "${resourceArn}",
		required: []string{"resourceArn", "logDestinationConfigs"}, replaceOnChange: []string{"resourceArn"},
		refs: []ref{
			refTo("resourceArn", typeWebACL, "WAFNonexistentItemException",
				"AWS WAF couldn't perform the operation because %s doesn't exist.", "arn"),
			refTo("logDestinationConfigs", typeLogGroup, "WAFLogDestinationPermissionIssueException",
				"The log destination %s does not exist.", "arn"),
		},
		validate: func(_ *State, r *Resource) error {
			for _, destination := range r.Strings("logDestinationConfigs") {
				if !strings.Contains(destination, ":log-group:aws-waf-logs-") {
					return errorf("WAFInvalidParameterException",
						"Error reason: The ARN isn't valid. A valid ARN begins with arn: and includes other "+
							"information separated by colons or slashes, and its name with aws-waf-logs-., "+
							"field: LOG_DESTINATION, parameter: %s", destination)
				}
			}
			return nil
		},
	},
}
