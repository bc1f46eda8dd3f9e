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
)

// runningMigrations are the migrations that have not ended, whoever started them: a deployment, one that died, or a
// person by hand. A cluster that does not exist has none.
func runningMigrations(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]types.Task, error) {
	var all []types.Task
	// One that was told to stop has up to two minutes to do so.
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		tasks, err := describedTasks(ctx, client, &ecs.ListTasksInput{
			Cluster: aws.String(env.ClusterName()), Family: aws.String(env.TaskFamily(environment.Migration)), DesiredStatus: desired,
		})
		if err != nil {
			return nil, fmt.Errorf("look for a running migration: %w", err)
		}
		all = append(all, tasks...)
	}
	return slices.DeleteFunc(all, checks.Ended), nil
}

// migrationText says which migration runs, since when, and who started it.
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
	return text + ", started by hand"
}

// alreadyRunningError refuses a second migration.
func alreadyRunningError(env *environment.Environment, task types.Task) error {
	return hint.With(errors.New(migrationText(task)),
		"wait for its end, or run the same command with --wait, which follows it first; `aws ecs stop-task --cluster "+
			env.ClusterName()+" --task "+taskID(&task)+"` stops it")
}

// maxRevisions is how many revisions are looked through for an image.
const maxRevisions = 30

// migrationDefinition is the newest revision of the migration's task definition that has the image.
func migrationDefinition(ctx context.Context, client *ecs.Client, env *environment.Environment, image string) (string, error) {
	family := env.TaskFamily(environment.Migration)
	out, err := client.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: &family, Status: types.TaskDefinitionStatusActive, Sort: types.SortOrderDesc, MaxResults: aws.Int32(maxRevisions),
	})
	if err != nil {
		return "", fmt.Errorf("look for the task definition %s: %w", family, err)
	}
	for _, arn := range out.TaskDefinitionArns {
		found, err := containerImage(ctx, client, arn, env.ContainerName(environment.Migration))
		if err != nil {
			return "", fmt.Errorf("look at the task definition %s: %w", shortID(arn), err)
		}
		if found == image {
			return arn, nil
		}
	}
	return "", hint.With(fmt.Errorf("no revision of the task definition %s has the image %s", family, image[strings.LastIndex(image, "/")+1:]),
		"the phase provision makes one: run `deployer up --env "+env.Stack+" --image-tag TAG` with the image")
}
