package cloud

import (
	"strings"
	"time"
)

// policySize is how many characters a managed policy may have, blanks not counted:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const policySize = 6144

// noPolicy is how IAM says that there is no such managed policy.
func noPolicy(what string) string { return what + " %s does not exist or is not attachable." }

// roleKinds are those of IAM: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
var roleKinds = map[string]kind{
	typeRole: {
		name:     "name",
		id:       "${name}",
		required: []string{"assumeRolePolicy"}, fixed: []string{"name", "namePrefix", "path"},
		defaults: values{"path": "/", "maxSessionDuration": 3600.0, "forceDetachPolicies": false, "description": ""},
		computed: map[string]string{"uniqueId": "AROA${HEX17}", "arn": "arn:aws:iam::${account}:role${path}${name}"},
		rules: []rule{matches("name", `^[\w+=,.@-]{1,64}$`, "must match [\\w+=,.@-] and have at most 64 characters"),
			isJSON("assumeRolePolicy"), bounded("maxSessionDuration", 3600, 43200)},
		refs:     []ref{to("permissionsBoundary", typePolicy, "NoSuchEntity", noPolicy("Scope ARN:"))},
		complete: func(_ *State, r *Resource) { r.Outputs["createDate"] = r.Created.Format(time.RFC3339) },
		taken:    refusal{"EntityAlreadyExists", "Role with name %s already exists."},
		removed: func(s *State, r *Resource) error {
			for _, attached := range s.ByType(typeRolePolicyAttachment) {
				if attached.Text("role") == r.ID {
					return refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
				}
			}
			for _, policy := range s.ByType(typeRolePolicy) {
				if policy.Text("role") == r.ID {
					return refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
				}
			}
			return nil
		},
	},
	typeRolePolicy: {
		name:     "name",
		id:       "${role}:${name}",
		required: []string{"role", "policy"}, fixed: []string{"role", "name", "namePrefix"},
		rules: []rule{isJSON("policy")},
		refs:  []ref{to("role", typeRole, "NoSuchEntity", "The role with name %s cannot be found.")},
	},
	typePolicy: {
		name:     "name",
		id:       "${arn}",
		required: []string{"policy"}, fixed: []string{"name", "namePrefix", "path", "description"},
		defaults: values{"path": "/", "description": ""},
		computed: map[string]string{"policyId": "ANPA${HEX17}", "arn": "arn:aws:iam::${account}:policy${path}${name}"},
		rules: []rule{matches("name", `^[\w+=,.@-]{1,128}$`, "must match [\\w+=,.@-] and have at most 128 characters"),
			isJSON("policy")},
		admit: func(_ *State, r *Resource) error {
			if size := len(strings.Join(strings.Fields(r.Text("policy")), "")); size > policySize {
				return refuse("LimitExceeded", "Cannot exceed quota for PolicySize: %d", policySize)
			}
			return nil
		},
		taken: refusal{"EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed."},
		inUse: refusal{"DeleteConflict", "Cannot delete a policy attached to entities."},
	},
	typeRolePolicyAttachment: {
		id:       "${role}-${num17}",
		imports:  func(r *Resource) string { return r.Text("role") + "/" + r.Text("policyArn") },
		required: []string{"role", "policyArn"}, fixed: []string{"role", "policyArn"},
		refs: []ref{
			to("role", typeRole, "NoSuchEntity", "The role with name %s cannot be found."),
			to("policyArn", typePolicy, "NoSuchEntity", noPolicy("Policy")),
		},
	},
	typeOIDCProvider: {
		name:     "url",
		id:       "${arn}",
		required: []string{"url", "clientIdLists"}, fixed: []string{"url"},
		defaults: values{"thumbprintLists": array("ffffffffffffffffffffffffffffffffffffffff")},
		rules:    []rule{matches("url", `^https://`, "must be a URL that begins with https://")},
		complete: func(s *State, r *Resource) {
			r.Outputs["arn"] = "arn:aws:iam::" + s.ID + ":oidc-provider/" + strings.TrimPrefix(r.Text("url"),
				"https://")
		},
		taken: refusal{"EntityAlreadyExists", "Provider with url %s already exists."},
	},
}
