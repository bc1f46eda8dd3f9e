package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
)

// StopAction is the name of the step in which StopMigrations reports its progress.
const StopAction = "stop"

// A StoppedMigration is a migration that StopMigrations has stopped.
type StoppedMigration struct {
	history.Migration
	// StartedBy is who started it.
	StartedBy string
	// Begun are the migrations that its log names, in their order; the last one may be incomplete.
	Begun []string
}

// StopMigrations stops the migrations that are running, no matter who started them, and waits for their end. It reports their log, and returns one
// value for each; none where none is running. A deployment that follows one of them reports it as failed.
func StopMigrations(ctx context.Context, deps Deps, by string) ([]StoppedMigration, error) {
	client := ecs.NewFromConfig(deps.AWS)
	running, err := runningMigrations(ctx, client, deps.Env)
	if err != nil {
		return nil, err
	}
	m := &migrationTask{env: deps.Env, ecs: client, logs: cloudwatchlogs.NewFromConfig(deps.AWS), clock: deps.Clock}
	log := phaseLog{phase: StopAction, report: deps.Report, now: deps.Clock.Now}
	var stopped []StoppedMigration
	for _, task := range running {
		one, err := m.stopRunning(ctx, &task, by, log)
		if err != nil {
			return stopped, err
		}
		stopped = append(stopped, one)
	}
	return stopped, nil
}

// stopRunning stops a migration and waits for its end.
func (m *migrationTask) stopRunning(ctx context.Context, task *types.Task, by string, log phaseLog) (StoppedMigration, error) {
	if err := m.stopTask(ctx, task, "stopped with `deployer migrate --stop` by "+by); err != nil {
		return StoppedMigration{}, fmt.Errorf("stop the migration %s: %w", shortTaskID(task), err)
	}
	log.progress("stopping task %s", shortTaskID(task))
	start := m.clock.Now()
	ended, tail, err := m.follow(ctx, task, log, stopTimeout)
	if err != nil {
		return StoppedMigration{}, hint.With(fmt.Errorf("the migration %s was asked to stop, and has not stopped yet: %w", shortTaskID(task), err),
			"ECS kills it after two minutes: run `deployer migrate --env "+m.env.Stack+" --stop` again, which waits for it")
	}
	return StoppedMigration{
		Migration: history.Migration{Task: ecstasks.ID(*task), ExitCode: m.exitCode(ended), Seconds: m.clock.Now().Sub(start).Seconds()},
		StartedBy: startedBy(*task), Begun: tail.begun,
	}, nil
}

// Background returns what is changing in the environment without a deployer that waits for it: migrations and rollouts, one sentence each.
func Background(ctx context.Context, cfg aws.Config, env *environment.Environment) ([]string, error) {
	client := ecs.NewFromConfig(cfg)
	migrations, err := runningMigrations(ctx, client, env)
	if err != nil {
		return nil, err
	}
	var running []string
	for _, task := range migrations {
		running = append(running, migrationText(task)+"; `deployer migrate --env "+env.Stack+" --stop` stops it")
	}
	services, err := describeServices(ctx, client, env)
	if err != nil {
		return nil, err
	}
	for _, service := range services {
		if text, inProgress := rolloutText(service); inProgress {
			running = append(running, text+"; `deployer rollback --env "+env.Stack+"` ends it")
		}
	}
	return running, nil
}

// migrationName returns the name of the migration that a line of Prisma's log begins with; "" for another line.
// Source: https://github.com/prisma/prisma-engines/blob/main/schema-engine/commands/src/commands/apply_migrations.rs
func migrationName(line string) string {
	name, found := strings.CutPrefix(line, applyingMigration)
	if !found {
		return ""
	}
	return strings.Trim(name, " `")
}
