package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
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
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

const (
	migrationPollInterval = 3 * time.Second
	// stopTimeout is how long a migration may take to stop, stopCallTimeout how long the call that asks for it.
	stopTimeout     = 3 * time.Minute
	stopCallTimeout = 10 * time.Second
	// detachTimeout limits the last read of a migration after an interruption, since a CI system soon kills the deployer.
	detachTimeout = 3 * time.Second
	// startedByPrefix precedes the deployment's ID in the startedBy field of a migration's task.
	startedByPrefix = "deployer/"
	// nothingToMigrate is what Prisma prints for a database that has every migration.
	// Source: https://github.com/prisma/prisma/blob/main/packages/migrate/src/commands/MigrateDeploy.ts
	nothingToMigrate = "No pending migrations to apply"
)

// migrationTask runs the database migration as a one-off task.
type migrationTask struct {
	env     *environment.Environment
	ecs     *ecs.Client
	logs    *cloudwatchlogs.Client
	clock   clock.Clock
	network *types.NetworkConfiguration
	// deployment is the ID of this deployment, so that a repeated request starts no second task.
	deployment string
	// image is the reference that the task definition must have; command replaces the environment's.
	image   string
	command []string
	// registered is the revision that the stack registered last.
	registered string
	// wait waits for a migration that is already running; without it that is an error.
	wait bool
	// stopOnInterrupt stops the task when the context ends.
	stopOnInterrupt bool
}

// run starts the task, streams its log and evaluates its exit code. A task that stops before the first poll is reported in full; one
// that exceeds its time limit is stopped. While another migration runs, none is started.
func (m *migrationTask) run(ctx context.Context, log phaseLog) (*history.Migration, error) {
	definition, err := trustedDefinition(ctx, m.ecs, m.env, m.registered, m.image)
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
	command := m.command
	if len(command) == 0 {
		command = m.env.Deployment.Migrations.Command
	}
	log.note("task %s started: %s", shortTaskID(task), sanitize.Text(strings.Join(command, " ")))
	task, tail, err := m.follow(ctx, task, log, m.env.Deployment.Migrations.Timeout)
	switch {
	case errors.Is(err, errTimeout):
		err = m.stopTimedOut(ctx, task, tail, log)
	case err != nil && ctx.Err() != nil:
		err = m.detach(ctx, task, tail, log)
	case err == nil:
		err = m.evaluate(task, tail)
	}
	return &history.Migration{
		Task: ecstasks.ID(*task), Command: m.command, ExitCode: m.exitCode(task), Seconds: m.clock.Now().Sub(start).Seconds(),
		NoChanges: err == nil && slices.ContainsFunc(tail.last, func(line string) bool { return strings.Contains(line, nothingToMigrate) }),
	}, err
}

// ensureNotRunning waits for a migration that is already running, or returns an error.
func (m *migrationTask) ensureNotRunning(ctx context.Context, log phaseLog) error {
	for {
		running, err := runningMigrations(ctx, m.ecs, m.env)
		if err != nil || len(running) == 0 {
			return err
		}
		task := running[0]
		if !m.wait {
			return alreadyRunningError(m.env, task, false)
		}
		log.note("%s; waiting for it to finish", migrationText(task))
		ended, _, err := m.follow(ctx, &task, log, m.env.Deployment.Migrations.Timeout)
		switch {
		case errors.Is(err, errTimeout):
			return hint.With(fmt.Errorf("%s; it has not finished after %s, and is not stopped", migrationText(task), m.env.Deployment.Migrations.Timeout),
				"check its log and its locks in the database; `deployer migrate --env "+m.env.Stack+" --stop` stops it")
		case err != nil && ctx.Err() != nil:
			return hint.With(fmt.Errorf("the migration %s %s; no other was started", shortTaskID(&task), m.stateAfterInterruption(ctx, &task)), m.continues())
		case err != nil:
			return err
		}
		log.note("that migration ended: %s", cmp.Or(checks.StopCause(*ended).Message, "stopped"))
	}
}

// start runs the task with the network, the role and the command of the environment.
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
	if err == nil && len(out.Tasks) == 0 {
		reasons := list.Map(out.Failures, func(f types.Failure) string { return cmp.Or(aws.ToString(f.Detail), aws.ToString(f.Reason)) })
		err = errors.New(cmp.Or(strings.Join(reasons, ", "), "ECS returned no task and no reason"))
	}
	if err != nil {
		return nil, fmt.Errorf("start the migration %s: %w", awsx.NameFromARN(definition), err)
	}
	return &out.Tasks[0], nil
}

// errTimeout reports that a task has not stopped within its time limit.
var errTimeout = errors.New("it has not finished in time")

// follow streams a task's log until the task has stopped and the log is read to the end. It returns the task as it was last read. The
// error is *not* about the exit code.
func (m *migrationTask) follow(ctx context.Context, task *types.Task, log phaseLog, limit time.Duration) (*types.Task, *logTailer, error) {
	tail := &logTailer{client: m.logs, group: m.env.LogGroupName(), stream: logStream(m.env, environment.Migration, aws.ToString(task.TaskArn))}
	pollErrors, status := 0, ""
	start := m.clock.Now()
	for waited := time.Duration(0); aws.ToString(task.LastStatus) != "STOPPED"; waited += migrationPollInterval {
		// On a clock that runs faster than the machine's, the sum of the waits is longer.
		if max(waited, m.clock.Now().Sub(start)) > limit {
			return task, tail, errTimeout
		}
		if err := m.clock.Wait(ctx, migrationPollInterval); err != nil {
			return task, tail, err
		}
		current, err := m.describe(ctx, aws.ToString(task.TaskArn))
		switch {
		case err != nil && ctx.Err() != nil:
			return task, tail, err
		case err != nil:
			if pollErrors++; pollErrors == maxPollErrors || expiry.IsError(err) {
				return task, tail, fmt.Errorf("%w; the migration may still be running", err)
			}
			continue
		case current == nil && waited > consistencyWindow:
			return task, tail, fmt.Errorf("ECS does not list the migration %s any more", shortTaskID(task))
		case current == nil:
			continue
		}
		task, pollErrors = current, 0
		if now := strings.ToLower(aws.ToString(task.LastStatus)); now != status {
			status = now
			log.progress("task %s is %s", shortTaskID(task), status)
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

// describe reads the task; nil where ECS does not list it, as for some moments after its start.
func (m *migrationTask) describe(ctx context.Context, arn string) (*types.Task, error) {
	tasks, err := ecstasks.Describe(ctx, m.ecs, aws.String(m.env.ClusterName()), []string{arn})
	if err != nil {
		return nil, fmt.Errorf("describe the migration %s: %w", awsx.NameFromARN(arn), err)
	}
	if len(tasks) != 1 {
		return nil, nil
	}
	return &tasks[0], nil
}

// stopTask asks ECS to stop the task, even where the context has ended.
func (m *migrationTask) stopTask(ctx context.Context, task *types.Task, reason string) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopCallTimeout)
	defer cancel()
	_, err := m.ecs.StopTask(bounded, &ecs.StopTaskInput{Cluster: aws.String(m.env.ClusterName()), Task: task.TaskArn, Reason: &reason})
	return err
}

// stopTimedOut stops a task that exceeds its time limit, and waits until it has stopped.
func (m *migrationTask) stopTimedOut(ctx context.Context, task *types.Task, tail *logTailer, log phaseLog) error {
	limit := m.env.Deployment.Migrations.Timeout
	next := timeoutHint(len(tail.begun) > 0)
	if err := m.stopTask(ctx, task, "time limit of "+limit.String()+" exceeded"); err != nil {
		return hint.With(fmt.Errorf("the migration has not finished within its time limit, %s, and could not be stopped: %w%s\n  task %s is still running",
			limit, err, tail.excerpt(), shortTaskID(task)), "stop it with `deployer migrate --env "+m.env.Stack+" --stop`; "+next)
	}
	log.progress("stopping task %s", shortTaskID(task))
	text := fmt.Sprintf("the migration was stopped at its time limit, %s", limit)
	ended, rest, err := m.follow(ctx, task, withoutNotes(log), stopTimeout)
	if err == nil {
		*task, tail, next = *ended, rest, timeoutHint(len(rest.begun) > 0)
	} else {
		text += "; it has not stopped yet"
	}
	return hint.With(errors.New(text+tail.excerpt()), next)
}

// detach returns what happens to the task when the deployment is interrupted. A task that stopped since the last poll is evaluated.
func (m *migrationTask) detach(ctx context.Context, task *types.Task, tail *logTailer, log phaseLog) error {
	state := m.stateAfterInterruption(ctx, task)
	if checks.Ended(*task) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTimeout)
		defer cancel()
		if task.StartedAt != nil {
			tail.next(bounded, log)
		}
		if err := m.evaluate(task, tail); err != nil {
			return err
		}
		return hint.With(fmt.Errorf("the migration %s %s: exit code 0", shortTaskID(task), state),
			"run the same command again: migrations that are applied are not applied twice")
	}
	if !m.stopOnInterrupt {
		return hint.With(fmt.Errorf("the migration %s %s", shortTaskID(task), state), m.continues())
	}
	if err := m.stopTask(ctx, task, "the deployment was interrupted"); err != nil {
		return fmt.Errorf("the migration %s %s, it could not be stopped: %w", shortTaskID(task), state, err)
	}
	return hint.With(fmt.Errorf("the migration %s is being stopped", shortTaskID(task)),
		"that takes up to two minutes: run the same command again with --wait, which waits for it first")
}

// stateAfterInterruption reads the task once more, although the context has ended, and returns its state as the end of a sentence.
func (m *migrationTask) stateAfterInterruption(ctx context.Context, task *types.Task) string {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTimeout)
	defer cancel()
	current, err := m.describe(bounded, aws.ToString(task.TaskArn))
	if current != nil {
		*task = *current
	}
	switch {
	case checks.Ended(*task):
		return "has finished"
	case err != nil:
		return "may still be running"
	}
	return "continues in the background"
}

// continues returns what can be done about a migration that continues in the background.
func (m *migrationTask) continues() string {
	return "run the same command again with --wait, which waits for it first; `deployer migrate --env " + m.env.Stack + " --stop` stops it"
}

// evaluate returns an error unless the task exited with 0.
func (m *migrationTask) evaluate(task *types.Task, tail *logTailer) error {
	if m.exitCode(task) == 0 {
		return nil
	}
	cause := checks.StopCause(*task)
	text, next := "the migration failed: "+cause.Message, ""
	switch {
	case cause.Kind == checks.StopExitCode:
		next = migrationHint(m.env, m.exitCode(task), tail.last, len(tail.begun) > 0)
	case len(tail.begun) > 0:
		text, next = text+ecsReason(cause), hintText(m.env, cause)+"; "+partlyChanged
	default:
		text, next = text+ecsReason(cause), hintText(m.env, cause)
	}
	return hint.With(errors.New(text+tail.excerpt()), next)
}

// exitCode returns the exit code of the migration's container, -1 where it has none.
func (m *migrationTask) exitCode(task *types.Task) int32 {
	c := containerNamed(*task, m.env.ContainerName(environment.Migration))
	if c == nil || c.ExitCode == nil {
		return -1
	}
	return *c.ExitCode
}

// runningMigrations returns the migrations that have not ended, whether a deployment started them, one that crashed, or a person. A
// cluster that does not exist has none.
func runningMigrations(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]types.Task, error) {
	var all []types.Task
	// One that was asked to stop has up to two minutes to do so.
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		tasks, err := findTasks(ctx, client, &ecs.ListTasksInput{
			Cluster: aws.String(env.ClusterName()), Family: aws.String(env.TaskFamily(environment.Migration)), DesiredStatus: desired,
		})
		if err != nil {
			return nil, fmt.Errorf("find running migrations: %w", err)
		}
		all = append(all, tasks...)
	}
	return slices.DeleteFunc(all, checks.Ended), nil
}

// migrationText returns which migration is running, since when, and who started it.
func migrationText(task types.Task) string {
	text := "a migration is running: task " + shortTaskID(&task)
	if task.CreatedAt != nil {
		text += " since " + task.CreatedAt.UTC().Format(time.TimeOnly) + " UTC"
	}
	return text + ", started " + startedBy(task)
}

// startedBy returns who started a migration, as the end of a sentence.
func startedBy(task types.Task) string {
	switch by := aws.ToString(task.StartedBy); {
	case strings.HasPrefix(by, startedByPrefix):
		return "by the deployment " + strings.TrimPrefix(by, startedByPrefix)
	case by != "":
		return "by " + by
	}
	return "manually"
}

// alreadyRunningError returns the error about a migration that is running. wait reports that the command waits for it.
func alreadyRunningError(env *environment.Environment, task types.Task, wait bool) error {
	next := "wait for it to finish, or run the same command with --wait, which waits for it; "
	if wait {
		next = "once nothing else is in the way, the command waits for it; "
	}
	return hint.With(errors.New(migrationText(task)), next+"`deployer migrate --env "+env.Stack+" --stop` stops it")
}

// maxRevisions is how many task definitions are searched for an image.
const maxRevisions = 30

// findDefinition returns the newest revision of the migration's task definition that has the image and is accepted.
func findDefinition(
	ctx context.Context, client *ecs.Client, env *environment.Environment, image string,
	accepted func(*types.TaskDefinition) bool,
) (string, error) {
	family := env.TaskFamily(environment.Migration)
	out, err := client.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: &family, Status: types.TaskDefinitionStatusActive, Sort: types.SortOrderDesc, MaxResults: aws.Int32(maxRevisions),
	})
	if err != nil {
		return "", fmt.Errorf("list the task definitions %s: %w", family, err)
	}
	rejected := ""
	for _, arn := range out.TaskDefinitionArns {
		found, err := describeDefinition(ctx, client, arn)
		if err != nil {
			return "", err
		}
		switch {
		case imageIn(found, env.ContainerName(environment.Migration)) != image:
		case accepted(found):
			return arn, nil
		case rejected == "":
			rejected = awsx.NameFromARN(arn)
		}
	}
	next := "run `deployer up --env " + env.Stack + " --image-tag TAG` with the image: its provision phase creates one"
	if rejected != "" {
		return "", hint.With(fmt.Errorf("the revision %s of the task definition has the image %s, but differs in more than the image "+
			"from the one that the stack registered, and is not run", rejected, awsx.NameFromARN(image)), next)
	}
	return "", hint.With(fmt.Errorf("no revision of the task definition %s has the image %s", family, awsx.NameFromARN(image)), next)
}

// anyDefinition returns an error where no revision has the image.
func anyDefinition(ctx context.Context, client *ecs.Client, env *environment.Environment, image string) error {
	_, err := findDefinition(ctx, client, env, image, func(*types.TaskDefinition) bool { return true })
	return err
}

// trustedDefinition returns the revision to run: the one that the stack registered, or for another image one that
// differs from it in nothing but the image. AWS does not limit who registers revisions of a family to an environment,
// so the newest one may be anyone's.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
func trustedDefinition(
	ctx context.Context, client *ecs.Client, env *environment.Environment, registered, image string,
) (string, error) {
	if registered == "" {
		return "", hint.With(fmt.Errorf("the stack %s has no task definition for migrations", env.Stack),
			"provision it first: `deployer up --env "+env.Stack+" --image-tag TAG`, without --skip provision")
	}
	own, err := describeDefinition(ctx, client, registered)
	if err != nil {
		return "", err
	}
	container := env.ContainerName(environment.Migration)
	if imageIn(own, container) == image {
		return registered, nil
	}
	comparable := comparableDefinition(own, container)
	return findDefinition(ctx, client, env, image, func(found *types.TaskDefinition) bool {
		return reflect.DeepEqual(comparableDefinition(found, container), comparable)
	})
}

// comparableDefinition returns a task definition without its revision, its size and the image of a container.
func comparableDefinition(definition *types.TaskDefinition, container string) types.TaskDefinition {
	d := *definition
	d.TaskDefinitionArn, d.Revision, d.Status, d.Cpu, d.Memory = nil, 0, "", nil, nil
	d.RegisteredAt, d.RegisteredBy, d.DeregisteredAt = nil, nil, nil
	d.ContainerDefinitions = slices.Clone(d.ContainerDefinitions)
	for i := range d.ContainerDefinitions {
		if c := &d.ContainerDefinitions[i]; aws.ToString(c.Name) == container {
			c.Image, c.Cpu = nil, 0
		}
	}
	return d
}

func describeDefinition(ctx context.Context, client *ecs.Client, arn string) (*types.TaskDefinition, error) {
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
	if err != nil {
		return nil, fmt.Errorf("read the task definition %s: %w", awsx.NameFromARN(arn), err)
	}
	return out.TaskDefinition, nil
}
