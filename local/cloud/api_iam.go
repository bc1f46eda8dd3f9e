package cloud

import (
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func iamOperations() []operation {
	return []operation{
		readOp(getRole), readOp(listRoles), readOp(listRolePolicies), readOp(getRolePolicy), readOp(listAttachedRolePolicies),
		readOp(listOIDCProviders),
	}
}

func (m model) role(name *string) (*Resource, error) {
	if r := m.Get(typeRole, deref(name)); r != nil {
		return r, nil
	}
	return nil, &types.NoSuchEntityException{Message: aws.String("The role with name " + deref(name) + " cannot be found.")}
}

// policyText encodes a policy for a URL, as IAM returns it.
func policyText(policy string) *string {
	return aws.String(strings.ReplaceAll(url.QueryEscape(policy), "+", "%20"))
}

func getRole(m model, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	r, err := m.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	role := listedRole(r)
	if boundary := r.Text("permissionsBoundary"); boundary != "" {
		role.PermissionsBoundary = &types.AttachedPermissionsBoundary{PermissionsBoundaryArn: aws.String(boundary)}
	}
	for _, tag := range ecsTags(r) {
		role.Tags = append(role.Tags, types.Tag{Key: tag.Key, Value: tag.Value})
	}
	return &iam.GetRoleOutput{Role: &role}, nil
}

// listedRole returns what lists contain of a role: neither its boundary nor its tags.
func listedRole(r *Resource) types.Role {
	return types.Role{
		RoleName: aws.String(r.ID), Arn: aws.String(r.Text("arn")), Path: aws.String(r.Text("path")), RoleId: aws.String(r.Text("uniqueId")),
		CreateDate: &r.Created, AssumeRolePolicyDocument: policyText(r.Text("assumeRolePolicy")), Description: orNil(r.Text("description")),
		MaxSessionDuration: int32p(numberOr(r, "maxSessionDuration", 3600)),
	}
}

func listRoles(m model, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	var found []types.Role
	for _, r := range m.ByType(typeRole) {
		if strings.HasPrefix(r.Text("path"), deref(in.PathPrefix)) {
			found = append(found, listedRole(r))
		}
	}
	found, next, err := page(found, in.Marker, in.MaxItems, 100)
	return &iam.ListRolesOutput{Roles: found, Marker: next, IsTruncated: next != nil}, err
}

func listRolePolicies(m model, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	role, err := m.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListRolePoliciesOutput{}
	for _, r := range m.ByType(typeRolePolicy) {
		if r.Text("role") == role.ID {
			out.PolicyNames = append(out.PolicyNames, r.Text("name"))
		}
	}
	return out, nil
}

func getRolePolicy(m model, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	r := m.Get(typeRolePolicy, deref(in.RoleName)+":"+deref(in.PolicyName))
	if r == nil {
		return nil, &types.NoSuchEntityException{Message: aws.String("The role policy with name " + deref(in.PolicyName) + " cannot be found.")}
	}
	return &iam.GetRolePolicyOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: policyText(r.Text("policy"))}, nil
}

func listAttachedRolePolicies(m model, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	role, err := m.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListAttachedRolePoliciesOutput{}
	for _, r := range m.ByType(typeRolePolicyAttachment) {
		if policy := m.Get(typePolicy, r.Text("policyArn")); policy != nil && r.Text("role") == role.ID {
			out.AttachedPolicies = append(out.AttachedPolicies, types.AttachedPolicy{
				PolicyArn: aws.String(policy.ID), PolicyName: aws.String(policy.Text("name")),
			})
		}
	}
	return out, nil
}

func listOIDCProviders(m model, _ *iam.ListOpenIDConnectProvidersInput) (*iam.ListOpenIDConnectProvidersOutput, error) {
	out := &iam.ListOpenIDConnectProvidersOutput{}
	for _, r := range m.ByType(typeOIDCProvider) {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, types.OpenIDConnectProviderListEntry{Arn: aws.String(r.ID)})
	}
	return out, nil
}
