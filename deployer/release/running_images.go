package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// RunningImage is an image that tasks of one service run.
type RunningImage struct {
	Role    environment.Role
	Service string
	// Digest is the image's that the task definition names; Reported is what the container says of itself: where the
	// image is an index, its child's for the platform.
	Digest, Reported string
	Tasks            int
}

// RunningImages says which images the environment's services run, by what their running tasks report. A cluster that does not
// exist runs nothing.
func RunningImages(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]RunningImage, error) {
	tasks, err := runningTasks(ctx, client, env.ClusterName())
	if err != nil {
		return nil, err
	}
	var images []RunningImage
	for _, t := range tasks {
		image, ok := runningImageOf(env, t)
		if !ok {
			continue
		}
		same := func(u RunningImage) bool {
			return u.Service == image.Service && u.Digest == image.Digest && u.Reported == image.Reported
		}
		if i := slices.IndexFunc(images, same); i >= 0 {
			images[i].Tasks++
			continue
		}
		images = append(images, image)
	}
	slices.SortFunc(images, func(a, b RunningImage) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Digest, b.Digest))
	})
	return images, nil
}

// runningTasks are all of a cluster's that are meant to go on.
func runningTasks(ctx context.Context, client *ecs.Client, cluster string) ([]types.Task, error) {
	tasks, err := describedTasks(ctx, client, &ecs.ListTasksInput{Cluster: &cluster, DesiredStatus: types.DesiredStatusRunning})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tasks, func(t types.Task) bool { return aws.ToString(t.LastStatus) != "RUNNING" }), nil
}

// describedTasks are the tasks that are listed, each described. A cluster that does not exist has none.
func describedTasks(ctx context.Context, client *ecs.Client, list *ecs.ListTasksInput) ([]types.Task, error) {
	var arns []string
	for pages := ecs.NewListTasksPaginator(client, list); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		var noCluster *types.ClusterNotFoundException
		if errors.As(err, &noCluster) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the tasks of %s: %w", aws.ToString(list.Cluster), err)
		}
		arns = append(arns, page.TaskArns...)
	}
	var tasks []types.Task
	for batch := range slices.Chunk(arns, tasksPerCall) {
		out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: list.Cluster, Tasks: batch})
		if err != nil {
			return nil, fmt.Errorf("look at the tasks of %s: %w", aws.ToString(list.Cluster), err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

// runningImageOf is what a task runs; one that is no service's, as a migration, is left out.
func runningImageOf(env *environment.Environment, t types.Task) (RunningImage, bool) {
	service, is := strings.CutPrefix(aws.ToString(t.Group), "service:")
	if !is {
		return RunningImage{}, false
	}
	for _, s := range env.Services.List() {
		for _, c := range t.Containers {
			if env.ServiceName(s.Role) == service && env.ContainerName(s.Role) == aws.ToString(c.Name) {
				reported := aws.ToString(c.ImageDigest)
				named := cmp.Or(DigestIn(aws.ToString(c.Image)), reported)
				return RunningImage{Role: s.Role, Service: service, Digest: named, Reported: reported, Tasks: 1}, true
			}
		}
	}
	return RunningImage{}, false
}

// DigestIn is the digest in repository@digest; "" where a tag names the image.
func DigestIn(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// singleDigest is the digest that every service runs.
func singleDigest(env *environment.Environment, images []RunningImage) (string, error) {
	const next = "give the image that is to run: `up --code-only --image-tag TAG`"
	if len(images) == 0 {
		return "", hint.With(fmt.Errorf("nothing runs in %s, so there is nothing to start anew", env.Name), next)
	}
	for _, u := range images[1:] {
		if u.Digest != images[0].Digest {
			return "", hint.With(fmt.Errorf("the tasks do not all run one image: %s runs %s, %s %s", images[0].Service,
				shortDigest(images[0].Digest), u.Service, shortDigest(u.Digest)), next)
		}
	}
	return images[0].Digest, nil
}
