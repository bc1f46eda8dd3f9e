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

// gate is one role, who may assume it, and what for.
type gate struct {
	suffix, role string
	trusted      []string
	// permissions are what the role may do beside reading; nil is nothing.
	permissions func(shared) []statement
}

// gates are the roles of the contract.
func gates(s *environment.Shared) []gate {
	return []gate{
		{"-deploy", environment.DeployRole, environmentSubjects(s, s.GitHub.Environments...), deployPermissions},
		{"-production", environment.ProductionDeployRole, environmentSubjects(s, production), productionPermissions},
		{"-read", environment.ReadRole, anySubjects(s), nil},
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
		Tags:          named(args.Shared.Tags(), githubIssuer),
	}, child)
	if err != nil {
		return nil, err
	}
	read, err := newReadPolicy(ctx, name+"-reading", args, child)
	if err != nil {
		return nil, err
	}
	arns := map[string]pulumi.StringOutput{}
	for _, g := range gates(args.Shared) {
		if arns[g.role], err = newGate(ctx, name+g.suffix, args, g, github.Arn, read, child); err != nil {
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
	wanted := environment.ReadPolicyName(args.Shared.Prefix)
	permissions, err := document(readPermissions(shared{Shared: args.Shared})...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	made, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name:        pulumi.String(wanted),
		Description: pulumi.String("Look at the account, and compare it with the program"),
		Policy:      pulumi.String(permissions),
		Tags:        named(args.Shared.Tags(), wanted),
	}, child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return made.Arn, nil
}

// gateSession is how long a workflow may act with one assumption of a role, in seconds: a deployment that makes a database takes
// longer than the hour that IAM allows by default.
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
const gateSession = 7200

// newGate declares one role and its permissions.
func newGate(
	ctx *pulumi.Context, name string, args *DeliveryArgs, g gate, issuerARN, readARN pulumi.StringInput,
	child pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name: pulumi.String(g.role),
		AssumeRolePolicy: documentOf(func(arn []string) []statement {
			return []statement{githubTrust(arn[0], g.trusted)}
		}, issuerARN),
		MaxSessionDuration: pulumi.Int(gateSession),
		Tags:               named(args.Shared.Tags(), g.role),
	}, child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	if _, err := iam.NewRolePolicyAttachment(ctx, name+"-reading", &iam.RolePolicyAttachmentArgs{
		Role: role.Name, PolicyArn: readARN,
	}, child); err != nil {
		return pulumi.StringOutput{}, err
	}
	if g.permissions == nil {
		return role.Arn, nil
	}
	_, err = iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Name: pulumi.String("permissions"),
		Role: role.Name,
		Policy: documentOf(func(arn []string) []statement {
			return g.permissions(shared{Shared: args.Shared, repositoryARN: arn[0], zoneARN: arn[1]})
		}, args.RepositoryARN, args.ZoneARN),
	}, child)
	return role.Arn, err
}

// githubTrust lets GitHub's tokens in that were made for AWS and for one of the subjects.
func githubTrust(issuerARN string, subjects []string) statement {
	return statement{Effect: "Allow", Action: []string{"sts:AssumeRoleWithWebIdentity"}}.
		by("Federated", issuerARN).
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

// anySubjects are all jobs of the listed repositories: of pull requests, and of any branch or tag.
func anySubjects(s *environment.Shared) []string {
	var subjects []string
	for _, repository := range s.GitHub.Repositories {
		subjects = append(subjects, "repo:"+repository+":*")
	}
	return subjects
}
