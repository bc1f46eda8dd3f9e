package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// RunningImage is an image that tasks of one service run.
type RunningImage struct {
	Role    environment.Role
	Service string
	// Digest is the one that the task definition names; Reported is the one that the container reports: for an index, that of
	// its platform.
	Digest, Reported string
	Tasks            int
}

// RunningImages returns the images that the running tasks of the environment's services report. A cluster that does not exist runs
// none.
func RunningImages(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]RunningImage, error) {
	tasks, err := findTasks(ctx, client, &ecs.ListTasksInput{Cluster: aws.String(env.ClusterName()), DesiredStatus: types.DesiredStatusRunning})
	if err != nil {
		return nil, err
	}
	var images []RunningImage
	for _, t := range tasks {
		image, ok := runningImageOf(env, t)
		if !ok || aws.ToString(t.LastStatus) != "RUNNING" {
			continue
		}
		known := list.Find(images, func(r RunningImage) bool {
			return r.Service == image.Service && r.Digest == image.Digest && r.Reported == image.Reported
		})
		if known == nil {
			images = append(images, image)
		} else {
			known.Tasks++
		}
	}
	slices.SortFunc(images, func(a, b RunningImage) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Digest, b.Digest))
	})
	return images, nil
}

// findTasks lists and describes tasks. A cluster that does not exist has none.
func findTasks(ctx context.Context, client *ecs.Client, query *ecs.ListTasksInput) ([]types.Task, error) {
	tasks, err := ecstasks.Find(ctx, client, query)
	if ecstasks.IsNoCluster(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tasks of %s: %w", aws.ToString(query.Cluster), err)
	}
	return tasks, nil
}

// runningImageOf returns what a task runs; false where it belongs to no service, as a migration.
func runningImageOf(env *environment.Environment, t types.Task) (RunningImage, bool) {
	service, ok := strings.CutPrefix(aws.ToString(t.Group), "service:")
	if !ok {
		return RunningImage{}, false
	}
	for _, s := range env.Services.List() {
		if env.ServiceName(s.Role) != service {
			continue
		}
		if c := containerNamed(t, env.ContainerName(s.Role)); c != nil {
			reported := aws.ToString(c.ImageDigest)
			named := cmp.Or(awsx.DigestOf(aws.ToString(c.Image)), reported)
			return RunningImage{Role: s.Role, Service: service, Digest: named, Reported: reported, Tasks: 1}, true
		}
	}
	return RunningImage{}, false
}

// containerNamed returns a container of a task, or nil.
func containerNamed(t types.Task, name string) *types.Container {
	return list.Find(t.Containers, func(c types.Container) bool { return aws.ToString(c.Name) == name })
}

// RunningReference returns the reference of the image that every running task has; "" where nothing runs, several images do, or it cannot be
// read.
func RunningReference(ctx context.Context, cfg aws.Config, env *environment.Environment) string {
	images, err := RunningImages(ctx, ecs.NewFromConfig(cfg), env)
	if err != nil {
		return ""
	}
	digest, err := singleDigest(env, images)
	if err != nil {
		return ""
	}
	return env.ImageReference(digest)
}

// singleDigest returns the digest that every service runs.
func singleDigest(env *environment.Environment, images []RunningImage) (string, error) {
	if len(images) == 0 {
		return "", fmt.Errorf("nothing runs in %s", env.Name)
	}
	first := images[0]
	for _, other := range images[1:] {
		if other.Digest != first.Digest {
			return "", hint.With(fmt.Errorf("the tasks run different images: %s runs %s, %s %s", first.Service,
				awsx.ShortDigest(first.Digest), other.Service, awsx.ShortDigest(other.Digest)),
				"choose an image: `deployer up --env "+env.Stack+" --code-only --image-tag TAG`")
		}
	}
	return first.Digest, nil
}
