package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

func tasksVerb() verb {
	return verb{
		name: "tasks", usage: "list the tasks that run, and those that stopped within the last hour",
		long: `Shows ID, service, revision and image of each task, its age, and its health by the container's health check or its exit code; of
those that stopped also why. ECS describes a task for about an hour after it stopped. Migrations are listed too. --task of exec
accepts the first digits of an ID, rollback service and revision, such as api:41.`,
		examples: []string{
			"deployer tasks --env staging",
			"deployer tasks --env production --service api,migration",
			"deployer tasks --env dev --format json | jq '.tasks[] | select(.exit_code > 0)'",
		},
		formats: ui.TaskFormats(),
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "service", Usage: "list only tasks of these `SERVICES`: " + strings.Join(taskServices, ", "), DefaultText: "all"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return tasksOptions{targets: s.targets, terminal: s.terminal, format: s.flags.format, services: split(c.StringSlice("service"))}.run(ctx)
		},
	}
}

// taskServices are the services of --service: the roles of an environment's tasks.
var taskServices = []string{string(environment.API), string(environment.Worker), string(environment.Scheduler), string(environment.Migration)}

type tasksOptions struct {
	targets  *targets
	terminal *terminal
	format   string
	// services are those whose tasks are listed; none is all.
	services []string
}

func (o tasksOptions) run(ctx context.Context) error {
	for _, service := range o.services {
		if !slices.Contains(taskServices, service) {
			return hint.With(fmt.Errorf("--service %s: no task belongs to it", service), "give some of "+strings.Join(taskServices, ", "))
		}
	}
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		now := t.Clock.Now()
		tasks, err := release.Tasks(ctx, ecs.NewFromConfig(t.AWS), t.Env, now)
		if err != nil {
			return explainTasks(ctx, t, fmt.Errorf("find the tasks of %s: %w", t.Env.ClusterName(), err))
		}
		tasks = list.Filter(tasks, func(task release.Task) bool { return len(o.services) == 0 || slices.Contains(o.services, task.Service) })
		if err := release.AddTags(ctx, ecr.NewFromConfig(t.AWS), t.Env, tasks); err != nil {
			o.terminal.warn(err) // the digests name the images as well
		}
		return ui.Tasks(o.terminal.out, ui.TaskList{
			Environment: t.Env.Name, Cluster: t.Env.ClusterName(), Timestamp: now.UTC(), Tasks: tasks,
		}, o.format, o.terminal.style())
	})
}

// explainTasks explains an error of reading the tasks of a target.
func explainTasks(ctx context.Context, t *target.Target, err error) error {
	var noCluster *types.ClusterNotFoundException
	var noService *types.ServiceNotFoundException
	switch {
	case errors.As(err, &noCluster):
		return missingOf(ctx, t, "the cluster "+t.Env.ClusterName())
	case errors.As(err, &noService):
		return missingOf(ctx, t, "a service of the cluster "+t.Env.ClusterName())
	case checks.AccessDenied(err):
		return hint.With(err, "ecs:ListTasks and ecs:DescribeTasks are needed")
	}
	return err
}

// missingOf returns the error of a target that lacks a resource: that it is not deployed, where it lacks all.
func missingOf(ctx context.Context, t *target.Target, what string) error {
	if checks.IsUndeployed(ctx, t.Env, checks.Sources{AWS: t.AWS, Network: t.Network}, t.Clock) {
		return &notDeployedError{t.Env}
	}
	return hint.With(fmt.Errorf("%s does not exist in %s", what, t.Env.Region),
		fmt.Sprintf("`deployer status --env %s` shows what exists, and how what was deleted is created again", t.Env.Stack))
}

// notDeployedError reports that a command needs a deployment that the environment does not have.
type notDeployedError struct{ env *environment.Environment }

func (e *notDeployedError) Error() string { return e.env.Name + " is not deployed" }

// Hint returns how to deploy it.
func (e *notDeployedError) Hint() string {
	return "deploy it with `deployer up --env " + e.env.Stack + " --image-tag TAG`"
}
