package release

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// newTestLog returns a log, and what it reported except progress.
func newTestLog() (log phaseLog, logged func() string) {
	var lines []string
	return phaseLog{phase: Rollout, now: func() time.Time { return deployedAt }, report: func(e Event) {
		if e.Kind != Progress {
			lines = append(lines, e.Message)
		}
	}}, func() string { return strings.Join(lines, "\n") }
}

// after calls each function once so many pauses have passed.
func (e *fakeECS) after(pauses map[int]func()) {
	e.onWait = func() {
		e.calls = append(e.calls, nil)
		if happen := pauses[len(e.waits)]; happen != nil {
			happen()
		}
	}
}

const (
	askServices    = "DescribeServices"
	askDeployments = "DescribeServiceDeployments"
	askTargets     = "DescribeTargetHealth"
)

// A poll reads only what matters at that moment, and nothing twice; the end is noticed at the first poll after it.
func TestPollReadsOnlyWhatIsNeeded(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.targets = targets(elbtypes.TargetHealthStateEnumHealthy)
	e.calls = [][]string{nil}
	e.after(map[int]func(){
		3: func() { e.each(func(d *types.Deployment) { d.RunningCount, d.PendingCount = 1, 0 }) },
		6: func() { e.run(newDigest); e.end(types.ServiceDeploymentStatusSuccessful) },
	})
	log, _ := newTestLog()
	result, err := r.watch(t.Context(), log)
	require.NoError(t, err)
	require.Len(t, result.definitions, 3)
	require.Equal(t, e.names(), slices.Sorted(slices.Values(result.started)))
	starting, becoming := []string{askServices, askDeployments}, []string{askServices, askDeployments, askTargets}
	truth := []string{askServices, askDeployments, "ListTasks RUNNING", "DescribeTasks", askTargets}
	require.Equal(t, [][]string{starting, starting, starting, becoming, becoming, becoming, truth}, e.calls)
}

// Pauses grow while nothing changes, are reset by a change, and have an upper bound.
func TestBackoff(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.after(map[int]func(){
		9:  func() { e.each(func(d *types.Deployment) { d.RunningCount, d.PendingCount = 1, 0 }) },
		12: func() { e.run(newDigest); e.end(types.ServiceDeploymentStatusSuccessful) },
	})
	e.targets = targets(elbtypes.TargetHealthStateEnumHealthy)
	log, logged := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.NoError(t, err)
	seconds := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	require.Equal(t, []time.Duration{
		seconds(2), seconds(3), seconds(4.5), seconds(6.75), seconds(10.125), maxPause, maxPause, maxPause, maxPause,
		seconds(2), seconds(3), seconds(4.5),
	}, e.waits)
	require.Contains(t, logged(), "still waiting, nothing has changed for 1m11s: api 0 of 1 new running, 1 pending, 1 old still serving; worker")
}

// Stopped tasks are read when a counter shows that one was lost, and each is described until it has stopped.
func TestStoppedTasksAreReadWhenOneIsLost(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.calls = [][]string{nil}
	api := r.env.ServiceName("api")
	lose := func(id string) {
		task := exited(1)
		task.TaskArn, task.Group, task.StartedBy = aws.String("task/"+id), aws.String("service:"+api), aws.String("ecs-svc/2")
		e.tasks = append(e.tasks, task)
		e.services[api].Deployments[0].FailedTasks++
	}
	other := exited(1)
	other.TaskArn, other.Group, other.StartedBy = aws.String("task/old"), aws.String("service:"+api), aws.String("ecs-svc/1")
	e.tasks = append(e.tasks, other)
	e.log = []string{"first", "no such module"}
	e.after(map[int]func(){1: func() { lose("a") }, 3: func() { lose("b") }, 4: func() { lose("c") }})
	log, logged := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.EqualError(t, err, api+` cannot start: 3 tasks stopped for a permanent reason
  3 tasks stopped; the last was c: exit code 1 (application error)
  ECS reports: Essential container in task exited
  last log lines:
    first
    no such module`)
	require.Contains(t, hint.Of(err), "the application exited with an error: check its last log lines: `")
	require.Equal(t, "api task a stopped: exit code 1 (application error)\n  last log line: no such module\n"+
		"api task b stopped: exit code 1 (application error)\napi task c stopped: exit code 1 (application error)\nthe deployment of "+api+" is stopped, because it cannot succeed", logged())
	require.NotContains(t, strings.Join(e.calls[2], " "), "ListTasks", "nothing was lost since the previous poll")
	require.Equal(t, []string{clusterARN + "service-deployment/c/" + api + "/2"}, e.stopped)
}

// Where service deployments cannot be read, the state of the services is used, with a warning.
func TestWatchWithoutServiceDeployments(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
	for name, test := range map[string]struct {
		status types.ServiceDeploymentStatus
		digest string
		want   string
	}{
		"it succeeds":                 {types.ServiceDeploymentStatusSuccessful, newDigest, ""},
		"it fails":                    {types.ServiceDeploymentStatusRollbackSuccessful, oldDigest, "was not rolled out: ECS reports STOPPED"},
		"stable is not deployed here": {types.ServiceDeploymentStatusSuccessful, oldDigest, "still runs 1 task of another image"},
	} {
		t.Run(name, func(t *testing.T) {
			e, r := newFakeECS(t)
			e.errors["ListServiceDeployments"] = denied
			e.targets = targets(elbtypes.TargetHealthStateEnumHealthy)
			require.NoError(t, r.captureBaseline(t.Context()))
			e.deploy("2", "2")
			for _, s := range e.services {
				s.CurrentServiceDeployment = nil
			}
			e.after(map[int]func(){3: func() { e.run(test.digest); e.end(test.status) }})
			log, logged := newTestLog()
			_, err := r.watch(t.Context(), log)
			require.Contains(t, logged(), "service deployments cannot be read, the state of the services is used instead: ")
			require.Empty(t, e.stopped)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

// A deployment by another process that supersedes this one is named and not waited for.
func TestSupersededDeployment(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.after(map[int]func(){2: func() {
		e.end(types.ServiceDeploymentStatusStopped)
		e.now = e.now.Add(time.Second)
		e.deploy("3", "3")
	}})
	log, _ := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.ErrorContains(t, err, "api-service is being deployed by another process: the service deployment 3 replaced this one")
	require.Empty(t, e.stopped, "the deployment of another process is not stopped")
}

// A restart of this run's task definition is followed.
func TestRestartIsFollowed(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.targets = targets(elbtypes.TargetHealthStateEnumHealthy)
	e.after(map[int]func(){
		2: func() {
			e.end(types.ServiceDeploymentStatusStopped)
			e.now = e.now.Add(time.Second)
			e.deploy("3", "2")
		},
		4: func() { e.run(newDigest); e.end(types.ServiceDeploymentStatusSuccessful) },
	})
	log, _ := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.NoError(t, err)
}

// A restart of one service leaves the others as they are.
func TestRestartOnly(t *testing.T) {
	for only, restarted := range map[environment.Role]string{
		"": "-service", environment.API: "api-service", environment.Worker: "worker-service", environment.Migration: "",
	} {
		e, r := newFakeECS(t)
		require.NoError(t, r.captureBaseline(t.Context()))
		e.errors["UpdateService"] = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}
		err := r.restart(t.Context(), only)
		if restarted == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, restarted+": ", "%q", only)
	}
}

// A deployment that cannot be stopped is reported to continue.
func TestStopDeploymentRefused(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.errors["StopServiceDeployment"] = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}
	log, logged := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.ErrorContains(t, err, "not finished after 20m0s: api 0 of 1 new running, 1 pending, 1 old still serving")
	require.Contains(t, logged(), "could not be stopped early, ECS's circuit breaker will end it: ")
	require.Less(t, e.now.Sub(deployedAt), 21*time.Minute)
}

// One poll may fail; many in a row end the watch.
func TestPollErrors(t *testing.T) {
	e, r := newFakeECS(t)
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	e.targets = targets(elbtypes.TargetHealthStateEnumHealthy)
	refuse := func() {
		e.errors["DescribeServices"] = &smithy.GenericAPIError{Code: "ServerException", Message: "try again"}
	}
	e.after(map[int]func(){
		1: refuse, 3: func() { delete(e.errors, "DescribeServices") },
		4: func() { e.run(newDigest); e.end(types.ServiceDeploymentStatusSuccessful) },
	})
	log, _ := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.NoError(t, err)

	refuse()
	_, err = r.watch(t.Context(), log)
	require.ErrorContains(t, err, "describe the services: ")
}
