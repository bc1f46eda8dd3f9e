package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

const (
	// migrationPollInterval is how often a running migration is looked at.
	migrationPollInterval = 3 * time.Second
	// stopTimeout is how long a migration that is asked to stop may take, stopCall how long asking may.
	stopTimeout     = 3 * time.Minute
	stopCallTimeout = 10 * time.Second
	// startedByPrefix begins what a migration is started by; the deployment's name follows.
	startedByPrefix = "deployer/"
	// nothingToMigrate is what Prisma says of a database that has every migration.
	// Source: https://github.com/prisma/prisma/blob/main/packages/migrate/src/commands/MigrateDeploy.ts
	nothingToMigrate = "No pending migrations to apply"
)

// migrationTask runs the database migration as a one-off task in the API's network.
type migrationTask struct {
	env   *environment.Environment
	ecs   *ecs.Client
	logs  *cloudwatchlogs.Client
	clock clock.Clock
	// network is where the task runs.
	network *types.NetworkConfiguration
	// deployment marks the task as this deployment's, so that a repeated request starts no second one.
	deployment string
	// image is the reference that the task definition must have; command replaces the definition's where it is given.
	image   string
	command []string
	// wait follows a migration that runs already to its end; without, it is an error.
	wait bool
	// stopOnInterrupt stops the task when the watch is interrupted.
	stopOnInterrupt bool
}

// run starts the task, streams its log and judges its exit code. A task that ends before it is first looked at is
// still reported in full; one that outlasts its limit is stopped. While another migration runs, none is started.
func (m *migrationTask) run(ctx context.Context, log phaseLog) (*history.Migration, error) {
	definition, err := migrationDefinition(ctx, m.ecs, m.env, m.image)
	if err != nil {
		return nil, err
	}
	if err := m.ensureNotRunning(ctx, log); err != nil {
		return nil, err
	}
	task, err := m.start(ctx, definition)
	if err != nil {
		return nil, err
	}
	start := m.clock.Now()
	log.note("task %s started: %s", taskID(task), strings.Join(m.commandOf(), " "))
	task, tail, err := m.follow(ctx, task, log, m.env.Deployment.Migrations.Timeout)
	switch {
	case errors.Is(err, errTimeout):
		err = m.stopTimedOut(ctx, task, tail, log)
	case err != nil && ctx.Err() != nil:
		err = m.detach(ctx, task)
	case err == nil:
		err = m.evaluate(task, tail.last)
	}
	result := m.result(task, start)
	result.NoChanges = err == nil && slices.ContainsFunc(tail.last, func(line string) bool { return strings.Contains(line, nothingToMigrate) })
	return result, err
}

// commandOf is the command that runs.
func (m *migrationTask) commandOf() []string {
	if len(m.command) > 0 {
		return m.command
	}
	return m.env.Deployment.Migrations.Command
}

// ensureNotRunning looks for a migration that runs already, whoever started it, and waits for its end or refuses.
func (m *migrationTask) ensureNotRunning(ctx context.Context, log phaseLog) error {
	for {
		running, err := runningMigrations(ctx, m.ecs, m.env)
		if err != nil || len(running) == 0 {
			return err
		}
		task := running[0]
		if !m.wait {
			return alreadyRunningError(m.env, task)
		}
		log.note("%s; it is followed to its end", migrationText(task))
		ended, _, err := m.follow(ctx, &task, log, m.env.Deployment.Migrations.Timeout)
		switch {
		case errors.Is(err, errTimeout):
			return hint.With(fmt.Errorf("%s; it has not ended after %s, and is left alone", migrationText(task), m.env.Deployment.Migrations.Timeout),
				"look at its log and its locks in the database; `aws ecs stop-task` stops it")
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("the migration %s goes on by itself; no other was started", taskID(&task))
		case err != nil:
			return err
		}
		log.note("that migration has ended: %s", cmp.Or(checks.StopCause(*ended).Message, "stopped"))
	}
}

// start runs the task with the network and role of the environment, and its command or the one that is given.
func (m *migrationTask) start(ctx context.Context, definition string) (*types.Task, error) {
	in := &ecs.RunTaskInput{
		Cluster:              aws.String(m.env.ClusterName()),
		TaskDefinition:       &definition,
		LaunchType:           types.LaunchTypeFargate,
		NetworkConfiguration: m.network,
		StartedBy:            aws.String(startedByPrefix + m.deployment),
		ClientToken:          aws.String(m.deployment),
		PropagateTags:        types.PropagateTagsTaskDefinition,
	}
	if len(m.command) > 0 {
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
			Name: aws.String(m.env.ContainerName(environment.Migration)), Command: m.command,
		}}}
	}
	out, err := m.ecs.RunTask(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("start the migration %s: %w", shortID(definition), err)
	}
	if len(out.Tasks) == 0 {
		var reasons []string
		for _, f := range out.Failures {
			reasons = append(reasons, cmp.Or(aws.ToString(f.Detail), aws.ToString(f.Reason)))
		}
		return nil, fmt.Errorf("start the migration %s: %s", shortID(definition), joinOr(reasons, "ECS gave no task and no reason"))
	}
	return &out.Tasks[0], nil
}

// errTimeout says that a task has not ended within its time.
var errTimeout = errors.New("it has not ended in time")

// follow passes a task's log on until the task has stopped and its log is read to the end. The task is as it was last
// seen, the error *not* about how it ended.
func (m *migrationTask) follow(ctx context.Context, task *types.Task, log phaseLog, limit time.Duration) (*types.Task, *logTailer, error) {
	tail := &logTailer{client: m.logs, group: m.env.LogGroupName(), stream: LogStream(m.env, environment.Migration, aws.ToString(task.TaskArn))}
	pollErrors, status := 0, ""
	start := m.clock.Now()
	for waited := time.Duration(0); aws.ToString(task.LastStatus) != "STOPPED"; waited += migrationPollInterval {
		// Calls take their time too; on a clock that runs faster than the machine's, the waits alone are longer.
		if max(waited, m.clock.Now().Sub(start)) > limit {
			return task, tail, errTimeout
		}
		if err := m.clock.Wait(ctx, migrationPollInterval); err != nil {
			return task, tail, err
		}
		seen, err := m.describe(ctx, aws.ToString(task.TaskArn))
		switch {
		case err != nil && ctx.Err() != nil:
			return task, tail, err
		case err != nil:
			if pollErrors++; pollErrors == maxPollErrors {
				return task, tail, fmt.Errorf("%w; the migration goes on by itself", err)
			}
			continue
		case seen == nil && waited > consistencyWindow:
			return task, tail, fmt.Errorf("the migration %s is gone", taskID(task))
		case seen == nil:
			continue
		}
		task, pollErrors = seen, 0
		if now := strings.ToLower(aws.ToString(task.LastStatus)); now != status {
			status = now
			log.progress("task %s is %s", taskID(task), status)
		}
		if task.StartedAt != nil {
			tail.next(ctx, log)
		}
	}
	if task.StartedAt == nil {
		return task, tail, nil
	}
	return task, tail, tail.drain(ctx, m.clock, log)
}

// describe looks at the task; nil says that ECS does not show it, as in the first moments it may not.
func (m *migrationTask) describe(ctx context.Context, arn string) (*types.Task, error) {
	out, err := m.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(m.env.ClusterName()), Tasks: []string{arn}})
	if err != nil {
		return nil, fmt.Errorf("look at the migration %s: %w", shortID(arn), err)
	}
	if len(out.Tasks) != 1 {
		return nil, nil
	}
	return &out.Tasks[0], nil
}

// stopTask asks ECS to stop the task, even where the watch was interrupted.
func (m *migrationTask) stopTask(ctx context.Context, task *types.Task, reason string) error {
	stopCtx, done := context.WithTimeout(context.WithoutCancel(ctx), stopCallTimeout)
	defer done()
	_, err := m.ecs.StopTask(stopCtx, &ecs.StopTaskInput{Cluster: aws.String(m.env.ClusterName()), Task: task.TaskArn, Reason: &reason})
	return err
}

// stopTimedOut stops a task that outlasts its limit, and waits until it has ended.
func (m *migrationTask) stopTimedOut(ctx context.Context, task *types.Task, tail *logTailer, log phaseLog) error {
	limit := m.env.Deployment.Migrations.Timeout
	next := "look at its locks in the database; deployment.migrations.timeout in the environment's file gives it more"
	if err := m.stopTask(ctx, task, "it outlasted its limit of "+limit.String()); err != nil {
		return hint.With(fmt.Errorf("the migration has not ended within its time limit, %s, and could not be stopped: %w%s\n  task %s still runs",
			limit, err, tail.excerpt(), taskID(task)), "stop it by hand once nothing depends on it; "+next)
	}
	log.progress("task %s is asked to stop", taskID(task))
	text := fmt.Sprintf("the migration was stopped at its time limit, %s", limit)
	ended, rest, err := m.follow(ctx, task, withoutNotes(log), stopTimeout)
	if err == nil {
		*task, tail = *ended, rest
	} else {
		text += "; it has not ended yet"
	}
	return hint.With(errors.New(text+tail.excerpt()), next)
}

// detach says what becomes of the task when its watch is interrupted.
func (m *migrationTask) detach(ctx context.Context, task *types.Task) error {
	if !m.stopOnInterrupt {
		return hint.With(fmt.Errorf("the migration %s goes on by itself", taskID(task)),
			"run the same command again with --wait, which follows it to its end first; with --stop-migration it would have been stopped")
	}
	if err := m.stopTask(ctx, task, "the deployment was interrupted"); err != nil {
		return fmt.Errorf("the migration %s goes on by itself, it could not be stopped: %w", taskID(task), err)
	}
	return hint.With(fmt.Errorf("the migration %s was told to stop", taskID(task)),
		"it has up to two minutes to do so: run the same command again with --wait, which follows it to its end first")
}

// evaluate looks at how the task ended.
func (m *migrationTask) evaluate(task *types.Task, logLines []string) error {
	if c := m.container(task); c != nil && c.ExitCode != nil && *c.ExitCode == 0 {
		return nil
	}
	cause := checks.StopCause(*task)
	text := "the migration failed: " + cause.Message
	if cause.Reason != "" && cause.Reason != cause.Message && cause.Kind != checks.StopExitCode {
		text += "\n  ECS says: " + cause.Reason
	}
	text += logExcerpt(logLines)
	next := hintText(m.env, cause)
	if cause.Kind == checks.StopExitCode {
		next = "the schema may be half changed: correct the migration or mark it resolved (`prisma migrate resolve`), then run the same command again"
	}
	return hint.With(errors.New(text), next)
}

func (m *migrationTask) result(task *types.Task, start time.Time) *history.Migration {
	r := &history.Migration{Task: taskID(task), Command: m.command, ExitCode: -1, Seconds: m.clock.Now().Sub(start).Seconds()}
	if c := m.container(task); c != nil && c.ExitCode != nil {
		r.ExitCode = *c.ExitCode
	}
	return r
}

func (m *migrationTask) container(task *types.Task) *types.Container {
	name := m.env.ContainerName(environment.Migration)
	i := slices.IndexFunc(task.Containers, func(c types.Container) bool { return aws.ToString(c.Name) == name })
	if i < 0 {
		return nil
	}
	return &task.Containers[i]
}

func taskID(task *types.Task) string { return shortID(aws.ToString(task.TaskArn)) }

// shortID is the end of an ARN, which is what people call a task.
func shortID(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
