package command

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
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

func execVerb() verb {
	return verb{
		name: "exec", args: "[-- COMMAND ARG…]", usage: "run a shell or a command in a running container",
		long: `Opens a session through ECS Exec in the newest running task of the service that supports it. Needs AWS's Session Manager
plugin. Keys such as Ctrl-C are sent to the session. Without a command it runs /bin/sh. The exit code is the plugin's: ECS
does not return the command's.`,
		examples: []string{
			"deployer exec --env staging",
			"deployer exec --env staging --service worker",
			"deployer exec --env dev --task 065154de -- node -v",
			"deployer exec --env production -- sh -c 'env | cut -d= -f1'",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "the `SERVICE`: api, worker or scheduler", DefaultText: "api"},
			&cli.StringFlag{Name: "task", Usage: "the `ID` of a task of the cluster, or a prefix of it", DefaultText: "the newest"},
			&cli.StringFlag{Name: "container", Usage: "the `NAME` of another container of the task", DefaultText: "the application's"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return execOptions{
				targets: s.targets, terminal: s.terminal, service: c.String("service"), task: c.String("task"), container: c.String("container"), command: c.Args().Slice(),
			}.run(ctx)
		},
	}
}

type execOptions struct {
	targets  *targets
	terminal *terminal

	service, task, container string
	command                  []string
}

func (o execOptions) run(ctx context.Context) error {
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		env := t.Env
		want, service, err := o.selector(env)
		if err != nil {
			return err
		}
		plugin, missing := findPlugin(ctx, t)
		target, err := o.find(ctx, t, service, want)
		if err != nil {
			err = explainAsleep(ctx, t, err)
		}
		if err := errors.Join(missing, err); err != nil {
			return err
		}
		if t.Simulated != nil {
			return errors.New("simulated containers run no process, so a session cannot be opened")
		}
		if env.Protected {
			if err := o.terminal.confirm(ctx, "open a session in", env.Name, env.Name+" is protected"); err != nil {
				return err
			}
		}
		if len(o.command) == 0 {
			o.command = []string{"/bin/sh"}
		}
		o.terminal.log(fmt.Sprintf("%s in %s of task %s", sanitize.Text(strings.Join(o.command, " ")), target.Container, target.Task))
		opened, err := ecsexec.StartSession(ctx, ecs.NewFromConfig(t.AWS), target, o.command)
		if err != nil {
			return refusedSession(env, err)
		}
		code, err := plugin.Run(ctx, target, opened, o.targets.pluginConfig(t), o.terminal.in, o.terminal.out, raw(o.terminal.err))
		switch {
		case err != nil:
			return partialFailure{err}
		case code != 0:
			return exitStatus(code)
		}
		return nil
	})
}

// findPlugin finds what runs sessions. The simulated account has none, and needs no plugin.
func findPlugin(ctx context.Context, t *target.Target) (ecsexec.Plugin, error) {
	if t.Simulated != nil {
		return ecsexec.Plugin{}, nil
	}
	plugin, err := ecsexec.FindPlugin(ctx)
	if err != nil {
		return plugin, hint.With(err, "install the current one: "+ecsexec.InstallURL)
	}
	return plugin, nil
}

// pluginConfig returns how the plugin reaches the Systems Manager of a target.
func (t *targets) pluginConfig(opened *target.Target) ecsexec.PluginConfig {
	return ecsexec.PluginConfig{
		Region: opened.Env.Region, Profile: cmp.Or(t.options.Profile, os.Getenv("AWS_PROFILE")), Endpoint: aws.ToString(opened.AWS.BaseEndpoint),
	}
}

// selector returns the container that the flags select, and its ECS service; "" is the whole cluster.
func (o execOptions) selector(env *environment.Environment) (want ecsexec.Selector, service string, err error) {
	want = ecsexec.Selector{Cluster: env.ClusterName(), Task: o.task[strings.LastIndex(o.task, "/")+1:]}
	var has []string
	for _, s := range env.Services.List() {
		has = append(has, string(s.Role))
		if o.service == string(s.Role) || o.service == "" && (o.task != "" || s.Role == environment.API) {
			want.Containers = append(want.Containers, env.ContainerName(s.Role))
		}
		if o.service == string(s.Role) || o.service == "" && o.task == "" && s.Role == environment.API {
			service = env.ServiceName(s.Role)
		}
	}
	if len(want.Containers) == 0 {
		return want, "", unknownValue(env.Name+" has no service", o.service, has, "its services are ")
	}
	if o.container != "" {
		want.Containers = []string{o.container}
	}
	return want, service, nil
}

// find finds the container. Its errors name what is missing, before anything is started.
func (o execOptions) find(ctx context.Context, t *target.Target, service string, want ecsexec.Selector) (ecsexec.Target, error) {
	tasks, err := ecsexec.Tasks(ctx, ecs.NewFromConfig(t.AWS), want.Cluster, service)
	if err != nil {
		return ecsexec.Target{}, explainTasks(ctx, t, err)
	}
	return chooseContainer(t.Env, tasks, want, cmp.Or(service, want.Cluster))
}

// chooseContainer returns the container of the newest task that a session can be opened in; place is where the tasks were searched.
func chooseContainer(env *environment.Environment, tasks []types.Task, want ecsexec.Selector, place string) (ecsexec.Target, error) {
	target, err := ecsexec.Choose(tasks, want)
	var unfit *ecsexec.UnavailableError
	if errors.As(err, &unfit) {
		return target, hint.With(fmt.Errorf("%s: %w", place, err), remedy(env, unfit.Cause))
	}
	return target, err
}

// remedy returns what to do about a task in which no session can be opened.
func remedy(env *environment.Environment, cause ecsexec.Cause) string {
	switch cause {
	case ecsexec.NotEnabled:
		if !env.Services.ExecuteCommand {
			return fmt.Sprintf("set services.executeCommand in %s to true, and run `deployer up --env %s --image-tag TAG`: only tasks that start after that have it",
				environment.FileName(env.Stack), env.Stack)
		}
		return fmt.Sprintf("services.executeCommand is true, but the task is older than that: `deployer up --env %s --code-only --restart` renews the tasks", env.Stack)
	case ecsexec.NoAgent:
		return "the agent starts soon after the task; where it stays so, the task role lacks the ssmmessages actions or the task cannot reach " +
			"Systems Manager: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec-troubleshooting.html"
	case ecsexec.NoContainer:
		return "leave --container out for the application's, or name one of those"
	}
	return fmt.Sprintf("`deployer status --env %s --only ecs_service,ecs_tasks` lists the tasks, and why they do not run", env.Stack)
}

// refusedSession adds a hint to the error where ECS opens no session.
func refusedSession(env *environment.Environment, err error) error {
	var unconnected *types.TargetNotConnectedException
	switch {
	case checks.AccessDenied(err):
		return hint.With(fmt.Errorf("these credentials may not open a session: %w", err),
			fmt.Sprintf("a person's role needs ecs:ExecuteCommand on %s and its tasks; GitHub's roles do not have it, on purpose: docs/delivery.md", env.ClusterName()))
	case errors.As(err, &unconnected):
		return hint.With(err, remedy(env, ecsexec.NoAgent))
	}
	return fmt.Errorf("open a session: %w", err)
}
