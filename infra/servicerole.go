package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// serviceRole is a role that an AWS service assumes on behalf of sources in this account, and its policy.
type serviceRole struct {
	name, service, sources, policy string
	permissions                    pulumi.StringInput
}

// newServiceRole declares a role of an environment. The account's boundary limits what any of its policies can allow, so
// that permission to change its policy and to run a task with it is no escalation.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func newServiceRole(
	ctx *pulumi.Context, name string, env *environment.Environment, spec serviceRole, child pulumi.ResourceOption,
) (*iam.Role, *iam.RolePolicy, error) {
	trusted, err := document(trust(spec.service, env.Account, spec.sources))
	if err != nil {
		return nil, nil, err
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name:                pulumi.String(spec.name),
		AssumeRolePolicy:    pulumi.String(trusted),
		PermissionsBoundary: pulumi.String(environment.BoundaryARN(env.Prefix, env.Account)),
		Tags:                withName(env.Tags(), spec.name),
	}, child)
	if err != nil {
		return nil, nil, err
	}
	policy, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Name:   pulumi.String(spec.policy),
		Role:   role.Name,
		Policy: spec.permissions,
	}, child)
	return role, policy, err
}
