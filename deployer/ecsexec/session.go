package ecsexec

import (
	"context"
	"fmt"

	"al.essio.dev/pkg/shellescape"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
)

// Tasks returns the tasks of a service that should run; where service is "", those of the cluster.
func Tasks(ctx context.Context, client *ecs.Client, cluster, service string) ([]types.Task, error) {
	query := &ecs.ListTasksInput{Cluster: &cluster}
	if service != "" {
		query.ServiceName = &service
	}
	tasks, err := ecstasks.Find(ctx, client, query)
	if err != nil {
		return nil, fmt.Errorf("find the tasks of %s: %w", cluster, err)
	}
	return tasks, nil
}

// StartSession requests a session that runs a command. Its errors are the SDK's. The agent runs no shell, but splits the command as a
// shell does.
func StartSession(ctx context.Context, client *ecs.Client, t Target, command []string) (*types.Session, error) {
	out, err := client.ExecuteCommand(ctx, &ecs.ExecuteCommandInput{
		Cluster: &t.Cluster, Task: &t.TaskARN, Container: &t.Container, Interactive: true,
		Command: aws.String(shellescape.QuoteCommand(command)),
	})
	if err != nil {
		return nil, err
	}
	return out.Session, nil
}
