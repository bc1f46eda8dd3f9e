package ecsexec

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// describeTasksLimit is how many tasks ECS describes in a call.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const describeTasksLimit = 100

// Tasks are those of a service that are to run, or where service is "" those of the cluster. Its errors are the SDK's.
func Tasks(ctx context.Context, client *ecs.Client, cluster, service string) ([]types.Task, error) {
	in := &ecs.ListTasksInput{Cluster: &cluster}
	if service != "" {
		in.ServiceName = &service
	}
	var arns []string
	for pages := ecs.NewListTasksPaginator(client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the tasks of %s: %w", cluster, err)
		}
		arns = append(arns, page.TaskArns...)
	}
	var tasks []types.Task
	for some := range slices.Chunk(arns, describeTasksLimit) {
		out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: some})
		if err != nil {
			return nil, fmt.Errorf("describe the tasks of %s: %w", cluster, err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

// StartSession asks ECS for a session that runs a command. Its errors are the SDK's.
func StartSession(ctx context.Context, client *ecs.Client, t Target, command []string) (*types.Session, error) {
	out, err := client.ExecuteCommand(ctx, &ecs.ExecuteCommandInput{
		Cluster: &t.Cluster, Task: &t.TaskARN, Container: &t.Container, Interactive: true, Command: aws.String(commandLine(command)),
	})
	if err != nil {
		return nil, err
	}
	return out.Session, nil
}

var safeWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// commandLine joins words so that the agent, which splits them as a shell does and runs no shell, gets the same words.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !safeWord.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
