package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// A Task is a task of a cluster that runs, starts or stops, or has stopped within the last hour: ECS forgets it then.
type Task struct {
	ID string `json:"id"`
	// Service is the role that the task's family belongs to, such as api or migration; of another family it is the family's name.
	Service string `json:"service"`
	// Revision is the task definition, as family:revision.
	Revision string    `json:"revision"`
	Image    TaskImage `json:"image"`
	// Status is ECS's last status in lower case, such as running or stopped. Health is healthy, unhealthy or unknown, by the container's
	// health check, which a migration does not have.
	Status string `json:"status"`
	Health string `json:"health"`
	// Created is when ECS accepted the task. Started and Stopped are absent before.
	Created time.Time  `json:"created"`
	Started *time.Time `json:"started,omitempty"`
	Stopped *time.Time `json:"stopped,omitempty"`
	// AgeSeconds is the time since Created.
	AgeSeconds int `json:"age_seconds"`
	// ExitCode is that of the container that ended the task, else of the application's; absent where none has exited.
	ExitCode *int `json:"exit_code,omitempty"`
	// Cause is why the task stopped, in a few words, and Reason the text of ECS; "" while it runs.
	Cause  string `json:"cause,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A TaskImage is the image of a task's application. Tag is one of those that name the digest now; "" where none does.
type TaskImage struct {
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
}

// Tasks returns the tasks of the environment's cluster, without the tags of their images: those that run first, and among both the newest
// first. Its errors are ECS's.
func Tasks(ctx context.Context, client ecstasks.Client, env *environment.Environment, now time.Time) ([]Task, error) {
	described := map[string]types.Task{}
	// A task that stops between the two calls is in the second one's answer.
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		found, err := ecstasks.Find(ctx, client, &ecs.ListTasksInput{Cluster: aws.String(env.ClusterName()), DesiredStatus: desired})
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			described[aws.ToString(t.TaskArn)] = t
		}
	}
	tasks := list.Map(slices.Collect(maps.Values(described)), func(t types.Task) Task { return newTask(env, t, now) })
	slices.SortFunc(tasks, func(a, b Task) int {
		return cmp.Or(compareBool(a.Stopped != nil, b.Stopped != nil), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return tasks, nil
}

// AddTags adds to the tasks the tags that now name their images in the environment's repository. Its error is ECR's; tasks whose tags were
// read before it have them.
func AddTags(ctx context.Context, client ecrimage.Client, env *environment.Environment, tasks []Task) error {
	tags := map[string]string{}
	for i := range tasks {
		image := &tasks[i].Image
		if image.Tag != "" || image.Digest == "" {
			continue
		}
		if _, known := tags[image.Digest]; !known {
			tag, err := currentTag(ctx, client, env, image.Digest)
			if err != nil {
				return err
			}
			tags[image.Digest] = tag
		}
		image.Tag = tags[image.Digest]
	}
	return nil
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// newTask returns what ECS describes, at a time.
func newTask(env *environment.Environment, t types.Task, now time.Time) Task {
	revision := awsx.NameFromARN(aws.ToString(t.TaskDefinitionArn))
	family, _, _ := strings.Cut(revision, ":")
	created := aws.ToTime(t.CreatedAt)
	task := Task{
		ID: awsx.NameFromARN(aws.ToString(t.TaskArn)), Service: family, Revision: revision, Status: strings.ToLower(aws.ToString(t.LastStatus)),
		Health: cmp.Or(strings.ToLower(string(t.HealthStatus)), "unknown"), Created: created.UTC(), Started: inUTC(t.StartedAt),
		Stopped: inUTC(t.StoppedAt), AgeSeconds: max(0, int(now.Sub(created).Seconds())),
	}
	container := ""
	for _, role := range append(list.Map(env.Services.List(), func(s environment.Service) environment.Role { return s.Role }), environment.Migration) {
		if family == env.TaskFamily(role) {
			task.Service, container = string(role), env.ContainerName(role)
		}
	}
	main := containerNamed(t, container)
	if main == nil && len(t.Containers) > 0 {
		main = &t.Containers[0]
	}
	if main != nil {
		task.Image = taskImage(main)
		task.ExitCode = exitCode(main)
	}
	if aws.ToString(t.DesiredStatus) == string(types.DesiredStatusStopped) || checks.Ended(t) {
		stop := checks.StopCause(t)
		task.Cause, task.Reason = stop.Message, stop.Reason
		if stop.ExitCode != nil {
			task.ExitCode = stop.ExitCode
		}
	}
	return task
}

func exitCode(c *types.Container) *int {
	if c.ExitCode == nil {
		return nil
	}
	return aws.Int(int(*c.ExitCode))
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return aws.Time(t.UTC())
}

// taskImage returns the image that the task definition names: for an index, the container reports the digest of its platform instead.
func taskImage(c *types.Container) TaskImage {
	reference := aws.ToString(c.Image)
	if digest := awsx.DigestOf(reference); digest != "" {
		return TaskImage{Digest: digest}
	}
	_, tag, _ := strings.Cut(awsx.NameFromARN(reference), ":")
	return TaskImage{Tag: cmp.Or(tag, "latest"), Digest: aws.ToString(c.ImageDigest)}
}

// currentTag returns a tag of the environment's repository that names a digest, "" where there is none or the image is gone.
func currentTag(ctx context.Context, client ecrimage.Client, env *environment.Environment, digest string) (string, error) {
	found, err := ecrimage.Describe(ctx, client, env.Image.Repository, digest)
	var noImage *ecrtypes.ImageNotFoundException
	var noRepository *ecrtypes.RepositoryNotFoundException
	switch {
	case errors.As(err, &noImage), errors.As(err, &noRepository):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the tags of %s: %w", env.Image.Repository, err)
	}
	for _, image := range found {
		if tag := preferredTag(image.ImageTags); tag != "" && !isRunningTag(tag) {
			return tag, nil
		}
	}
	return "", nil
}
