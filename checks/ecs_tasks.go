package checks

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// maxTasksListed limits how many tasks a finding lists.
const maxTasksListed = 20

func checkTasks(ctx context.Context, rc *runContext) ([]Finding, error) {
	prefetch(ctx, rc, readPasswordRotation)
	prefetch(ctx, rc, readSecret)
	tasks, services, err := readBoth(ctx, rc, readRunningTasks, readServices)
	if err != nil {
		return nil, err
	}
	changes := readSecretChanges(ctx, rc)
	return list.Map(rc.env.Services.List(), func(s environment.Service) Finding {
		name := rc.env.ServiceName(s.Role)
		return evaluateTasks(name, findService(services, name), tasksOfService(tasks, name), changes, rc.env)
	}), nil
}

// passwordRotation is when RDS last rotated the database's managed password and when it created the secret; rotated is
// nil where RDS never did or does not manage it.
type passwordRotation struct {
	created, rotated *time.Time
}

// renewed reports whether there was a rotation after the secret's creation, which itself may count as one.
func (r passwordRotation) renewed() bool {
	return r.rotated != nil && r.created != nil && r.rotated.After(*r.created)
}

func readPasswordRotation(ctx context.Context, rc *runContext) (passwordRotation, error) {
	return cached(ctx, &rc.cache, "password rotation", func(ctx context.Context) (passwordRotation, error) {
		database, err := readDatabase(ctx, rc)
		if err != nil || database == nil || database.MasterUserSecret == nil {
			return passwordRotation{}, err
		}
		out, err := secretsmanager.NewFromConfig(rc.aws()).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
			SecretId: database.MasterUserSecret.SecretArn,
		})
		if err != nil {
			return passwordRotation{}, err
		}
		return passwordRotation{created: out.CreatedDate, rotated: out.LastRotatedDate}, nil
	})
}

// secretChanges holds when the secrets that tasks read at their start last changed, nil where that is unknown or never
// happened. A task that started earlier has the previous values.
type secretChanges struct {
	// password is the database's, which RDS rotates; configuration is the configuration secret.
	password      passwordRotation
	configuration *time.Time
}

func (r secretChanges) latest() *time.Time {
	if r.password.rotated == nil || r.configuration != nil && r.configuration.After(*r.password.rotated) {
		return r.configuration
	}
	return r.password.rotated
}

// readSecretChanges leaves out what cannot be read: tasks can be evaluated without it.
func readSecretChanges(ctx context.Context, rc *runContext) secretChanges {
	var r secretChanges
	r.password, _ = readPasswordRotation(ctx, rc)
	if secret, _ := readSecret(ctx, rc); secret != nil {
		r.configuration = secret.changed
	}
	return r
}

func evaluateTasks(
	name string, service *ecstypes.Service, tasks []ecstypes.Task, changes secretChanges, env *environment.Environment,
) Finding {
	f := newFinding("ecs_tasks", "ECS-Tasks-"+name)
	if service == nil {
		return f.error("ServiceMissing", missingFromHint(env, "the service"), "the service does not exist, so that no tasks run")
	}
	f = f.with("tasks", taskDetails(tasks))
	counts := countTasks(tasks)
	switch {
	case len(tasks) == 0 && service.RunningCount > 0:
		return f.unknown("TasksNotListed", Hint{
			Cause: "ECS lists a service's tasks shortly after it counts them", Solution: "run it again",
		}, "the service runs %d tasks, of which ECS lists none", service.RunningCount)
	case len(tasks) == 0 && service.DesiredCount == 0:
		return f.healthy("NoTasksDesired", "the desired number of tasks is 0")
	case len(tasks) == 0:
		return f.error("NoTasks", Hint{
			Cause:    "no task starts, or each stops immediately",
			Solution: "check ecs_service for the reasons", Command: command(env, "logs"),
		}, "0/%d tasks exist", service.DesiredCount)
	case counts.unhealthy == len(tasks):
		return f.error("TasksUnhealthy", unhealthyHint(env), "%d/%d tasks fail their container's health check", counts.unhealthy, len(tasks))
	case counts.unhealthy > 0:
		return f.warning("TasksUnhealthy", unhealthyHint(env), "%d/%d tasks fail their container's health check", counts.unhealthy, len(tasks))
	case counts.running < len(tasks):
		return f.warning("TasksStarting", Hint{
			Cause: "a deployment or autoscaling starts tasks", Solution: "wait; for a task that stays PENDING, check ecs_service for the reason",
		}, "%d/%d tasks running, the others are starting or stopping", counts.running, len(tasks))
	case startedBefore(tasks, changes.password.rotated) > 0:
		return f.with("password_rotated", changes.password.rotated.UTC().Format(time.RFC3339)).warning(reasonOlderThanPassword, Hint{
			Cause:    "RDS rotated the database's password after the tasks had built DATABASE_URL: new connections fail",
			Solution: "wait a few minutes, in which the state machine " + env.RotationName() + " restarts the tasks; if it did not, restart them",
			Command:  command(env, "restart"),
		}, "%d/%d tasks are older than the database's password", startedBefore(tasks, changes.password.rotated), len(tasks))
	case startedBefore(tasks, changes.configuration) > 0:
		return f.with("configuration_changed", changes.configuration.UTC().Format(time.RFC3339)).warning(reasonOlderThanConfiguration, Hint{
			Cause:    "the configuration secret was changed after the tasks had started: they have its previous values",
			Solution: "restart the tasks", Command: command(env, "restart"),
		}, "%d/%d tasks are older than the configuration", startedBefore(tasks, changes.configuration), len(tasks))
	}
	running := fmt.Sprintf("%s running, %d known healthy", text.Plural(counts.running, "task", "tasks"), counts.healthy)
	oldest := firstStart(tasks)
	if !changes.password.renewed() || oldest == nil {
		return f.healthy("Running", "%s", running)
	}
	rotated := changes.password.rotated.UTC()
	after := oldest.Sub(rotated)
	f = f.with("password_rotated", rotated.Format(time.RFC3339)).with("restarted_after_seconds", int(after.Seconds()))
	return f.healthy("Running", "%s; password rotated %s, tasks started %s later", running, rotated.Format(time.DateOnly), text.Duration(after))
}

// firstStart returns when the oldest task started, or nil where none has.
func firstStart(tasks []ecstypes.Task) *time.Time {
	var oldest *time.Time
	for _, t := range tasks {
		if t.StartedAt != nil && (oldest == nil || t.StartedAt.Before(*oldest)) {
			oldest = t.StartedAt
		}
	}
	return oldest
}

func unhealthyHint(env *environment.Environment) Hint {
	return Hint{
		Cause:    "the health check's command fails in the container; ECS will replace the task",
		Solution: "check the application's logs", Command: command(env, "logs"),
	}
}

type taskCounts struct{ running, healthy, unhealthy int }

func countTasks(tasks []ecstypes.Task) taskCounts {
	var counts taskCounts
	for _, t := range tasks {
		if aws.ToString(t.LastStatus) == "RUNNING" {
			counts.running++
		}
		switch t.HealthStatus {
		case ecstypes.HealthStatusHealthy:
			counts.healthy++
		case ecstypes.HealthStatusUnhealthy:
			counts.unhealthy++
		}
	}
	return counts
}

func startedBefore(tasks []ecstypes.Task, when *time.Time) int {
	return len(list.Filter(tasks, func(t ecstypes.Task) bool { return when != nil && t.StartedAt != nil && t.StartedAt.Before(*when) }))
}

func taskDetails(tasks []ecstypes.Task) []map[string]any {
	details := []map[string]any{}
	for _, t := range tasks[:min(len(tasks), maxTasksListed)] {
		detail := map[string]any{
			"task": awsx.NameFromARN(aws.ToString(t.TaskArn)), "status": aws.ToString(t.LastStatus),
			"revision": awsx.NameFromARN(aws.ToString(t.TaskDefinitionArn)),
		}
		setText(detail, "health", string(t.HealthStatus))
		setTime(detail, "started", t.StartedAt)
		setText(detail, "zone", aws.ToString(t.AvailabilityZone))
		details = append(details, detail)
	}
	return details
}

// OutdatedTasks returns a warning for each service with tasks that started before a secret that they read was changed, with the
// command that restarts them. Services that cannot be read are left out.
func OutdatedTasks(ctx context.Context, env *environment.Environment, src Sources, clk clock.Clock) []Finding {
	var outdated []Finding
	for _, f := range Run(ctx, env, src, Options{Only: []string{"ecs_tasks"}}, clk).Services {
		if f.Reason == reasonOlderThanPassword || f.Reason == reasonOlderThanConfiguration {
			f.Details = nil
			outdated = append(outdated, f)
		}
	}
	return outdated
}

// Reasons why tasks must be restarted.
const (
	reasonOlderThanPassword      = "TasksOlderThanRotation"
	reasonOlderThanConfiguration = "TasksOlderThanConfiguration"
)
