package infra

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

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
