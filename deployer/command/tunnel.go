package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ecsexec"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func tunnelVerb() verb {
	return verb{
		name: "tunnel", usage: "forward a port of this machine to the environment's database",
		long: `Forwards a port of 127.0.0.1 to the database through a running task, with Session Manager and its plugin, until Ctrl-C (exit 130)
or --timeout (exit 0). Prints the address on standard output, without the password, and the command that reads the password. Needs
services.executeCommand in the environment's file. Every user of this machine can connect to the port.`,
		examples: []string{
			"deployer tunnel --env staging",
			"deployer tunnel --env dev --port 15432 --timeout 1h",
		},
		flags: []cli.Flag{&cli.IntFlag{Name: "port", Value: environment.DatabasePort, Usage: "listen on this `PORT` of 127.0.0.1"}},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return tunnelOptions{targets: s.targets, terminal: s.terminal, port: c.Int("port")}.run(ctx)
		},
	}
}

type tunnelOptions struct {
	targets  *targets
	terminal *terminal
	// port is that of this machine.
	port int
}

func (o tunnelOptions) run(ctx context.Context) error {
	if o.port < 1 || o.port > 65535 {
		return hint.With(fmt.Errorf("--port %d is not a port", o.port), "give a number from 1 to 65535")
	}
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		if !t.Env.Services.ExecuteCommand {
			return hint.With(fmt.Errorf("services.executeCommand is false in %s, and a tunnel leads through a task that allows sessions",
				environment.FileName(t.Env.Stack)), remedy(t.Env, ecsexec.NotEnabled))
		}
		plugin, missing := findPlugin(ctx, t)
		through, noTask := o.find(ctx, t)
		database, noDatabase := findDatabase(ctx, t)
		if none := (*notDeployedError)(nil); errors.As(noTask, &none) {
			return noTask // and so there is no database
		}
		if noTask != nil || noDatabase != nil {
			noTask = explainAsleep(ctx, t, noTask)
		}
		if sleeping := (*sleep.AsleepError)(nil); errors.As(noTask, &sleeping) {
			noDatabase = nil
		}
		if err := errors.Join(missing, o.checkPort(ctx, t.Env), noTask, noDatabase); err != nil {
			return err
		}
		if t.Simulated != nil {
			return errors.New("simulated containers run no process, so no port can be forwarded to one")
		}
		if t.Env.Protected {
			if err := o.terminal.confirm(ctx, "open a tunnel to the database of", t.Env.Name, t.Env.Name+" is protected"); err != nil {
				return err
			}
		}
		session, err := ecsexec.StartForwarding(ctx, ssm.NewFromConfig(t.AWS), through, ecsexec.Forwarding{
			LocalPort: o.port, Host: aws.ToString(database.Endpoint.Address), Port: int(aws.ToInt32(database.Endpoint.Port)),
		})
		if err != nil {
			return refusedTunnel(t.Env, err)
		}
		o.terminal.log(fmt.Sprintf("opening port %d of 127.0.0.1 to %s through task %s; Ctrl-C closes it", o.port, t.Env.DatabaseIdentifier(), through.Task))
		o.terminal.printf("%s\n", tunnelAddress(database, o.port))
		if secret := database.MasterUserSecret; secret != nil {
			o.terminal.log("the password: " + o.passwordCommand(t.Env, aws.ToString(secret.SecretArn)))
		}
		code, err := plugin.Forward(ctx, through, session, o.targets.pluginConfig(t), raw(o.terminal.err))
		return o.end(ctx, code, err)
	})
}

// end returns what the end of the plugin means: a person or the time limit closed the tunnel, or it broke.
func (o tunnelOptions) end(ctx context.Context, code int, err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		o.terminal.log("the tunnel is closed")
		return exitStatus(codeInterrupted)
	case ctx.Err() != nil:
		o.terminal.log(fmt.Sprintf("the tunnel is closed: %v", context.Cause(ctx)))
		return nil
	case err != nil:
		return partialFailure{err}
	}
	// Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-timeout.html
	return partialFailure{hint.With(fmt.Errorf("the session has ended, and the tunnel with it; the exit code of the plugin is %d", code),
		"the plugin's last lines have the reason; Session Manager ends a session after 20 minutes without traffic, and with its task")}
}

// find returns the newest container of the application that a session can be opened in, of any service: each reaches the database.
func (o tunnelOptions) find(ctx context.Context, t *target.Target) (ecsexec.Target, error) {
	want := ecsexec.Selector{Cluster: t.Env.ClusterName()}
	for _, s := range t.Env.Services.List() {
		want.Containers = append(want.Containers, t.Env.ContainerName(s.Role))
	}
	tasks, err := ecsexec.Tasks(ctx, ecs.NewFromConfig(t.AWS), want.Cluster, "")
	if err != nil {
		return ecsexec.Target{}, explainTasks(ctx, t, err)
	}
	return chooseContainer(t.Env, tasks, want, want.Cluster)
}

// findDatabase returns the environment's database, or an error where it does not answer queries.
func findDatabase(ctx context.Context, t *target.Target) (*rdstypes.DBInstance, error) {
	name := t.Env.DatabaseIdentifier()
	database, err := rdsinstance.Find(ctx, t.AWS, name)
	look := fmt.Sprintf("`deployer status --env %s --only database` shows its state", t.Env.Stack)
	switch {
	case checks.AccessDenied(err):
		return nil, hint.With(fmt.Errorf("read the database %s: %w", name, err), "rds:DescribeDBInstances is needed")
	case err != nil:
		return nil, fmt.Errorf("read the database %s: %w", name, err)
	case database == nil:
		return nil, hint.With(fmt.Errorf("the database %s does not exist", name), look)
	case database.Endpoint == nil, !rdsstate.Of(aws.ToString(database.DBInstanceStatus)).Serves():
		return nil, hint.With(fmt.Errorf("the database %s is %s", name, aws.ToString(database.DBInstanceStatus)), look)
	}
	return database, nil
}

// checkPort returns an error where no one can listen on the port now. The plugin reports that only after the session has started.
func (o tunnelOptions) checkPort(ctx context.Context, env *environment.Environment) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	switch {
	case err == nil:
		return listener.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return hint.With(fmt.Errorf("port %d of 127.0.0.1 is in use", o.port), fmt.Sprintf("choose another, such as `deployer tunnel --env %s --port 15432`", env.Stack))
	}
	return fmt.Errorf("listen on the port: %w", err)
}

// tunnelAddress returns the address of the database behind a port of this machine. RDS accepts only TLS, and its certificate is for another
// host name.
func tunnelAddress(database *rdstypes.DBInstance, port int) string {
	address := url.URL{
		Scheme: "postgresql", User: url.User(aws.ToString(database.MasterUsername)), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path: "/" + aws.ToString(database.DBName), RawQuery: "sslmode=require",
	}
	return address.String()
}

// passwordCommand returns the command that prints the database's password.
func (o tunnelOptions) passwordCommand(env *environment.Environment, secret string) string {
	command := "aws secretsmanager get-secret-value --region " + env.Region
	if profile := o.targets.options.Profile; profile != "" {
		command += " --profile " + text.ShellQuote(profile)
	}
	return command + " --secret-id " + text.ShellQuote(secret) + " --query SecretString --output text | jq -r .password"
}

// refusedTunnel adds a hint to the error where Session Manager opens no session.
func refusedTunnel(env *environment.Environment, err error) error {
	var unconnected *types.TargetNotConnected
	switch {
	case checks.AccessDenied(err):
		return hint.With(fmt.Errorf("these credentials may not open a tunnel: %w", err),
			fmt.Sprintf("a person's role needs ssm:StartSession on the tasks of %s and on the document %s; GitHub's roles do not have it, on purpose: docs/logs.md",
				env.ClusterName(), ecsexec.ForwardDocument))
	case errors.As(err, &unconnected):
		return hint.With(err, remedy(env, ecsexec.NoAgent))
	}
	return fmt.Errorf("open a tunnel: %w", err)
}
