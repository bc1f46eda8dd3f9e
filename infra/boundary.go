package infra

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Boundary is the permissions boundary of every environment's roles. The environments derive its ARN from the account
// and the prefix. GitHub's roles can neither change it nor create a role without it.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
type Boundary struct {
	pulumi.ResourceState

	// ARN is the managed policy's.
	ARN pulumi.StringOutput
}

// NewBoundary declares a Boundary.
func NewBoundary(
	ctx *pulumi.Context, name string, s *environment.Shared, repositoryARN pulumi.StringInput, opts ...pulumi.ResourceOption,
) (*Boundary, error) {
	c := &Boundary{}
	child, err := declare(ctx, "Boundary", name, c, opts)
	if err != nil {
		return nil, err
	}
	policyName := environment.BoundaryName(s.Prefix)
	created, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name:        pulumi.String(policyName),
		Description: pulumi.String("The most that the roles of any environment may ever do"),
		Policy: documentOf(func(arn []string) []statement {
			return boundaryStatements(shared{Shared: s, repositoryARN: arn[0]})
		}, repositoryARN),
		Tags: withName(s.Tags(), policyName),
	}, child, ignoreChanges("description"))
	if err != nil {
		return nil, err
	}
	c.ARN = created.Arn
	return c, finish(ctx, name, c, pulumi.Map{"arn": c.ARN})
}

// boundaryStatements returns statements that allow what tasks and flow logs do in any environment, that is, all that
// roles.go, network.go, rotation.go and schedule.go allow. They deny production's resources to all roles but production's own, by
// their ARNs: GitHub's role for the other environments chooses names of roles, and can create none of these. A
// boundary does not apply to resource policies.
func boundaryStatements(s shared) []statement {
	anyEnvironment, productionOnly := s.forAllEnvironments(), s.forEnvironment(production)
	denyOtherEnvironments := func(denied statement) statement {
		return denied.when("ArnNotEquals", "aws:PrincipalArn", productionOnly.roleARNs()...)
	}
	return []statement{
		allow("Anywhere", []string{
			"ecr:GetAuthorizationToken", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "xray:GetSampling*", "xray:PutTelemetryRecords",
			"xray:PutTraceSegments",
			"elasticloadbalancing:DescribeTargetHealth",
		}, anyResource),
		allow("Pull", []string{
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
		}, s.repositoryARN),
		allow("ReadSecrets", []string{"secretsmanager:GetSecretValue"}, s.configSecretARN("*"), s.databaseSecretARNs()),
		allow("UseQueues", []string{
			"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
			"sqs:ReceiveMessage", "sqs:SendMessage",
		}, anyEnvironment.arns("sqs", "%s-*")...),
		allow("WriteLogs", []string{
			"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents",
		}, anyEnvironment.arns("logs", "log-group:*%s*")...),
		allow("RestartServices", []string{"ecs:DescribeServices", "ecs:UpdateService"}, anyEnvironment.arns("ecs", "service/%s-*")...),
		allow("ReadRotation", []string{"secretsmanager:DescribeSecret"}, s.databaseSecretARNs()),
		allow("StartMachines", []string{"states:StartExecution"}, anyEnvironment.arns("states", "stateMachine:%s-*")...),
		allow("Sleep", []string{"rds:DescribeDBInstances", "rds:StartDBInstance", "rds:StopDBInstance", "cloudwatch:SetAlarmState"},
			slices.Concat(anyEnvironment.arns("rds", "db:%s-*"), anyEnvironment.arns("cloudwatch", "alarm:%s-asleep"))...),
		// The schedule changes scalable targets that exist, by their tag. A new one has none, and could be that of a service without scaling.
		allow("Scale", []string{"application-autoscaling:RegisterScalableTarget"}, anyResource).
			when("Null", "aws:ResourceTag/Environment", "false"),
		allow("MarkAsleep", []string{"ssm:DeleteParameters", "ssm:GetParameters", "ssm:PutParameter"}, anyEnvironment.asleepARN()),
		allow("ListLocks", []string{"s3:ListBucket"}, "arn:aws:s3:::"+environment.StateBucket(s.Prefix, s.Account)),
		denyOtherEnvironments(deny("NotProductionScaling", []string{"application-autoscaling:*"}, anyResource).
			when("StringEquals", "aws:ResourceTag/Environment", production)),
		denyOtherEnvironments(deny("NotProduction", []string{"*"}, slices.Concat(
			productionOnly.arns("sqs", "%s-*"), productionOnly.arns("logs", "log-group:*%s*"), productionOnly.arns("ecs", "service/%s-*"),
			productionOnly.arns("states", "stateMachine:%s-*"), productionOnly.arns("rds", "db:%s-*"), productionOnly.arns("cloudwatch", "alarm:%s-*"),
			[]string{s.configSecretARN(production), productionOnly.asleepARN()})...)),
		denyOtherEnvironments(deny("NotProductionDatabase", []string{"secretsmanager:GetSecretValue"}, s.databaseSecretARNs()).
			when("StringLike", databaseOfSecret, productionOnly.arns("rds", "db:%s-*")...)),
		denyOtherEnvironments(denyProductionTasks(productionOnly, "ecs:UpdateService")),
	}
}

// roleARNs returns the ARNs of the roles that the program creates in an environment.
func (s scope) roleARNs() []string {
	env := environment.Environment{Name: s.name, Prefix: s.Prefix}
	var all []string
	for _, name := range []string{
		env.TaskRoleName(), env.ExecutionRoleName(), env.RotationRoleName(), env.RotationRuleRoleName(), env.FlowLogsRoleName(),
	} {
		all = append(all, fmt.Sprintf("arn:aws:iam::%s:role/%s", s.Account, name))
	}
	return all
}

func (s shared) configSecretARN(stack string) string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:balancer-%s-config-*", s.Region, s.Account, stack)
}

// databaseSecretARNs returns the pattern of the secrets that RDS creates for database users.
func (s shared) databaseSecretARNs() string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:rds!db-*", s.Region, s.Account)
}
