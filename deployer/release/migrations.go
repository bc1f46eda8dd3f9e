package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// runningMigrations returns the migrations that have not ended, whether a deployment started them, one that crashed, or a person. A
// cluster that does not exist has none.
func runningMigrations(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]types.Task, error) {
	var all []types.Task
	// One that was asked to stop has up to two minutes to do so.
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		tasks, err := findTasks(ctx, client, &ecs.ListTasksInput{
			Cluster: aws.String(env.ClusterName()), Family: aws.String(env.TaskFamily(environment.Migration)), DesiredStatus: desired,
		})
		if err != nil {
			return nil, fmt.Errorf("find running migrations: %w", err)
		}
		all = append(all, tasks...)
	}
	return slices.DeleteFunc(all, checks.Ended), nil
}

// migrationText returns which migration is running, since when, and who started it.
func migrationText(task types.Task) string {
	text := "a migration is running: task " + taskID(&task)
	if task.CreatedAt != nil {
		text += " since " + task.CreatedAt.UTC().Format(time.TimeOnly) + " UTC"
	}
	switch by := aws.ToString(task.StartedBy); {
	case strings.HasPrefix(by, startedByPrefix):
		return text + ", started by the deployment " + strings.TrimPrefix(by, startedByPrefix)
	case by != "":
		return text + ", started by " + by
	}
	return text + ", started manually"
}

// alreadyRunningError rejects a second migration.
func alreadyRunningError(env *environment.Environment, task types.Task) error {
	return hint.With(errors.New(migrationText(task)),
		"wait for it to finish, or run the same command with --wait, which waits for it; stop it with `aws ecs stop-task --cluster "+
			env.ClusterName()+" --task "+taskID(&task)+"`")
}

// maxRevisions is how many task definitions are searched for an image.
const maxRevisions = 30

// migrationDefinition returns the newest revision of the migration's task definition that has the image.
func migrationDefinition(ctx context.Context, client *ecs.Client, env *environment.Environment, image string) (string, error) {
	family := env.TaskFamily(environment.Migration)
	out, err := client.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: &family, Status: types.TaskDefinitionStatusActive, Sort: types.SortOrderDesc, MaxResults: aws.Int32(maxRevisions),
	})
	if err != nil {
		return "", fmt.Errorf("list the task definitions %s: %w", family, err)
	}
	for _, arn := range out.TaskDefinitionArns {
		found, err := containerImage(ctx, client, arn, env.ContainerName(environment.Migration))
		if err != nil {
			return "", fmt.Errorf("read the task definition %s: %w", awsx.NameFromARN(arn), err)
		}
		if found == image {
			return arn, nil
		}
	}
	return "", hint.With(fmt.Errorf("no revision of the task definition %s has the image %s", family, awsx.NameFromARN(image)),
		"run `deployer up --env "+env.Stack+" --image-tag TAG` with the image: its provision phase creates one")
}
