package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Delivery is GitHub's way into the account: no keys, but roles that its workflows assume with a token of GitHub's.
type Delivery struct {
	pulumi.ResourceState

	// DeployRoleARN is for the listed GitHub environments, ProductionRoleARN for production alone, ReadRoleARN for any
	// workflow of the listed repositories.
	DeployRoleARN, ProductionRoleARN, ReadRoleARN pulumi.StringOutput
}

// DeliveryArgs is what Delivery needs to know.
type DeliveryArgs struct {
	Shared *environment.Shared
	// RepositoryARN and ZoneARN are what environments share.
	RepositoryARN, ZoneARN pulumi.StringInput
}

const (
	githubIssuer   = "token.actions.githubusercontent.com"
	githubAudience = "sts.amazonaws.com"
	// production is the GitHub environment, and ours, that has a role of its own.
	production = "production"
)

// githubRole is one role, who may assume it, and what for.
type githubRole struct {
	suffix, name string
	subjects     []string
	// permissions are what the role may do beside reading; nil is nothing.
	permissions func(shared) []statement
}

// githubRoles are the roles of the contract.
func githubRoles(s *environment.Shared) []githubRole {
	return []githubRole{
		{"-deploy", environment.DeployRole, environmentSubjects(s, s.GitHub.Environments...), deployPermissions},
		{"-production", environment.ProductionDeployRole, environmentSubjects(s, production), productionPermissions},
		{"-read", environment.ReadRole, repositorySubjects(s), nil},
	}
}

// NewDelivery declares Delivery.
// Source: https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
func NewDelivery(ctx *pulumi.Context, name string, args *DeliveryArgs, opts ...pulumi.ResourceOption) (*Delivery, error) {
	c := &Delivery{}
	child, err := declare(ctx, "Delivery", name, c, opts)
	if err != nil {
		return nil, err
	}
	github, err := iam.NewOpenIdConnectProvider(ctx, name, &iam.OpenIdConnectProviderArgs{
		Url:           pulumi.String("https://" + githubIssuer),
		ClientIdLists: pulumi.StringArray{pulumi.String(githubAudience)},
		Tags:          withName(args.Shared.Tags(), githubIssuer),
	}, child)
	if err != nil {
		return nil, err
	}
	read, err := newReadPolicy(ctx, name+"-reading", args, child)
	if err != nil {
		return nil, err
	}
	arns := map[string]pulumi.StringOutput{}
	for _, role := range githubRoles(args.Shared) {
		if arns[role.name], err = newGitHubRole(ctx, name+role.suffix, args, role, github.Arn, read, child); err != nil {
			return nil, err
		}
	}
	c.DeployRoleARN = arns[environment.DeployRole]
	c.ProductionRoleARN = arns[environment.ProductionDeployRole]
	c.ReadRoleARN = arns[environment.ReadRole]
	return c, finish(ctx, name, c, pulumi.Map{
		"deployRoleArn":           c.DeployRoleARN,
		"productionDeployRoleArn": c.ProductionRoleARN,
		"readRoleArn":             c.ReadRoleARN,
	})
}

// newReadPolicy declares what all of the roles may do. It is a policy of its own, because IAM bounds the length of what
// stands in a role.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func newReadPolicy(
	ctx *pulumi.Context, name string, args *DeliveryArgs, child pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	policyName := environment.ReadPolicyName(args.Shared.Prefix)
	permissions, err := document(readPermissions(shared{Shared: args.Shared})...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	created, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name:        pulumi.String(policyName),
		Description: pulumi.String("Look at the account, and compare it with the program"),
		Policy:      pulumi.String(permissions),
		Tags:        withName(args.Shared.Tags(), policyName),
	}, child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return created.Arn, nil
}

// maxSessionSeconds is how long a workflow may act with one assumption of a role, in seconds: a deployment that makes a database takes
// longer than the hour that IAM allows by default.
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
const maxSessionSeconds = 7200

// newGitHubRole declares one role and its permissions.
func newGitHubRole(
	ctx *pulumi.Context, name string, args *DeliveryArgs, githubRole githubRole, issuerARN, readARN pulumi.StringInput,
	child pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name: pulumi.String(githubRole.name),
		AssumeRolePolicy: documentOf(func(arn []string) []statement {
			return []statement{githubTrust(arn[0], githubRole.subjects)}
		}, issuerARN),
		MaxSessionDuration: pulumi.Int(maxSessionSeconds),
		Tags:               withName(args.Shared.Tags(), githubRole.name),
	}, child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	if _, err := iam.NewRolePolicyAttachment(ctx, name+"-reading", &iam.RolePolicyAttachmentArgs{
		Role: role.Name, PolicyArn: readARN,
	}, child); err != nil {
		return pulumi.StringOutput{}, err
	}
	if githubRole.permissions == nil {
		return role.Arn, nil
	}
	_, err = iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Name: pulumi.String("permissions"),
		Role: role.Name,
		Policy: documentOf(func(arn []string) []statement {
			return githubRole.permissions(shared{Shared: args.Shared, repositoryARN: arn[0], zoneARN: arn[1]})
		}, args.RepositoryARN, args.ZoneARN),
	}, child)
	return role.Arn, err
}

// githubTrust lets GitHub's tokens in that were made for AWS and for one of the subjects.
func githubTrust(issuerARN string, subjects []string) statement {
	return statement{Effect: "Allow", Action: []string{"sts:AssumeRoleWithWebIdentity"}}.
		principal("Federated", issuerARN).
		when("StringEquals", githubIssuer+":aud", githubAudience).
		when("StringLike", githubIssuer+":sub", subjects...)
}

// environmentSubjects are the jobs of the listed repositories that run in one of the GitHub environments, whose
// branches and reviewers GitHub sees to.
func environmentSubjects(s *environment.Shared, environments ...string) []string {
	var subjects []string
	for _, repository := range s.GitHub.Repositories {
		for _, name := range environments {
			subjects = append(subjects, "repo:"+repository+":environment:"+name)
		}
	}
	return subjects
}

// repositorySubjects are all jobs of the listed repositories: of pull requests, and of any branch or tag.
func repositorySubjects(s *environment.Shared) []string {
	var subjects []string
	for _, repository := range s.GitHub.Repositories {
		subjects = append(subjects, "repo:"+repository+":*")
	}
	return subjects
}
