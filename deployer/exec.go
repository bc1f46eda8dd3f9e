package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ecsexec"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

func execVerb() verb {
	return verb{
		name: "exec", args: "[-- COMMAND ARG…]", usage: "a shell, or a command, in a running container",
		about: `Opens a session through ECS Exec, in the newest running task of the service that can have one. It needs AWS's Session
Manager plugin. Keys such as Ctrl-C belong to the session. Without a command it is /bin/sh. The exit code is the plugin's:
ECS does not pass the command's on.`,
		examples: []string{
			"deployer exec --env staging",
			"deployer exec --env staging --service worker",
			"deployer exec --env dev --task 065154de -- node -v",
			"deployer exec --env production -- sh -c 'env | cut -d= -f1'",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "the `SERVICE`: api, worker or scheduler", DefaultText: "api"},
			&cli.StringFlag{Name: "task", Usage: "the `ID` of a task of the cluster, or its begin", DefaultText: "the newest"},
			&cli.StringFlag{Name: "container", Usage: "the `NAME` of another container of the task", DefaultText: "the application's"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return remoteShell{
				settings: s, service: c.String("service"), task: c.String("task"), container: c.String("container"), command: c.Args().Slice(),
			}.run(ctx)
		},
	}
}

// remoteShell is a session in a container.
type remoteShell struct {
	settings
	service, task, container string
	command                  []string
}

func (r remoteShell) run(ctx context.Context) error {
	return r.visit(ctx, func(env *environment.Environment, p *place) error {
		want, service, err := r.want(env)
		if err != nil {
			return err
		}
		client := ecs.NewFromConfig(p.aws)
		plugin, missing := r.plugin(ctx)
		target, err := r.find(ctx, client, env, service, want)
		if err := errors.Join(missing, err); err != nil {
			return err
		}
		if env.Protected {
			if err := r.confirm(ctx, "open a session in", env.Name, env.Name+" is protected"); err != nil {
				return err
			}
		}
		if len(r.command) == 0 {
			r.command = []string{"/bin/sh"}
		}
		r.tell(fmt.Sprintf("%s in %s of task %s", strings.Join(r.command, " "), target.Container, target.Task))
		opened, err := ecsexec.StartSession(ctx, client, target, r.command)
		if err != nil {
			return refusedSession(env, err)
		}
		code, err := plugin.Run(ctx, target, opened, ecsexec.PluginConfig{
			Region: env.Region, Profile: cmp.Or(r.profile, os.Getenv("AWS_PROFILE")), Endpoint: aws.ToString(p.aws.BaseEndpoint),
		}, r.in, r.out, r.err)
		switch {
		case err != nil:
			return failure{err}
		case code != 0:
			return verdict(code)
		}
		return nil
	})
}

// plugin is what runs sessions. The simulated account has no sessions, so there it is not asked for.
func (r remoteShell) plugin(ctx context.Context) (ecsexec.Plugin, error) {
	if r.local {
		return ecsexec.Plugin{}, nil
	}
	plugin, err := ecsexec.FindPlugin(ctx)
	if err != nil {
		return plugin, hint.With(err, "install the current one: "+ecsexec.InstallURL)
	}
	return plugin, nil
}

// want is the container that the flags mean, and the ECS service to look in; "" is the whole cluster.
func (r remoteShell) want(env *environment.Environment) (want ecsexec.Selector, service string, err error) {
	want = ecsexec.Selector{Cluster: env.ClusterName(), Task: r.task[strings.LastIndex(r.task, "/")+1:]}
	var has []string
	for _, s := range env.Services.List() {
		has = append(has, string(s.Role))
		if r.service == string(s.Role) || r.service == "" && (r.task != "" || s.Role == environment.API) {
			want.Containers = append(want.Containers, env.ContainerName(s.Role))
		}
		if r.service == string(s.Role) || r.service == "" && r.task == "" && s.Role == environment.API {
			service = env.ServiceName(s.Role)
		}
	}
	if len(want.Containers) == 0 {
		return want, "", hint.With(fmt.Errorf("%s has no service %q", env.Name, r.service), "its services are "+strings.Join(has, ", "))
	}
	if r.container != "" {
		want.Containers = []string{r.container}
	}
	return want, service, nil
}

// find finds the container. Its errors say what is missing, before anything is begun.
func (r remoteShell) find(ctx context.Context, client *ecs.Client, env *environment.Environment, service string, want ecsexec.Selector) (ecsexec.Target, error) {
	tasks, err := ecsexec.Tasks(ctx, client, want.Cluster, service)
	var noCluster *types.ClusterNotFoundException
	var noService *types.ServiceNotFoundException
	switch {
	case errors.As(err, &noCluster), errors.As(err, &noService):
		return ecsexec.Target{}, hint.With(err, fmt.Sprintf("is %s deployed? `deployer status --env %s` shows what is there", env.Name, env.Stack))
	case checks.AccessDenied(err):
		return ecsexec.Target{}, hint.With(err, "ecs:ListTasks and ecs:DescribeTasks are needed")
	case err != nil:
		return ecsexec.Target{}, err
	}
	target, err := ecsexec.Choose(tasks, want)
	var unfit *ecsexec.UnavailableError
	if errors.As(err, &unfit) {
		return target, hint.With(fmt.Errorf("%s: %w", cmp.Or(service, want.Cluster), err), remedy(env, unfit.Cause))
	}
	return target, err
}

// remedy is what to do about a task in which no session can be opened.
func remedy(env *environment.Environment, cause ecsexec.Cause) string {
	switch cause {
	case ecsexec.NotEnabled:
		if !env.Services.ExecuteCommand {
			return fmt.Sprintf("set services.executeCommand in %s to true, and run `deployer up --env %s`: only tasks that start after that have it",
				environment.FileName(env.Stack), env.Stack)
		}
		return fmt.Sprintf("services.executeCommand is true, but the task is older than that: `deployer up --env %s --code-only --restart` renews the tasks", env.Stack)
	case ecsexec.NoAgent:
		return "the agent starts soon after the task; where it stays so, the task role lacks the ssmmessages actions or the task cannot reach " +
			"Systems Manager: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec-troubleshooting.html"
	case ecsexec.NoContainer:
		return "leave --container out for the application's, or name one of those"
	}
	return fmt.Sprintf("`deployer status --env %s --only ecs_service,ecs_tasks` lists the tasks, and says why they do not run", env.Stack)
}

// refusedSession says what to do where ECS opens no session.
func refusedSession(env *environment.Environment, err error) error {
	var unconnected *types.TargetNotConnectedException
	switch {
	case checks.AccessDenied(err):
		return hint.With(fmt.Errorf("these credentials may not open a session: %w", err),
			fmt.Sprintf("a person's role needs ecs:ExecuteCommand on %s and its tasks; GitHub's roles have it not, on purpose: docs/delivery.md", env.ClusterName()))
	case errors.As(err, &unconnected):
		return hint.With(err, remedy(env, ecsexec.NoAgent))
	}
	return fmt.Errorf("open a session: %w", err)
}
