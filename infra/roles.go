package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Roles are the roles of tasks: one for ECS, which starts them, and one for the application.
type Roles struct {
	pulumi.ResourceState

	// ExecutionARN is the role with which ECS pulls the image, reads the configuration secret and writes logs.
	ExecutionARN pulumi.StringOutput
	// TaskARN is the application's own role.
	TaskARN pulumi.StringOutput
	// Policies are the policies of both roles, which tasks need to start.
	Policies []pulumi.Resource
}

// RolesArgs are the arguments of Roles.
type RolesArgs struct {
	Env                                                                      *environment.Environment
	RepositoryARN, ConfigSecretARN, DatabaseSecretARN, QueueARN, LogGroupARN pulumi.StringInput
}

// NewRoles declares Roles.
func NewRoles(ctx *pulumi.Context, name string, args *RolesArgs, opts ...pulumi.ResourceOption) (*Roles, error) {
	c := &Roles{}
	child, err := declare(ctx, "Roles", name, c, opts)
	if err != nil {
		return nil, err
	}
	env := args.Env
	execution, executionPolicy, err := newTaskRole(ctx, name+"-execution", env, env.ExecutionRoleName(),
		documentOf(executionStatements, args.RepositoryARN, args.ConfigSecretARN, args.LogGroupARN), child)
	if err != nil {
		return nil, err
	}
	task, taskPolicy, err := newTaskRole(ctx, name+"-task", env, env.TaskRoleName(),
		documentOf(func(arn []string) []statement { return taskStatements(env, arn) },
			args.ConfigSecretARN, args.DatabaseSecretARN, args.QueueARN), child)
	if err != nil {
		return nil, err
	}
	c.ExecutionARN, c.TaskARN = execution.Arn, task.Arn
	c.Policies = []pulumi.Resource{executionPolicy, taskPolicy}
	return c, finish(ctx, name, c, pulumi.Map{"executionArn": c.ExecutionARN, "taskArn": c.TaskARN})
}

// newTaskRole declares a role that only this account's ECS tasks can assume.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
func newTaskRole(
	ctx *pulumi.Context, name string, env *environment.Environment, roleName string, permissions pulumi.StringInput,
	child pulumi.ResourceOption,
) (*iam.Role, *iam.RolePolicy, error) {
	return newServiceRole(ctx, name, env, serviceRole{
		name: roleName, service: "ecs-tasks.amazonaws.com", sources: fmt.Sprintf("arn:aws:ecs:%s:%s:*", env.Region, env.Account),
		policy: "permissions", permissions: permissions,
	}, child)
}

// executionStatements returns statements that allow ECS to start a task: to use the repository, the configuration secret, and the log group.
func executionStatements(arn []string) []statement {
	repository, secret, logs := arn[0], arn[1], arn[2]
	return []statement{
		// A registry token has no resource.
		allow("LogIn", []string{"ecr:GetAuthorizationToken"}, anyResource),
		allow("Pull", []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, repository),
		allow("ReadConfiguration", []string{"secretsmanager:GetSecretValue"}, secret),
		allow("WriteLogs", []string{"logs:CreateLogStream", "logs:PutLogEvents"}, logs+":*"),
	}
}

// taskStatements returns statements that allow the application to read its two secrets and to use its queue. X-Ray and the channel of ECS Exec
// cannot be limited to resources; they are allowed only where they are used.
func taskStatements(env *environment.Environment, arn []string) []statement {
	configuration, database, queue := arn[0], arn[1], arn[2]
	statements := []statement{
		allow("ReadSecrets", []string{"secretsmanager:GetSecretValue"}, configuration, database),
		allow("UseQueue", []string{
			"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
			"sqs:ReceiveMessage", "sqs:SendMessage",
		}, queue),
	}
	if env.Monitoring.AtLeast(environment.Full) {
		statements = append(statements, allow("Trace", []string{
			"xray:GetSamplingRules", "xray:GetSamplingStatisticSummaries", "xray:GetSamplingTargets",
			"xray:PutTelemetryRecords", "xray:PutTraceSegments",
		}, anyResource))
	}
	if env.Services.ExecuteCommand {
		statements = append(statements, allow("ExecuteCommand", []string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		}, anyResource))
	}
	return statements
}
