package infra

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// TaskArgs are the arguments of a task definition of any role.
type TaskArgs struct {
	Env *environment.Environment
	// Image is repository@sha256:….
	Image string
	// ExecutionRoleARN and TaskRoleARN are the roles of ECS and of the application.
	ExecutionRoleARN, TaskRoleARN pulumi.StringInput
	// QueueURL, DatabaseHost, DatabaseSecretARN and ConfigSecretARN are values of the containers' variables.
	QueueURL, DatabaseHost, DatabaseSecretARN, ConfigSecretARN pulumi.StringInput
}

// newTaskDefinition declares a revision of the role's family. Old revisions stay active for a rollback.
func newTaskDefinition(
	ctx *pulumi.Context, name string, args *TaskArgs, role environment.Role, cpu, memory int, child pulumi.ResourceOption,
) (*ecs.TaskDefinition, error) {
	family := args.Env.TaskFamily(role)
	containers := textFrom(func(resolved []string) (string, error) {
		return containerDefinitions(task{
			env: args.Env, role: role, image: args.Image,
			queueURL: resolved[0], databaseHost: resolved[1], databaseSecretARN: resolved[2], configSecretARN: resolved[3],
		})
	}, args.QueueURL, args.DatabaseHost, args.DatabaseSecretARN, args.ConfigSecretARN)
	return ecs.NewTaskDefinition(ctx, name, &ecs.TaskDefinitionArgs{
		Family:                  pulumi.String(family),
		Cpu:                     pulumi.String(strconv.Itoa(cpu)),
		Memory:                  pulumi.String(strconv.Itoa(memory)),
		NetworkMode:             pulumi.String("awsvpc"),
		RequiresCompatibilities: pulumi.StringArray{pulumi.String(fargate)},
		RuntimePlatform: ecs.TaskDefinitionRuntimePlatformArgs{
			OperatingSystemFamily: pulumi.String("LINUX"),
			CpuArchitecture:       pulumi.String(args.Env.CPUArchitecture()),
		},
		ExecutionRoleArn:     args.ExecutionRoleARN,
		TaskRoleArn:          args.TaskRoleARN,
		ContainerDefinitions: containers,
		SkipDestroy:          pulumi.Bool(true),
		Tags:                 withName(args.Env.Tags(), family),
	}, child)
}

// Migration is the task definition of the one-off task that migrates the database's schema. It is not part of a Service:
// it must have the new image before any service does.
type Migration struct {
	pulumi.ResourceState

	// TaskDefinitionARN is the revision to run.
	TaskDefinitionARN pulumi.StringOutput
}

// NewMigration declares a Migration.
func NewMigration(ctx *pulumi.Context, name string, args *TaskArgs, opts ...pulumi.ResourceOption) (*Migration, error) {
	c := &Migration{}
	child, err := declare(ctx, "Migration", name, c, opts)
	if err != nil {
		return nil, err
	}
	m := args.Env.Deployment.Migrations
	definition, err := newTaskDefinition(ctx, name, args, environment.Migration, m.CPU, m.Memory, child)
	if err != nil {
		return nil, err
	}
	c.TaskDefinitionARN = definition.Arn
	return c, finish(ctx, name, c, pulumi.Map{"taskDefinitionArn": c.TaskDefinitionARN})
}
