package release

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// ecsTask returns a task of staging, created so many minutes before deployedAt.
func ecsTask(env *environment.Environment, role environment.Role, id string, minutes int, change ...func(*types.Task)) types.Task {
	created := deployedAt.Add(-time.Duration(minutes) * time.Minute)
	t := types.Task{
		TaskArn: aws.String(clusterARN + "task/c/" + id), TaskDefinitionArn: aws.String(clusterARN + "task-definition/" + env.TaskFamily(role) + ":7"),
		LastStatus: aws.String("RUNNING"), DesiredStatus: aws.String("RUNNING"), HealthStatus: types.HealthStatusHealthy,
		CreatedAt: &created, StartedAt: aws.Time(created.Add(30 * time.Second)),
		Containers: []types.Container{
			{Name: aws.String("xray-daemon"), Image: aws.String("xray:3")},
			{Name: aws.String(env.ContainerName(role)), Image: aws.String("balancer-api@" + newDigest), ImageDigest: aws.String("sha256:platform")},
		},
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

func stoppedWith(exit int32, reason string) func(*types.Task) {
	return func(t *types.Task) {
		t.LastStatus, t.DesiredStatus, t.HealthStatus = aws.String("STOPPED"), aws.String("STOPPED"), types.HealthStatusUnknown
		t.StoppedAt, t.StoppedReason = aws.Time(t.CreatedAt.Add(time.Minute)), &reason
		t.Containers[1].ExitCode = &exit
	}
}

func TestTasks(t *testing.T) {
	env := staging(t)
	neverRan := func(t *types.Task) {
		stoppedWith(0, "CannotPullContainerError: not found")(t)
		t.StartedAt, t.Containers[1].ExitCode = nil, nil
	}
	all := map[types.DesiredStatus][]types.Task{
		types.DesiredStatusRunning: {
			ecsTask(env, environment.API, "older", 90), ecsTask(env, environment.Worker, "newer", 5, func(t *types.Task) {
				t.HealthStatus = types.HealthStatusUnhealthy
			}),
			ecsTask(env, environment.API, "ends", 3),
		},
		types.DesiredStatusStopped: {
			ecsTask(env, environment.Migration, "migrated", 40, stoppedWith(0, "Essential container in task exited")),
			ecsTask(env, environment.API, "crashed", 10, stoppedWith(137, "Essential container in task exited")),
			ecsTask(env, environment.API, "unpulled", 8, neverRan),
			ecsTask(env, environment.API, "ends", 3, func(t *types.Task) { // it was in the first answer, too
				t.DesiredStatus, t.LastStatus, t.StoppedReason = aws.String("STOPPED"), aws.String("DEACTIVATING"), aws.String("Scaling activity initiated by (deployment ecs-svc/1)")
			}),
			ecsTask(env, "other", "foreign", 50, stoppedWith(2, "x"), func(t *types.Task) { t.Containers = t.Containers[:1] }),
		},
	}
	client := ecs.NewFromConfig(fakeAWS(func(in any) (any, error) {
		switch in := in.(type) {
		case *ecs.ListTasksInput:
			return &ecs.ListTasksOutput{TaskArns: []string{string(in.DesiredStatus)}}, nil
		case *ecs.DescribeTasksInput:
			return &ecs.DescribeTasksOutput{Tasks: all[types.DesiredStatus(in.Tasks[0])]}, nil
		}
		return nil, errors.New("unexpected")
	}))
	tasks, err := Tasks(t.Context(), client, env, deployedAt)
	require.NoError(t, err)
	byID, order := map[string]Task{}, []string{}
	for _, task := range tasks {
		byID[task.ID], order = task, append(order, task.ID)
	}
	require.Equal(t, []string{"ends", "newer", "older", "unpulled", "crashed", "migrated", "foreign"}, order)

	require.Equal(t, Task{
		ID: "older", Service: "api", Revision: "v3-backend-staging-api:7", Image: TaskImage{Digest: newDigest}, Status: "running", Health: "healthy",
		Created: deployedAt.Add(-90 * time.Minute).UTC(), Started: aws.Time(deployedAt.Add(-90*time.Minute + 30*time.Second).UTC()), AgeSeconds: 5400,
	}, byID["older"])
	require.Equal(t, "unhealthy", byID["newer"].Health)
	require.Equal(t, "worker", byID["newer"].Service)

	crashed := byID["crashed"]
	require.Equal(t, "stopped", crashed.Status)
	require.Equal(t, 137, *crashed.ExitCode)
	require.Equal(t, "exit code 137 (killed)", crashed.Cause)
	require.Equal(t, "Essential container in task exited", crashed.Reason)
	require.NotNil(t, crashed.Stopped)

	require.Equal(t, "migration", byID["migrated"].Service)
	require.Zero(t, *byID["migrated"].ExitCode)
	require.Nil(t, byID["unpulled"].ExitCode)
	require.Nil(t, byID["unpulled"].Started)
	require.Equal(t, "the image cannot be pulled", byID["unpulled"].Cause)
	require.Equal(t, "deactivating", byID["ends"].Status)
	require.Nil(t, byID["ends"].Stopped)
	require.Equal(t, "stopped on purpose", byID["ends"].Cause)
	require.Equal(t, "v3-backend-staging-other", byID["foreign"].Service)
	require.Equal(t, TaskImage{Tag: "3"}, byID["foreign"].Image, "of another container, where the application's is missing")
}

func TestAddTags(t *testing.T) {
	env := staging(t)
	const gone, running, denied = "sha256:gone", "sha256:running", "sha256:denied"
	calls := 0
	client := ecr.NewFromConfig(fakeAWS(func(in any) (any, error) {
		calls++
		switch aws.ToString(in.(*ecr.DescribeImagesInput).ImageIds[0].ImageDigest) {
		case gone:
			return nil, &ecrtypes.ImageNotFoundException{}
		case denied:
			return nil, errors.New("denied")
		case running:
			return &ecr.DescribeImagesOutput{ImageDetails: []ecrtypes.ImageDetail{{ImageTags: []string{environment.RunningTag("staging")}}}}, nil
		}
		return &ecr.DescribeImagesOutput{ImageDetails: []ecrtypes.ImageDetail{{ImageTags: []string{"latest", "1.2.3", environment.RunningTag("staging")}}}}, nil
	}))
	tasks := []Task{
		{Image: TaskImage{Digest: newDigest}}, {Image: TaskImage{Digest: newDigest}}, {Image: TaskImage{Digest: gone}}, {Image: TaskImage{Digest: running}},
		{Image: TaskImage{Tag: "given", Digest: denied}}, {},
	}
	require.NoError(t, AddTags(t.Context(), client, env, tasks))
	require.Equal(t, 3, calls, "once for each digest without a tag")
	for i, tag := range []string{"1.2.3", "1.2.3", "", "", "given", ""} {
		require.Equal(t, tag, tasks[i].Image.Tag, i)
	}
	require.ErrorContains(t, AddTags(t.Context(), client, env, []Task{{Image: TaskImage{Digest: denied}}}), "read the tags of balancer-api: ")
}
