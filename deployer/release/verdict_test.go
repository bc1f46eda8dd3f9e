package release

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

const (
	newDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	oldDigest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

var deployedAt = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

func runningTask(digest string, health types.HealthStatus) types.Task {
	return types.Task{
		TaskArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task/cluster/" + digest[7:15]), LastStatus: aws.String("RUNNING"),
		DesiredStatus: aws.String("RUNNING"), CreatedAt: aws.Time(deployedAt.Add(time.Second)),
		Containers: []types.Container{
			{Name: aws.String("xray-daemon"), HealthStatus: types.HealthStatusUnknown},
			{Name: aws.String("balancer-api"), ImageDigest: aws.String(digest), HealthStatus: health},
		},
	}
}

func leaving(t types.Task) types.Task {
	t.DesiredStatus = aws.String("STOPPED")
	return t
}

func pullFailure(created time.Time) types.Task {
	return types.Task{
		TaskArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task/cluster/" + created.Format("150405")), LastStatus: aws.String("STOPPED"),
		DesiredStatus: aws.String("STOPPED"), CreatedAt: &created, StopCode: types.TaskStopCodeTaskFailedToStart,
		StoppedReason: aws.String("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found"),
		Containers:    []types.Container{{Name: aws.String("balancer-api")}},
	}
}

func exited(code int32) types.Task {
	return types.Task{
		TaskArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task/cluster/1"), LastStatus: aws.String("STOPPED"),
		DesiredStatus: aws.String("STOPPED"), CreatedAt: aws.Time(deployedAt.Add(time.Second)),
		StopCode: types.TaskStopCodeEssentialContainerExited, StoppedReason: aws.String("Essential container in task exited"),
		Containers: []types.Container{{Name: aws.String("balancer-api"), ExitCode: &code, LastStatus: aws.String("STOPPED")}},
	}
}

func outOfMemory() types.Task {
	t := exited(137)
	t.Containers[0].Reason = aws.String("OutOfMemoryError: Container killed due to memory usage")
	return t
}

// replaced returns a task that ECS stopped because its target was not healthy in time.
func replaced() types.Task {
	t := exited(0)
	t.StopCode, t.StoppedReason = types.TaskStopCodeServiceSchedulerInitiated, aws.String("Task failed ELB health checks in (target-group x)")
	return t
}

func targets(states ...elbtypes.TargetHealthStateEnum) []elbtypes.TargetHealthDescription {
	var list []elbtypes.TargetHealthDescription
	for _, s := range states {
		list = append(list, elbtypes.TargetHealthDescription{TargetHealth: &elbtypes.TargetHealth{State: s}})
	}
	return list
}

func TestEvaluate(t *testing.T) {
	healthy, unhealthy, draining := elbtypes.TargetHealthStateEnumHealthy, elbtypes.TargetHealthStateEnumUnhealthy, elbtypes.TargetHealthStateEnumDraining
	running := func(digest string) types.Task { return runningTask(digest, types.HealthStatusHealthy) }
	deployment := func(s types.ServiceDeploymentStatus, reason string) *types.ServiceDeployment {
		return &types.ServiceDeployment{Status: s, StatusReason: aws.String(reason), CreatedAt: &deployedAt}
	}
	succeeded := deployment(types.ServiceDeploymentStatusSuccessful, "")
	going := deployment(types.ServiceDeploymentStatusInProgress, "")
	tests := map[string]struct {
		deployment *types.ServiceDeployment
		tasks      []types.Task
		targets    []elbtypes.TargetHealthDescription
		desired    int32
		beginning  bool
		early      bool
		other      string
		rollouts   []types.Deployment
		want       verdict
	}{
		"done": {
			deployment: succeeded, desired: 2, tasks: []types.Task{running(newDigest), running(newDigest)},
			targets: targets(healthy, healthy), want: verdict{state: rolledOut},
		},
		"done, the old task still drains": {
			deployment: succeeded, desired: 1, tasks: []types.Task{running(newDigest), leaving(running(oldDigest))},
			targets: targets(healthy), want: verdict{state: rolledOut},
		},
		"nothing rolled out, and the image runs": {
			desired: 1, tasks: []types.Task{running(newDigest)}, targets: targets(healthy), want: verdict{state: rolledOut},
		},
		"nothing rolled out, and another image runs": {
			desired: 1, tasks: []types.Task{running(oldDigest)}, targets: targets(healthy),
			want: verdict{rolloutFailed, "api runs 1 task of another image, though nothing was rolled out"},
		},
		"another image runs, but AWS's answers may be old": {
			desired: 1, tasks: []types.Task{running(oldDigest)}, targets: targets(healthy), early: true,
			want: verdict{rollingOut, "api still runs 1 task of another image"},
		},
		"the same exit code again and again": {
			deployment: going, desired: 1, targets: targets(), tasks: []types.Task{exited(1), exited(1), exited(1)},
			want: verdict{rolloutFailed, "api cannot start: 3 tasks stopped for a permanent reason"},
		},
		"several exit codes may be several causes": {
			deployment: going, desired: 1, targets: targets(), tasks: []types.Task{exited(1), exited(2), exited(1)},
			want: verdict{rollingOut, "api 0 of 1 new running, 3 stopped"},
		},
		"begun, but the service deployment does not show yet": {
			desired: 1, tasks: []types.Task{running(oldDigest)}, targets: targets(healthy), beginning: true,
			want: verdict{rollingOut, "api is starting its rollout"},
		},
		"under way": {
			deployment: going, desired: 2, tasks: []types.Task{running(newDigest), running(oldDigest), running(oldDigest)},
			targets: targets(healthy, unhealthy, draining), want: verdict{rollingOut, "api 1 of 2 new running, 1 pending, 2 old still serving, 1 draining, 1 healthy (unhealthy)"},
			rollouts: []types.Deployment{
				{Id: aws.String("ecs-svc/2"), Status: aws.String("PRIMARY"), RunningCount: 1, PendingCount: 1},
				{Id: aws.String("ecs-svc/1"), Status: aws.String("ACTIVE"), RunningCount: 2},
			},
		},
		"stable is not deployed": {
			deployment: deployment(types.ServiceDeploymentStatusRollbackSuccessful, "circuit breaker: tasks failed to start"),
			desired:    1, tasks: []types.Task{running(oldDigest)}, targets: targets(healthy),
			want: verdict{rolloutFailed, "api was not rolled out: ECS reports ROLLBACK_SUCCESSFUL: circuit breaker: tasks failed to start"},
		},
		"ECS watches the alarms of tasks that are healthy": {
			deployment: &types.ServiceDeployment{Status: types.ServiceDeploymentStatusInProgress, CreatedAt: &deployedAt, Alarms: &types.ServiceDeploymentAlarms{
				Status: types.ServiceDeploymentRollbackMonitorsStatusMonitoring,
			}},
			desired: 1, tasks: []types.Task{running(newDigest)}, targets: targets(healthy),
			rollouts: []types.Deployment{{Id: aws.String("ecs-svc/2"), Status: aws.String("PRIMARY"), RunningCount: 1}},
			want:     verdict{rollingOut, "api 1 of 1 new running, 1 healthy, ECS watches the alarms"},
		},
		"succeeded, but an old task is left": {
			deployment: succeeded, desired: 1, tasks: []types.Task{running(newDigest), running(oldDigest)}, targets: targets(healthy),
			want: verdict{rollingOut, "api still runs 1 task of another image"},
		},
		"succeeded, a target is not healthy": {
			deployment: succeeded, desired: 2, tasks: []types.Task{running(newDigest), running(newDigest)}, targets: targets(healthy, unhealthy),
			want: verdict{rollingOut, "api has 1 of 2 targets healthy (unhealthy)"},
		},
		"succeeded, a container is unhealthy": {
			deployment: succeeded, desired: 1, tasks: []types.Task{runningTask(newDigest, types.HealthStatusUnhealthy)}, targets: targets(healthy),
			want: verdict{rollingOut, "api has an unhealthy container in task 11111111"},
		},
		"succeeded with too few tasks": {
			deployment: succeeded, desired: 2, tasks: []types.Task{running(newDigest)}, targets: targets(healthy),
			want: verdict{rollingOut, "api runs 1 of 2 tasks"},
		},
		"a scheduler goes through 0": {
			deployment: going, desired: 1, tasks: []types.Task{leaving(running(oldDigest))},
			want: verdict{rollingOut, "api 0 of 1 new running"},
		},
		"autoscaling wants more in the meantime": {
			deployment: succeeded, desired: 4, tasks: []types.Task{running(newDigest), running(newDigest)}, targets: targets(healthy, healthy),
			want: verdict{rollingOut, "api runs 2 of 4 tasks"},
		},
		"autoscaling wants fewer in the meantime": {
			deployment: succeeded, desired: 1, tasks: []types.Task{running(newDigest), running(newDigest)}, targets: targets(healthy, healthy),
			want: verdict{state: rolledOut},
		},
		"another process deploys": {
			deployment: deployment(types.ServiceDeploymentStatusStopped, ""), desired: 1, other: "arn:aws:ecs:us-east-1:1:service-deployment/c/s/abc",
			want: verdict{rolloutFailed, "api is being deployed by another process: the service deployment abc replaced this one"},
		},
		"out of memory again and again": {
			deployment: going, desired: 1, tasks: []types.Task{outOfMemory(), outOfMemory(), outOfMemory()},
			want: verdict{rolloutFailed, "api cannot start: 3 tasks stopped for a permanent reason"},
		},
		"a slow start is no permanent failure": {
			deployment: going, desired: 1, tasks: []types.Task{replaced(), replaced(), replaced()},
			want: verdict{rollingOut, "api 0 of 1 new running, 3 stopped"},
		},
		"one failure may heal": {
			deployment: going, desired: 1, tasks: []types.Task{pullFailure(deployedAt.Add(time.Second))}, targets: targets(),
			want: verdict{rollingOut, "api 0 of 1 new running, 1 stopped"},
		},
		"the same failure again does not": {
			deployment: going, desired: 1, targets: targets(),
			tasks: []types.Task{pullFailure(deployedAt.Add(time.Second)), pullFailure(deployedAt.Add(2 * time.Second))},
			want:  verdict{rolloutFailed, "api cannot start: 2 tasks stopped for a permanent reason"},
		},
		"failures of an earlier deployment do not count": {
			deployment: going, desired: 1, targets: targets(),
			tasks: []types.Task{pullFailure(deployedAt.Add(-time.Hour)), pullFailure(deployedAt.Add(-time.Minute))},
			want:  verdict{rollingOut, "api 0 of 1 new running"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := observation{
				name: "api", role: environment.API, container: "balancer-api", deployment: test.deployment, tasks: test.tasks, targets: test.targets, verified: true,
				service: &types.Service{
					DesiredCount: test.desired, LoadBalancers: []types.LoadBalancer{{}},
				},
			}
			o.supersededBy, o.service.Deployments = test.other, test.rollouts
			if test.beginning {
				o.service.Deployments = []types.Deployment{{RolloutState: types.DeploymentRolloutStateInProgress}}
			}
			require.Equal(t, test.want, evaluate(o, []string{newDigest}, !test.early))
		})
	}
}

// An image built with provenance is an index, and a task reports the digest of the platform's own image.
func TestEvaluateImageIndex(t *testing.T) {
	o := observation{
		verified: true, container: "balancer-api", service: &types.Service{DesiredCount: 1},
		tasks: []types.Task{runningTask(newDigest, types.HealthStatusHealthy)},
	}
	require.Equal(t, rolledOut, evaluate(o, []string{oldDigest, newDigest}, true).state)
}

// A service that was just created may not be visible yet; later it is missing.
func TestEvaluateInvisibleService(t *testing.T) {
	require.Equal(t, verdict{rollingOut, "api is not visible yet"}, evaluate(observation{name: "api", role: environment.API}, nil, false))
	require.Equal(t, verdict{rolloutFailed, "api does not exist"}, evaluate(observation{name: "api"}, nil, true))
}

// What a registry or AWS refuses for a while does not end a rollout; what cannot succeed does after two tasks.
func TestPermanentFailuresByReason(t *testing.T) {
	for reason, want := range map[string]int{
		"CannotPullContainerError: ThrottlingException: Rate exceeded":                                                       0,
		"CannotPullContainerError: unexpected status from HEAD request to https://public.ecr.aws/x: 503 Service Unavailable": 0,
		"CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve r...":                   0,
		"ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed":        0,
		"Your Spot Task was interrupted.": 0,
		"CannotPullContainerError: failed to extract layer: write /x: no space left on device":                 4,
		"CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'": 4,
	} {
		o := observation{container: "balancer-api", deployment: &types.ServiceDeployment{CreatedAt: &deployedAt}}
		for i := range 4 {
			task := pullFailure(deployedAt.Add(time.Duration(i) * time.Second))
			task.StoppedReason = aws.String(reason)
			o.tasks = append(o.tasks, task)
		}
		require.Len(t, o.failedTasks(), 4, reason)
		require.Equal(t, want, permanentFailures(o), reason)
	}
}

// Why ECS starts no tasks is found among all events of the deployment.
func TestLaunchFailureBehindLaterEvents(t *testing.T) {
	event := func(after time.Duration, message string) types.ServiceEvent {
		return types.ServiceEvent{CreatedAt: aws.Time(deployedAt.Add(after)), Message: &message}
	}
	role := event(time.Minute, "(service api) failed to launch a task with (error ECS was unable to assume the role 'x' that was provided for this task.)")
	o := observation{
		name: "api", deployment: &types.ServiceDeployment{CreatedAt: &deployedAt},
		service: &types.Service{Events: []types.ServiceEvent{
			event(3*time.Minute, "(service api) has begun draining connections on 1 tasks."), role, event(-time.Minute, "(service api) was unable to place a task."),
		}},
	}
	cause, failing := o.launchFailure()
	require.True(t, failing)
	require.Equal(t, "ECS cannot assume a role of the task", cause.Message)
	failure := (&ecsRollout{env: staging(t)}).explainWithoutTasks(o, "x")
	require.Equal(t, "\n  ECS reports: "+*role.Message, failure.evidence)
	require.Contains(t, failure.hint, "trust policy")
	o.service.Events = append(o.service.Events, event(2*time.Minute, "(service api) has started 1 tasks: (task 1)."))
	_, failing = o.launchFailure()
	require.False(t, failing, "a first deployment can meet a role that was created a moment ago")
}
