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
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
)

const (
	// migrationPoll is how often a running migration is looked at.
	migrationPoll = 3 * time.Second
	// startedBy marks the task, so that a look before the next migration finds it.
	startedBy = "deployer-migration"
	// logTail is how many of the last log lines a failure shows.
	logTail = 6
)

// migrate runs the database migration as a one-off task in the API's network.
type migrate struct {
	env   *environment.Environment
	ecs   *ecs.Client
	logs  *cloudwatchlogs.Client
	clock clock.Clock
	// network is where the task runs.
	network *types.NetworkConfiguration
	// deployment marks the task as this deployment's, so that a repeated request starts no second one.
	deployment string
}

// run starts the task, streams its log and judges its exit code. A task that ends before it is first looked at is
// still reported in full; one that outlasts its limit is stopped.
func (m *migrate) run(ctx context.Context, v voice) (*record.Migration, error) {
	task, err := m.start(ctx)
	if err != nil {
		return nil, err
	}
	began := m.clock.Now()
	v.progress("task %s started", shortID(aws.ToString(task.TaskArn)))
	tail := &logTailer{client: m.logs, env: m.env, stream: m.stream(aws.ToString(task.TaskArn))}
	for waited := time.Duration(0); aws.ToString(task.LastStatus) != "STOPPED"; waited += migrationPoll {
		if waited > m.env.Deployment.Migrations.Timeout {
			return m.result(task, began), m.stopLate(ctx, task)
		}
		if m.clock.Wait(ctx, migrationPoll) != nil {
			return m.result(task, began), fmt.Errorf("the migration %s goes on by itself", shortID(aws.ToString(task.TaskArn)))
		}
		seen, err := m.describe(ctx, aws.ToString(task.TaskArn))
		switch {
		case err != nil:
			return m.result(task, began), err
		case seen == nil && waited > settling:
			return m.result(task, began), fmt.Errorf("the migration %s is gone", shortID(aws.ToString(task.TaskArn)))
		case seen == nil:
			continue
		}
		task = seen
		tail.next(ctx, func(line string) { v.note("%s", line) })
		v.progress("task %s is %s", shortID(aws.ToString(task.TaskArn)), strings.ToLower(aws.ToString(task.LastStatus)))
	}
	tail.next(ctx, func(line string) { v.note("%s", line) })
	return m.judge(task, began, tail.last)
}

// start runs the task with the environment's own command, network and role.
func (m *migrate) start(ctx context.Context) (*types.Task, error) {
	family := m.env.TaskFamily(environment.Migration)
	out, err := m.ecs.RunTask(ctx, &ecs.RunTaskInput{
		Cluster:              aws.String(m.env.ClusterName()),
		TaskDefinition:       &family,
		LaunchType:           types.LaunchTypeFargate,
		NetworkConfiguration: m.network,
		StartedBy:            aws.String(startedBy),
		ClientToken:          aws.String(m.deployment),
		PropagateTags:        types.PropagateTagsTaskDefinition,
	})
	if err != nil {
		return nil, fmt.Errorf("start the migration %s: %w", family, err)
	}
	if len(out.Tasks) == 0 {
		var reasons []string
		for _, f := range out.Failures {
			reasons = append(reasons, cmp.Or(aws.ToString(f.Detail), aws.ToString(f.Reason)))
		}
		return nil, fmt.Errorf("start the migration %s: %s", family, listOr(reasons, "ECS gave no task and no reason"))
	}
	return &out.Tasks[0], nil
}

// describe looks at the task; nil says that ECS does not show it, as in the first moments it may not.
func (m *migrate) describe(ctx context.Context, arn string) (*types.Task, error) {
	out, err := m.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(m.env.ClusterName()), Tasks: []string{arn}})
	if err != nil {
		return nil, fmt.Errorf("look at the migration %s: %w", shortID(arn), err)
	}
	if len(out.Tasks) != 1 {
		return nil, nil
	}
	return &out.Tasks[0], nil
}

func (m *migrate) stopLate(ctx context.Context, task *types.Task) error {
	limit := m.env.Deployment.Migrations.Timeout
	_, err := m.ecs.StopTask(ctx, &ecs.StopTaskInput{
		Cluster: aws.String(m.env.ClusterName()), Task: task.TaskArn, Reason: aws.String("it outlasted its limit of " + limit.String()),
	})
	return withHint(errors.Join(fmt.Errorf("the migration was stopped at its time limit, %s", limit), err),
		"look at its locks in the database; deployment.migrations.timeout in the environment's file gives it more")
}

// judge looks at how the task ended.
func (m *migrate) judge(task *types.Task, began time.Time, last []string) (*record.Migration, error) {
	result := m.result(task, began)
	container := m.container(task)
	if container != nil && container.ExitCode != nil && *container.ExitCode == 0 {
		return result, nil
	}
	cause := checks.StopCause(*task)
	text := fmt.Sprintf("the migration failed: %s", cause.Message)
	if len(last) > 0 {
		text += "\n  its last log lines:\n    " + strings.Join(last, "\n    ")
	}
	hint := cause.Hint.Solution
	if cause.Kind == checks.StopExitCode {
		hint = "the schema may be half changed: correct the migration or mark it resolved (`prisma migrate resolve`), then run `up` again"
	}
	return result, withHint(errors.New(text), hint)
}

func (m *migrate) result(task *types.Task, began time.Time) *record.Migration {
	r := &record.Migration{Task: shortID(aws.ToString(task.TaskArn)), ExitCode: -1, Seconds: m.clock.Now().Sub(began).Seconds()}
	if c := m.container(task); c != nil && c.ExitCode != nil {
		r.ExitCode = *c.ExitCode
	}
	return r
}

func (m *migrate) container(task *types.Task) *types.Container {
	name := m.env.ContainerName(environment.Migration)
	i := slices.IndexFunc(task.Containers, func(c types.Container) bool { return aws.ToString(c.Name) == name })
	if i < 0 {
		return nil
	}
	return &task.Containers[i]
}

func (m *migrate) stream(taskARN string) string {
	return LogStream(m.env, environment.Migration, taskARN)
}

// LogStream is the stream that a container's output goes to: prefix, container and task, as the awslogs driver
// composes it. Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func LogStream(env *environment.Environment, role environment.Role, taskARN string) string {
	return string(role) + "/" + env.ContainerName(role) + "/" + shortID(taskARN)
}

// shortID is the end of an ARN, which is what people call a task.
func shortID(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// logTailer reads a log stream from where it last stopped, and remembers the last lines.
type logTailer struct {
	client *cloudwatchlogs.Client
	env    *environment.Environment
	stream string
	token  *string
	last   []string
}

// next hands new lines to line. Logs are evidence, never a reason to fail: a stream that is not there yet has none.
func (t *logTailer) next(ctx context.Context, line func(string)) {
	for {
		out, err := t.client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(t.env.LogGroupName()), LogStreamName: &t.stream, StartFromHead: aws.Bool(true), NextToken: t.token,
		})
		var absent *logstypes.ResourceNotFoundException
		if errors.As(err, &absent) {
			return
		}
		if err != nil {
			line("(its log cannot be read: " + err.Error() + ")")
			return
		}
		for _, event := range out.Events {
			text := strings.TrimRight(aws.ToString(event.Message), "\n")
			t.last = append(t.last, text)
			line(text)
		}
		t.last = t.last[max(0, len(t.last)-logTail):]
		// A page can be empty before the end; the end is where the token stays as it is.
		// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
		if aws.ToString(out.NextForwardToken) == aws.ToString(t.token) {
			return
		}
		t.token = out.NextForwardToken
	}
}
