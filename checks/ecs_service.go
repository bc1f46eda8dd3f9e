package checks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func checkServices(ctx context.Context, rc *runContext) ([]Finding, error) {
	prefetch(ctx, rc, readStoppedTasks)
	prefetch(ctx, rc, readUtilisation)
	services, err := readServices(ctx, rc)
	if err != nil {
		return nil, err
	}
	// Stop causes and metrics only explain a service; it can be evaluated without them.
	stopped, stoppedErr := readStoppedTasks(ctx, rc)
	metrics, _ := readUtilisation(ctx, rc)
	return forEach(ctx, serviceNames(services, rc.env), func(ctx context.Context, name string) ([]Finding, error) {
		service := findService(services, name)
		if service == nil {
			return []Finding{newFinding("ecs_service", "ECS-Service-"+name).error("ServiceMissing",
				missingFromHint(rc.env, "the service"), "the service %s does not exist", name)}, nil
		}
		stops := stopsOf(*service, stopped)
		finding := evaluateService(*service, stops, rc.env, rc.now)
		if stoppedErr != nil {
			finding.Details["stopped_tasks"] = "not read: " + shortError(stoppedErr)
		}
		if finding.Status != Healthy && len(stops.failing) > 0 && stops.failing[0].count > 0 {
			if lines := readLogTail(ctx, rc, name, stops.failing[0].newest); len(lines) > 0 {
				finding.Details[LogLines] = lines
			}
		}
		maps.Copy(finding.Details, metrics.of(serviceMetrics(name)))
		return []Finding{finding}, nil
	})
}

// LogLines names the detail with the last lines that a container wrote.
const LogLines = "last_log_lines"

// serviceNames returns the environment's services, whether or not they exist, and then any others of the cluster.
func serviceNames(services []ecstypes.Service, env *environment.Environment) []string {
	names := list.Map(env.Services.List(), func(s environment.Service) string { return env.ServiceName(s.Role) })
	var others []string
	for _, s := range services {
		if name := aws.ToString(s.ServiceName); !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// evaluateService evaluates a service by its newest deployment, its running tasks, and the causes of tasks that failed.
func evaluateService(s ecstypes.Service, stops stops, env *environment.Environment, now time.Time) Finding {
	rollout := PrimaryDeployment(s)
	f := newFinding("ecs_service", "ECS-Service-"+aws.ToString(s.ServiceName)).
		with("desired", s.DesiredCount).with("running", s.RunningCount).with("pending", s.PendingCount).
		with("task_definition", awsx.NameFromARN(aws.ToString(s.TaskDefinition)))
	if len(s.Deployments) > 0 {
		f = f.with("rollout", rolloutDetails(rollout, len(s.Deployments), now))
	}
	if len(stops.all) > 0 {
		f = f.with("stopped_tasks", stopDetails(stops.all))
	}
	counts := fmt.Sprintf("%d/%d tasks running", s.RunningCount, s.DesiredCount)
	failing := stops.failing
	if s.Status == nil {
		return f.unknown("ServiceUnknown", incompleteAnswer("DescribeServices", "a status"), "%s, and it is unknown whether the service is active", counts)
	}
	if status := *s.Status; status != "ACTIVE" {
		return f.error("ServiceNotActive", deployHint(env, "the service is being deleted, or was deleted"), "the service is %s", status)
	}
	if rollout.RolloutState == ecstypes.DeploymentRolloutStateFailed {
		return f.error("RolloutFailed", rolloutHint(env, failing), "%s; the rollout failed: %s%s", counts,
			strings.TrimSuffix(cmp.Or(aws.ToString(rollout.RolloutStateReason), "ECS gives no reason"), "."), causeSuffix(failing))
	}
	if rollout.RolloutState == ecstypes.DeploymentRolloutStateInProgress {
		return evaluateRollout(f, s, rollout, failing, env, now)
	}
	if s.RunningCount < s.DesiredCount {
		report := f.warning
		if s.RunningCount == 0 {
			report = f.error
		}
		return report("TasksNotRunning", rolloutHint(env, failing), "%s%s", counts, causeSuffix(failing))
	}
	if s.DesiredCount == 0 {
		return f.warning("NoTasksDesired", Hint{
			Cause:    "the service was stopped outside the deployer, or by a restore",
			Solution: "start it with a deployment", Command: command(env, "up") + " " + tagPlaceholder,
		}, "the desired number of tasks is 0")
	}
	if at, ok := rolledBackTo(s, rollout); ok {
		return f.with("rolled_back_at", at.UTC().Format(time.RFC3339)).warning("RolledBack", rolloutHint(env, stops.before),
			"%s, after ECS rolled the last deployment back%s", counts, causeSuffix(stops.before))
	}
	if failed := countStops(failing); failed >= minReportedRestarts {
		return f.warning("TasksRestarting", StopHint(env, failing[0].Stop), "%s, but %d failed in the last hour%s",
			counts, failed, causeSuffix(failing))
	}
	return f.healthy("Steady", "%s", counts)
}

// minReportedRestarts is how many tasks must have failed in the last hour to be reported.
const minReportedRestarts = 3

// evaluateRollout evaluates a deployment in progress: stuck when tasks fail or when it exceeds the environment's timeout.
func evaluateRollout(
	f findingBuilder, s ecstypes.Service, rollout ecstypes.Deployment, failing []stopCount, env *environment.Environment, now time.Time,
) Finding {
	counts := fmt.Sprintf("%d/%d tasks running", s.RunningCount, s.DesiredCount)
	age := now.Sub(aws.ToTime(rollout.CreatedAt)).Truncate(time.Second)
	switch {
	case rollout.FailedTasks > 0:
		return f.error("RolloutStuck", rolloutHint(env, failing), "%s; %d tasks of the rollout have failed%s",
			counts, rollout.FailedTasks, causeSuffix(failing))
	case rollout.CreatedAt != nil && age > env.Deployment.Rollout.Timeout:
		return f.error("RolloutStuck", rolloutHint(env, failing), "%s; the rollout has been in progress for %s%s",
			counts, age, causeSuffix(failing))
	case len(failing) > 0 && failing[0].count == 0:
		return f.warning("TasksNotRunning", rolloutHint(env, failing), "%s, a rollout is in progress%s", counts, causeSuffix(failing))
	case s.RunningCount < s.DesiredCount:
		return f.warning("TasksNotRunning", Hint{
			Cause: "a rollout is in progress", Solution: "wait for it; failed tasks are reported here",
		}, "%s, a rollout is in progress", counts)
	}
	return f.warning("RolloutInProgress", Hint{
		Cause: "a deployment is in progress", Solution: "wait for it", Command: command(env, "status") + " --only ecs_service",
	}, "%s; %d/%d tasks of the rollout", counts, rollout.RunningCount, rollout.DesiredCount)
}

// PrimaryDeployment returns the deployment that DescribeServices marks PRIMARY, which is the one that ECS is to reach.
func PrimaryDeployment(s ecstypes.Service) ecstypes.Deployment {
	primary := list.Find(s.Deployments, func(d ecstypes.Deployment) bool { return aws.ToString(d.Status) == "PRIMARY" })
	if primary == nil {
		return ecstypes.Deployment{}
	}
	return *primary
}

// rolledBackTo reports whether the circuit breaker rolled back to the current deployment, and when. ECS then has an event with
// the deployment's ID.
func rolledBackTo(s ecstypes.Service, rollout ecstypes.Deployment) (time.Time, bool) {
	id := aws.ToString(rollout.Id)
	for _, event := range s.Events {
		message := aws.ToString(event.Message)
		if id != "" && strings.Contains(message, "rolling back to") && strings.Contains(message, id) {
			return aws.ToTime(event.CreatedAt), true
		}
	}
	return time.Time{}, false
}

// Events of deployments; the first group of failedDeployment is the ID of the deployment.
var (
	failedDeployment = lazyregexp.New(`\(deployment (\S+)\) deployment failed`)
	rollingBack      = lazyregexp.New(`rolling back to`)
	reachedState     = lazyregexp.New(`has reached a steady state|deployment completed`)
)

// deploymentFailure holds what a service's events have of the deployment that failed last.
type deploymentFailure struct {
	// id is the deployment's, "" where no event names it.
	id string
	// since is when the service was stable before, the zero time where no event has that; events are those from then to the failure.
	since  time.Time
	events []ecstypes.ServiceEvent
}

// failureIn returns the last failure in a service's events.
func failureIn(events []ecstypes.ServiceEvent) deploymentFailure {
	var failure deploymentFailure
	found := false
	for _, event := range newestFirst(events) {
		message := aws.ToString(event.Message)
		if match := failedDeployment.FindStringSubmatch(message); match != nil && failure.id == "" {
			failure.id, found = match[1], true
		}
		found = found || rollingBack.MatchString(message)
		if found && reachedState.MatchString(message) {
			failure.since = aws.ToTime(event.CreatedAt)
			break
		}
		if found {
			failure.events = append(failure.events, event)
		}
	}
	return failure
}

// includes reports whether the failed deployment started a task: by its ID, or else as far as the time shows.
func (f deploymentFailure) includes(task ecstypes.Task) bool {
	if f.id != "" {
		return aws.ToString(task.StartedBy) == f.id
	}
	return !aws.ToTime(task.CreatedAt).Before(f.since)
}

func rolloutDetails(d ecstypes.Deployment, deployments int, now time.Time) map[string]any {
	details := map[string]any{"state": string(d.RolloutState), "deployments": deployments, "failed_tasks": d.FailedTasks}
	setTime(details, "since", d.CreatedAt)
	if d.CreatedAt != nil {
		details["age_seconds"] = int(now.Sub(*d.CreatedAt).Seconds())
	}
	setText(details, "reason", aws.ToString(d.RolloutStateReason))
	return details
}

// stopCount is a cause and how many tasks it stopped.
type stopCount struct {
	Stop
	count int
	// newest is the last task that it stopped.
	newest ecstypes.Task
}

// stops are the causes that stopped a service's tasks in the last hour, as long as ECS lists them.
type stops struct {
	// all are all causes. failing are those of the newest deployment, before those of the deployment that failed before it: failed tasks, or
	// why ECS starts none, with a count of 0.
	all, failing, before []stopCount
}

// stopsOf counts the causes of a service's stopped tasks. A task that does not name its deployment counts for the newest. Those of
// deployments that are older than the last that failed explain nothing.
func stopsOf(service ecstypes.Service, stopped []ecstypes.Task) stops {
	primary := PrimaryDeployment(service)
	newest := aws.ToString(primary.Id)
	failure := failureIn(service.Events)
	var own, before []ecstypes.Task
	tasks := tasksOfService(stopped, aws.ToString(service.ServiceName))
	for _, task := range tasks {
		switch by := aws.ToString(task.StartedBy); {
		case newest == "" || by == "" || by == newest:
			own = append(own, task)
		case failure.includes(task):
			before = append(before, task)
		}
	}
	return stops{
		all:     causesOf(tasks),
		failing: orLaunchFailure(failedStops(causesOf(own)), service.Events, aws.ToTime(primary.CreatedAt)),
		before:  orLaunchFailure(failedStops(causesOf(before)), failure.events, failure.since),
	}
}

// orLaunchFailure returns the causes, or why ECS starts no tasks where none failed.
func orLaunchFailure(failing []stopCount, events []ecstypes.ServiceEvent, since time.Time) []stopCount {
	if len(failing) > 0 {
		return failing
	}
	if cause, found := LaunchFailure(events, since); found {
		return []stopCount{{Stop: cause}}
	}
	return nil
}

// causesOf counts the causes of stopped tasks, the most frequent first.
func causesOf(tasks []ecstypes.Task) []stopCount {
	var counts []stopCount
	for _, task := range tasks {
		stop := StopCause(task)
		at := slices.IndexFunc(counts, func(c stopCount) bool { return c.Kind == stop.Kind && c.Message == stop.Message })
		if at < 0 {
			counts = append(counts, stopCount{Stop: stop, newest: task})
			at = len(counts) - 1
		}
		counts[at].count++
	}
	slices.SortStableFunc(counts, func(a, b stopCount) int { return b.count - a.count })
	return counts
}

func failedStops(stops []stopCount) []stopCount {
	return slices.DeleteFunc(stops, func(c stopCount) bool { return !c.Failed() })
}

func countStops(stops []stopCount) int {
	total := 0
	for _, s := range stops {
		total += s.count
	}
	return total
}

// causeSuffix returns the end of a message, which names the most frequent cause.
func causeSuffix(failing []stopCount) string {
	if len(failing) == 0 {
		return ""
	}
	if failing[0].count == 0 {
		return "; ECS cannot start tasks: " + failing[0].Message
	}
	return fmt.Sprintf("; %d stopped: %s", failing[0].count, failing[0].Message)
}

func stopDetails(stops []stopCount) []map[string]any {
	return list.Map(stops, func(s stopCount) map[string]any {
		detail := map[string]any{"kind": string(s.Kind), "count": s.count, "message": s.Message}
		setText(detail, "reason", s.Reason)
		if s.ExitCode != nil {
			detail["exit_code"] = *s.ExitCode
		}
		setTime(detail, "last", s.newest.StoppedAt)
		return detail
	})
}

// rolloutHint returns the hint of the most frequent cause, or a general one when there is none.
func rolloutHint(env *environment.Environment, failing []stopCount) Hint {
	if len(failing) > 0 {
		return StopHint(env, failing[0].Stop)
	}
	return Hint{
		Cause:    "tasks do not start or do not become healthy, and ECS lists no stopped ones",
		Solution: "check ecs_tasks, target_groups and the logs", Command: command(env, "logs"),
	}
}

// stuckSection returns the report's section about stuck services, from what the run has read.
func stuckSection(rc *runContext, findings []Finding) []StuckService {
	services, _ := peek[[]ecstypes.Service](&rc.cache, servicesKey)
	stopped, _ := peek[[]ecstypes.Task](&rc.cache, tasksKey(ecstypes.DesiredStatusStopped))
	return stuckServices(findings, services, stopped)
}

// stuckServices returns the services that do not reach their desired state, with ECS's reasons.
func stuckServices(findings []Finding, services []ecstypes.Service, stopped []ecstypes.Task) []StuckService {
	stuck := []StuckService{}
	for _, s := range services {
		name := aws.ToString(s.ServiceName)
		finding := list.Find(findings, func(f Finding) bool { return f.Service == "ECS-Service-"+name })
		failing := stopsOf(s, stopped).failing
		if finding == nil || finding.Status == Healthy || len(failing) == 0 {
			continue
		}
		stuck = append(stuck, StuckService{
			Service: finding.Service, Issue: stuckIssue(failing[0].Stop),
			Issues: list.Map(failing, func(f stopCount) string { return stuckReason(f.Stop) }),
		})
	}
	return stuck
}

// stuckReason returns ECS's reason, with the exit code where it only names a container.
func stuckReason(stop Stop) string {
	if stop.Kind == StopExitCode || stop.Kind == StopCompleted {
		return strings.TrimPrefix(stop.Reason+": "+stop.Message, ": ")
	}
	return cmp.Or(stop.Reason, stop.Message)
}

// stuckIssue sums up a cause.
func stuckIssue(stop Stop) string {
	switch stop.Kind {
	case StopMissingSecret:
		return "Missing secret keys"
	case StopImagePull:
		return "Image pull failure"
	case StopOutOfMemory:
		return "Out of memory"
	case StopHealthCheck:
		return "Health check failing"
	case StopCapacity:
		return "No capacity"
	}
	return strings.ToUpper(stop.Message[:1]) + stop.Message[1:]
}

func evaluateCluster(cluster *ecstypes.Cluster, env *environment.Environment) Finding {
	f := newFinding("ecs_cluster", "ECS-Cluster-"+env.ClusterName())
	if cluster == nil {
		return f.error("ClusterMissing", missingHint(env, "the cluster"), "the cluster %s does not exist", env.ClusterName())
	}
	status := aws.ToString(cluster.Status)
	f = f.with("status", status).with("active_services", cluster.ActiveServicesCount).
		with("running_tasks", cluster.RunningTasksCount).with("pending_tasks", cluster.PendingTasksCount)
	insights := ""
	if s := list.Find(cluster.Settings, func(s ecstypes.ClusterSetting) bool { return s.Name == ecstypes.ClusterSettingNameContainerInsights }); s != nil {
		insights = aws.ToString(s.Value)
	}
	setText(f.details, "container_insights", insights)
	if cluster.Status == nil {
		return f.unknown("ClusterUnknown", incompleteAnswer("DescribeClusters", "a status"), "it is unknown whether the cluster is active")
	}
	if status != "ACTIVE" {
		return f.error("ClusterNotActive", deployHint(env, "the cluster is being deleted, or was deleted"), "the cluster is %s", status)
	}
	if env.Monitoring.AtLeast(environment.Enhanced) && (insights == "" || insights == "disabled") {
		return f.warning("ContainerInsightsOff", Hint{
			Cause: "the setting was changed outside the deployer" + undeployedFile(env), Solution: "restore the setting", Command: command(env, "drift"),
		}, "Container Insights are off, and monitoring is %s", env.Monitoring.Level)
	}
	return f.healthy("Active", "%s, %s running, %d pending", text.Plural(int(cluster.ActiveServicesCount), "service", "services"),
		text.Plural(int(cluster.RunningTasksCount), "task", "tasks"), cluster.PendingTasksCount)
}
