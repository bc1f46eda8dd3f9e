package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Boundary is the most that the roles of any environment may ever do. The environments name it by its ARN, which is
// made of the account and the prefix; GitHub's roles can neither change it nor make a role without it.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
type Boundary struct {
	pulumi.ResourceState

	// ARN is the managed policy's.
	ARN pulumi.StringOutput
}

// BoundaryArgs is what a Boundary needs to know.
type BoundaryArgs struct {
	Shared        *environment.Shared
	RepositoryARN pulumi.StringInput
}

// NewBoundary declares a Boundary.
func NewBoundary(ctx *pulumi.Context, name string, args *BoundaryArgs, opts ...pulumi.ResourceOption) (*Boundary, error) {
	c := &Boundary{}
	child, err := declare(ctx, "Boundary", name, c, opts)
	if err != nil {
		return nil, err
	}
	wanted := environment.BoundaryName(args.Shared.Prefix)
	made, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name:        pulumi.String(wanted),
		Description: pulumi.String("The most that the roles of any environment may ever do"),
		Policy: documentOf(func(arn []string) []statement {
			return boundaryStatements(shared{Shared: args.Shared, repositoryARN: arn[0]})
		}, args.RepositoryARN),
		Tags: named(args.Shared.Tags(), wanted),
	}, child)
	if err != nil {
		return nil, err
	}
	c.ARN = made.Arn
	return c, finish(ctx, name, c, pulumi.Map{"arn": c.ARN})
}

// boundaryStatements allow what tasks and flow logs do, in any environment: what roles.go and network.go give a role of
// an environment lies within. To roles of the other environments they deny what is production's; roles are told apart
// by their names, which GitHub's roles cannot choose. A resource's own policy is not bounded.
func boundaryStatements(s shared) []statement {
	all, theirs := s.all(), s.only(production)
	outsiders := func(sid string, actions []string, resources ...string) statement {
		return deny(sid, actions, resources...).
			when("ArnNotLike", "aws:PrincipalArn", theirs.global("iam", "role/%s-*")...)
	}
	return []statement{
		allow("Anywhere", []string{
			"ecr:GetAuthorizationToken", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "xray:GetSampling*", "xray:PutTelemetryRecords",
			"xray:PutTraceSegments",
		}, anyResource),
		allow("Pull", []string{
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
		}, s.repositoryARN),
		allow("ReadSecrets", []string{"secretsmanager:GetSecretValue"}, s.configuration("*"), s.databaseSecrets()),
		allow("UseQueues", []string{
			"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
			"sqs:ReceiveMessage", "sqs:SendMessage",
		}, all.arns("sqs", "%s-*")...),
		allow("WriteLogs", []string{
			"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents",
		}, all.arns("logs", "log-group:*%s*")...),
		outsiders("NotProduction", []string{"*"}, append(
			append(theirs.arns("sqs", "%s-*"), theirs.arns("logs", "log-group:*%s*")...), s.configuration(production))...),
		// RDS marks the secret that it makes with the instance that it is for.
		// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
		outsiders("NotProductionDatabase", []string{"secretsmanager:GetSecretValue"}, s.databaseSecrets()).
			when("StringLike", "aws:ResourceTag/aws:rds:primaryDBInstanceArn", theirs.arns("rds", "db:%s-*")...),
	}
}

// configuration is the ARN of a stack's configuration secret.
func (s shared) configuration(stack string) string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:balancer-%s-config-*", s.Region, s.Account, stack)
}

// databaseSecrets are the secrets that RDS makes for the databases' users.
func (s shared) databaseSecrets() string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:rds!db-*", s.Region, s.Account)
}
