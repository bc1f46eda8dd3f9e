package checks

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/balancer/v3-backend-infra/environment"
)

// tasksPrincipal is the service that assumes the roles of tasks.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
const tasksPrincipal = "ecs-tasks.amazonaws.com"

func checkRoles(ctx context.Context, rc *runContext) ([]Finding, error) {
	names := []string{rc.env.ExecutionRoleName(), rc.env.TaskRoleName()}
	return forEach(ctx, names, func(ctx context.Context, name string) ([]Finding, error) {
		out, err := iam.NewFromConfig(rc.aws()).GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
		switch {
		case hasCode(err, "NoSuchEntity"):
			return []Finding{evaluateRole(name, nil, rc.env)}, nil
		case err != nil:
			return nil, err
		}
		return []Finding{evaluateRole(name, out.Role, rc.env)}, nil
	})
}

// evaluateRole evaluates a role by who may assume it.
func evaluateRole(name string, role *iamtypes.Role, env *environment.Environment) Finding {
	f := newFinding("roles", "IAM-Role-"+name)
	if role == nil {
		return f.error("RoleMissing", missingHint(env, "the role"), "the role %s does not exist", name)
	}
	if role.AssumeRolePolicyDocument == nil {
		return f.unknown("TrustUnknown", incompleteAnswer("GetRole", "the trust policy"), "it is unknown who may assume the role %s", name)
	}
	trusted, err := trustedPrincipals(aws.ToString(role.AssumeRolePolicyDocument))
	f = f.with("trusts", trusted)
	if role.RoleLastUsed != nil && role.RoleLastUsed.LastUsedDate != nil {
		f = f.with("last_used", role.RoleLastUsed.LastUsedDate.UTC().Format("2006-01-02"))
	}
	hint := driftHint(env, "the trust policy was changed outside the deployer")
	switch {
	case err != nil:
		return f.error("TrustUnreadable", hint, "the role's trust policy is not a policy document")
	case slices.Contains(trusted, "*"):
		return f.error("TrustsAnyPrincipal", hint, "any principal may assume the role %s", name)
	case !slices.Contains(trusted, tasksPrincipal):
		return f.error("TasksNotTrusted", hint, "tasks may not assume the role %s", name)
	case len(trusted) > 1:
		return f.warning("TrustsOthers", hint, "principals other than tasks may assume the role %s", name)
	}
	return f.healthy("Trusted", "assumed by tasks only")
}

// trustedPrincipals returns the principals that a URL-encoded trust policy allows to assume its role, sorted.
func trustedPrincipals(document string) ([]string, error) {
	text, err := url.QueryUnescape(document)
	if err != nil {
		return nil, err
	}
	var policy struct {
		Statement []struct {
			Effect    string
			Principal any
		}
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, err
	}
	var principals []string
	for _, s := range policy.Statement {
		if s.Effect == "Allow" {
			principals = append(principals, flatten(s.Principal)...)
		}
	}
	slices.Sort(principals)
	return slices.Compact(principals), nil
}

// flatten returns the strings in a value of a policy: one, a list, or a map of them.
func flatten(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, v := range value {
			all = append(all, flatten(v)...)
		}
		return all
	case map[string]any:
		return flatten(slices.Collect(maps.Values(value)))
	}
	return nil
}
