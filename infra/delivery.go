package infra

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Delivery is GitHub's access to the account: roles that workflows assume with an OIDC token, without keys.
type Delivery struct {
	pulumi.ResourceState

	// DeployRoleARN is for the listed GitHub environments, ProductionRoleARN for production alone, ReadRoleARN for
	// pull requests and the branches of the environments.
	DeployRoleARN, ProductionRoleARN, ReadRoleARN pulumi.StringOutput
}

// DeliveryArgs are the arguments of Delivery.
type DeliveryArgs struct {
	Shared                 *environment.Shared
	RepositoryARN, ZoneARN pulumi.StringInput
}

const (
	githubIssuer   = "token.actions.githubusercontent.com"
	githubAudience = "sts.amazonaws.com"
	// production is the GitHub environment, and the deployer's, that has a role of its own.
	production = "production"
)

// githubRole is a role of GitHub's workflows.
type githubRole struct {
	suffix, name string
	// trust returns who may assume the role, given the ARN of GitHub's identity provider.
	trust func(issuerARN string) []statement
	// permissions and network return what the role may do besides reading, in general and with networks; nil means nothing.
	permissions, network func(shared) []statement
}

// githubRoles returns the roles that workflows assume.
func githubRoles(s *environment.Shared) []githubRole {
	deployNetwork := func(s shared) []statement {
		return append(networkStatements(s.forAllEnvironments()), natInstanceStatements(s.forAllEnvironments())...)
	}
	productionNetwork := func(s shared) []statement { return networkStatements(s.forEnvironment(production)) }
	trusting := func(names ...string) func(string) []statement {
		return func(issuerARN string) []statement { return trustEnvironments(issuerARN, s.GitHub, names) }
	}
	return []githubRole{
		{"-deploy", environment.DeployRole, trusting(s.GitHub.Environments...), deployPermissions, deployNetwork},
		{"-production", environment.ProductionDeployRole, trusting(production), productionPermissions, productionNetwork},
		{"-read", environment.ReadRole, func(issuerARN string) []statement { return trustReaders(issuerARN, s.GitHub) }, nil,
			nil},
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
	read, err := newManagedPolicy(ctx, name+"-reading", args.Shared, environment.ReadPolicyName(args.Shared.Prefix),
		"Look at the account, and compare it with the program", readPermissions(shared{Shared: args.Shared}), child)
	if err != nil {
		return nil, err
	}
	arns := map[string]pulumi.StringOutput{}
	for _, role := range githubRoles(args.Shared) {
		if arns[role.name], err = newGitHubRole(ctx, name+role.suffix, args, role, github.Arn, read.Arn, child); err != nil {
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

// maxSessionSeconds is the maximum duration of a role's session: a deployment that creates a database takes longer than
// IAM's default of an hour.
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
const maxSessionSeconds = 7200

func newGitHubRole(
	ctx *pulumi.Context, name string, args *DeliveryArgs, githubRole githubRole, issuerARN, readARN pulumi.StringInput,
	child pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name:               pulumi.String(githubRole.name),
		AssumeRolePolicy:   documentOf(func(arn []string) []statement { return githubRole.trust(arn[0]) }, issuerARN),
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
	network, err := newManagedPolicy(ctx, name+"-network", args.Shared, environment.NetworkPolicyName(args.Shared.Prefix, githubRole.suffix),
		"Create, change and delete the networks of environments", githubRole.network(shared{Shared: args.Shared}), child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	attached, err := iam.NewRolePolicyAttachment(ctx, name+"-network", &iam.RolePolicyAttachmentArgs{
		Role: role.Name, PolicyArn: network.Arn,
	}, child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	_, err = iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{
		Name: pulumi.String("permissions"),
		Role: role.Name,
		Policy: documentOf(func(arn []string) []statement {
			return githubRole.permissions(shared{Shared: args.Shared, repositoryARN: arn[0], zoneARN: arn[1]})
		}, args.RepositoryARN, args.ZoneARN),
		// An older inline policy contains what the managed one allows, and is shortened after that is attached.
	}, child, pulumi.DependsOn([]pulumi.Resource{attached}))
	return role.Arn, err
}

// newManagedPolicy declares a policy that roles attach, because IAM limits the total length of a role's inline policies.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func newManagedPolicy(
	ctx *pulumi.Context, name string, s *environment.Shared, policyName, description string, statements []statement, child pulumi.ResourceOption,
) (*iam.Policy, error) {
	text, err := document(statements...)
	if err != nil {
		return nil, err
	}
	return iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name: pulumi.String(policyName), Description: pulumi.String(description), Policy: pulumi.String(text),
		Tags: withName(s.Tags(), policyName),
	}, child, ignoreChanges("description"))
}

// Claims of GitHub's tokens that STS offers as condition keys.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
const (
	claimAudience    = githubIssuer + ":aud"
	claimSubject     = githubIssuer + ":sub"
	claimEnvironment = githubIssuer + ":environment"
	// claimRef is the branch or tag of the run, also in a workflow that a workflow of another repository calls: that
	// of the caller.
	// Source: https://docs.github.com/en/actions/reference/security/oidc
	claimRef = githubIssuer + ":ref"
	// claimWorkflow is the workflow of the job, FILE@REF: the one that is called, where another calls it, and the run's own
	// otherwise, as tokens show.
	// Source: https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-with-reusable-workflows
	// Source: https://github.com/pypi/warehouse/issues/10645
	claimWorkflow = githubIssuer + ":job_workflow_ref"
)

const (
	assumeWithToken = "sts:AssumeRoleWithWebIdentity"
	branchRef       = "refs/heads/"
	pullRequestRef  = "refs/pull/*/merge"
)

// workflowsOf returns the pattern of workflows that GitHub reads from a ref. Where one workflow calls another by the name
// of a branch, GitHub prefers a tag of that name, which anyone who may push creates without a review.
// Source: https://docs.github.com/en/actions/how-tos/reuse-automations/reuse-workflows#calling-a-reusable-workflow
func workflowsOf(ref string) string { return "*@" + ref }

// trustEnvironments trusts jobs that run in one of the GitHub environments, each on its own branch. GitHub lets any
// job name an environment that has no rules about branches, and anyone who may push a branch brings a workflow: the
// trust itself therefore denies an environment to other branches, one statement each. An environment without a file
// has no branch, and is denied. A statement that allows one environment would repeat the repositories, and exceed the
// size of a trust policy with the fourth. The workflow has to be of production's branch for production, and of any branch
// otherwise: the workflow that calls it is on the environment's, and names it.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func trustEnvironments(issuerARN string, g environment.GitHub, names []string) []statement {
	workflows := workflowsOf(branchRef + "*")
	if d, ok := g.Delivered(production); ok && slices.Contains(names, production) {
		workflows = workflowsOf(branchRef + d.Branch)
	}
	statements := []statement{githubTrust(issuerARN, g).
		when("StringEquals", claimEnvironment, names...).
		when("StringLike", claimWorkflow, workflows)}
	for _, name := range names {
		denied := statement{Effect: "Deny", Action: []string{assumeWithToken}}.
			principal("AWS", "*").
			when("StringEquals", claimEnvironment, name)
		if d, ok := g.Delivered(name); ok {
			denied = denied.when("StringNotEquals", claimRef, branchRef+d.Branch)
		}
		statements = append(statements, denied)
	}
	return statements
}

// trustReaders trusts pull requests, whose ref GitHub gives to no branch, and the branches of the environments, on
// which scheduled workflows run, in workflows that are of no tag. For the reasons see
// docs/adr/0021-branches-in-the-trust.md.
func trustReaders(issuerARN string, g environment.GitHub) []statement {
	refs := []string{pullRequestRef}
	for _, name := range append(slices.Clone(g.Environments), production) {
		if d, ok := g.Delivered(name); ok && !slices.Contains(refs, branchRef+d.Branch) {
			refs = append(refs, branchRef+d.Branch)
		}
	}
	return []statement{githubTrust(issuerARN, g).
		when("StringLike", claimRef, refs...).
		when("StringLike", claimWorkflow, workflowsOf(pullRequestRef), workflowsOf(branchRef+"*"))}
}

// githubTrust trusts GitHub's tokens with the audience of AWS, of jobs of the listed repositories.
func githubTrust(issuerARN string, g environment.GitHub) statement {
	var subjects []string
	for _, repository := range g.Repositories {
		subjects = append(subjects, "repo:"+repository+":*")
	}
	return statement{Effect: "Allow", Action: []string{assumeWithToken}}.
		principal("Federated", issuerARN).
		when("StringEquals", claimAudience, githubAudience).
		when("StringLike", claimSubject, subjects...)
}
