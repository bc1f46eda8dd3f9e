// Package ecstasks lists and describes the tasks of an ECS cluster.
package ecstasks

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// PerCall is how many tasks one call describes at most.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const PerCall = 100

// Client is the part of ECS that reads tasks.
type Client interface {
	ecs.ListTasksAPIClient
	ecs.DescribeTasksAPIClient
}

// ID returns the ID of a task, the last part of its ARN.
func ID(task types.Task) string { return awsx.NameFromARN(aws.ToString(task.TaskArn)) }

// ShortID returns the digits of a task's ID that messages and lists of tasks show; commands take them for the whole ID.
func ShortID(id string) string { return id[:min(len(id), 8)] }

// Find lists the tasks that query selects, by service, family or desired status, and describes each. A task that was gone
// between the two calls is left out.
func Find(ctx context.Context, client Client, query *ecs.ListTasksInput) ([]types.Task, error) {
	arns, err := List(ctx, client, query)
	if err != nil {
		return nil, err
	}
	return Describe(ctx, client, query.Cluster, arns)
}

// List returns the ARNs of the tasks that query selects, of all pages.
func List(ctx context.Context, client ecs.ListTasksAPIClient, query *ecs.ListTasksInput) ([]string, error) {
	pages := ecs.NewListTasksPaginator(client, query)
	return awsx.Pages(ctx, pages, func(page *ecs.ListTasksOutput) []string { return page.TaskArns })
}

// Describe describes tasks of one cluster, PerCall at a time. Without ARNs it makes no call.
func Describe(ctx context.Context, client ecs.DescribeTasksAPIClient, cluster *string, arns []string) ([]types.Task, error) {
	var tasks []types.Task
	for batch := range slices.Chunk(arns, PerCall) {
		out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: cluster, Tasks: batch})
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

// IsNoCluster reports whether ECS refused a call because the cluster does not exist, and so has no tasks.
func IsNoCluster(err error) bool { return awsx.HasCode(err, "ClusterNotFoundException") }
