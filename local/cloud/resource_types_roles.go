package cloud

import (
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/iampolicy"
)

// maxPolicySize is how many characters a managed policy may have, whitespace not counted:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxPolicySize = 6144

// policyNotFound returns the format of IAM's message for a managed policy that does not exist.
func policyNotFound(what string) string { return what + " %s does not exist or is not attachable." }

// malformed returns IAM's error for what is wrong with a policy document, or nil.
func malformed(problem error) error {
	if problem == nil {
		return nil
	}
	return errorf("MalformedPolicyDocument", "%s", problem)
}

// roleTypes are the types of IAM: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
var roleTypes = map[string]resourceType{
	typeRole: {
		name:     "name",
		id:       "${name}",
		required: []string{"assumeRolePolicy"}, replaceOnChange: []string{"name", "namePrefix", "path"},
		defaults: values{"path": "/", "maxSessionDuration": 3600.0, "forceDetachPolicies": false, "description": ""},
		computed: map[string]string{"uniqueId": "AROA${HEX17}", "arn": "arn:aws:iam::${account}:role${path}${name}"},
		rules: []rule{matchesPattern("name", `^[\w+=,.@-]{1,64}$`, "must match [\\w+=,.@-] and have at most 64 characters"),
			isJSON("assumeRolePolicy"), inRange("maxSessionDuration", 3600, 43200)},
		refs:     []ref{refTo("permissionsBoundary", typePolicy, "NoSuchEntity", policyNotFound("Scope ARN:"))},
		compute:  func(_ *State, r *Resource) { r.Outputs["createDate"] = r.Created.Format(time.RFC3339) },
		validate: func(_ *State, r *Resource) error { return malformed(iampolicy.CheckTrust(r.Text("assumeRolePolicy"))) },
		conflict: errorTemplate{"EntityAlreadyExists", "Role with name %s already exists."},
		onDelete: func(s *State, r *Resource) error {
			for _, attached := range s.ByType(typeRolePolicyAttachment) {
				if attached.Text("role") == r.ID {
					return errorf("DeleteConflict", "Cannot delete entity, must detach all policies first.")
				}
			}
			for _, policy := range s.ByType(typeRolePolicy) {
				if policy.Text("role") == r.ID {
					return errorf("DeleteConflict", "Cannot delete entity, must delete policies first.")
				}
			}
			return nil
		},
	},
	typeRolePolicy: {
		name:     "name",
		id:       "${role}:${name}",
		required: []string{"role", "policy"}, replaceOnChange: []string{"role", "name", "namePrefix"},
		rules:    []rule{isJSON("policy")},
		refs:     []ref{refTo("role", typeRole, "NoSuchEntity", "The role with name %s cannot be found.")},
		validate: func(_ *State, r *Resource) error { return malformed(iampolicy.CheckIdentity(r.Text("policy"))) },
	},
	typePolicy: {
		name:     "name",
		id:       "${arn}",
		required: []string{"policy"}, replaceOnChange: []string{"name", "namePrefix", "path", "description"},
		defaults: values{"path": "/", "description": ""},
		computed: map[string]string{"policyId": "ANPA${HEX17}", "arn": "arn:aws:iam::${account}:policy${path}${name}"},
		rules: []rule{matchesPattern("name", `^[\w+=,.@-]{1,128}$`, "must match [\\w+=,.@-] and have at most 128 characters"),
			isJSON("policy")},
		validate: func(_ *State, r *Resource) error {
			if size := len(strings.Join(strings.Fields(r.Text("policy")), "")); size > maxPolicySize {
				return errorf("LimitExceeded", "Cannot exceed quota for PolicySize: %d", maxPolicySize)
			}
			return malformed(iampolicy.CheckIdentity(r.Text("policy")))
		},
		conflict: errorTemplate{"EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed."},
		inUse:    errorTemplate{"DeleteConflict", "Cannot delete a policy attached to entities."},
	},
	typeRolePolicyAttachment: {
		id:       "${role}-${num17}",
		importID: func(r *Resource) string { return r.Text("role") + "/" + r.Text("policyArn") },
		required: []string{"role", "policyArn"}, replaceOnChange: []string{"role", "policyArn"}, deleteFirst: true,
		refs: []ref{
			refTo("role", typeRole, "NoSuchEntity", "The role with name %s cannot be found."),
			refTo("policyArn", typePolicy, "NoSuchEntity", policyNotFound("Policy")),
		},
	},
	typeOIDCProvider: {
		name:     "url",
		id:       "${arn}",
		required: []string{"url", "clientIdLists"}, replaceOnChange: []string{"url"},
		defaults: values{"thumbprintLists": array("ffffffffffffffffffffffffffffffffffffffff")},
		rules:    []rule{matchesPattern("url", `^https://`, "must be a URL that begins with https://")},
		compute: func(s *State, r *Resource) {
			r.Outputs["arn"] = "arn:aws:iam::" + s.ID + ":oidc-provider/" + strings.TrimPrefix(r.Text("url"),
				"https://")
		},
		conflict: errorTemplate{"EntityAlreadyExists", "Provider with url %s already exists."},
	},
}
