package cloud

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/require"
)

// world is an account whose time a test moves by hand.
type world struct {
	t *testing.T
	m model
}

const (
	oneSecret  = "balancer-staging-config"
	imageOne   = "1.41.7-9f8e7d6c5"
	imageTwo   = "1.41.8-abc123def"
	apiService = "v3-backend-staging-api-service"
)

var stagingStack = Stack{Name: "staging", SecretKeys: []string{"NODE_ENV", "SENTRY_DSN", "SUBGRAPH_API_URL"}}

func newWorld(t *testing.T, faults ...string) *world {
	t.Helper()
	set, err := newFaultSet(faults)
	require.NoError(t, err)
	s := newState("123456789012", "us-east-1")
	s.Salt = "salt"
	w := &world{t: t, m: model{State: s, now: time.Date(2025, 6, 3, 4, 0, 0, 0, time.UTC), faults: set, speed: 60}}
	w.m.seedRegistry([]Stack{stagingStack})
	require.NoError(t, w.m.seedSecrets([]Stack{stagingStack}))
	w.furnish()
	return w
}

// furnish puts in what a service stands on.
func (w *world) furnish() {
	w.put(typeRepository, imageRepository, values{"name": imageRepository})
	w.put(typeVPC, "vpc-1", values{"cidrBlock": "10.1.0.0/16"})
	w.put(typeSubnet, "subnet-1", values{"vpcId": "vpc-1", "cidrBlock": "10.1.1.0/24", "availabilityZone": "us-east-1a"})
	w.put(typeCluster, "cluster", values{"name": "v3-backend-staging-cluster"})
	w.put(typeLogGroup, "/aws/ecs/v3-backend-staging", values{"name": "/aws/ecs/v3-backend-staging"})
	w.put(typeTargetGroup, "tg", values{"arn": "tg", "name": "tg", "deregistrationDelay": 30.0})
	w.put(typeSecurityGroup, "sg-1", values{"name": "db", "vpcId": "vpc-1"})
	w.put(typeDatabase, "db-1", values{
		"identifier": "db", "status": "available", "username": "balancer", "vpcSecurityGroupIds": array("sg-1"),
		"masterUserSecrets": array(values{"secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-abcdef"}),
	})
	w.put(typeCertificate, "arn:aws:acm:cert", values{"arn": "arn:aws:acm:cert", "domainName": "staging-api.hyperchonk.com"})
	w.put(typeCertificateValidation, "arn:aws:acm:cert", values{"certificateArn": "arn:aws:acm:cert"})
}

func (w *world) put(typ, id string, outputs values) *Resource {
	r := &Resource{Type: typ, ID: id, Inputs: outputs, Outputs: outputs, Created: w.m.now}
	w.m.Resources[key(typ, id)] = r
	return r
}

// define registers a revision of the API's task definition with the image of a tag.
func (w *world) define(revision int, tag string) string {
	image := w.m.Registry.byTag(imageRepository, tag)
	require.NotNil(w.t, image, tag)
	return w.defineDigest(revision, image.Digest)
}

func (w *world) defineDigest(revision int, digest string) string {
	containers, err := json.Marshal([]map[string]any{{
		"name": "balancer-api", "essential": true,
		"image":   "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@" + digest,
		"secrets": []map[string]string{{"name": "SENTRY_DSN", "valueFrom": w.m.Secrets[oneSecret].ARN + ":SENTRY_DSN::"}},
		"logConfiguration": map[string]any{"logDriver": "awslogs", "options": map[string]string{
			"awslogs-group": "/aws/ecs/v3-backend-staging", "awslogs-stream-prefix": "api"}},
		"healthCheck": map[string]any{"command": []string{"CMD-SHELL", "true"}},
	}})
	require.NoError(w.t, err)
	arn := fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:%d", revision)
	w.put(typeTaskDefinition, arn, values{
		"arn": arn, "family": "v3-backend-staging-api", "revision": float64(revision), "containerDefinitions": string(containers),
		"networkMode": "awsvpc", "cpu": "512", "memory": "1024",
	})
	return arn
}

// serve asks for the API's service and lets it begin.
func (w *world) serve(definition string, desired int, more values) {
	w.ask(definition, desired, more)
	w.m.advance()
}

// ask puts in the API's service, of so many tasks, behind the load balancer.
func (w *world) ask(definition string, desired int, more values) {
	outputs := values{
		"name": apiService, "cluster": "v3-backend-staging-cluster", "taskDefinition": definition, "desiredCount": float64(desired),
		"deploymentCircuitBreaker": values{"enable": true, "rollback": true},
		"networkConfiguration":     values{"subnets": array("subnet-1")},
		"loadBalancers":            array(values{"targetGroupArn": "tg", "containerName": "balancer-api", "containerPort": 3000.0}),
	}
	for name, value := range more {
		outputs[name] = value
	}
	w.put(typeService, w.arn(), outputs)
}

func (w *world) arn() string { return w.m.arn("ecs", "service/v3-backend-staging-cluster/"+apiService) }

// after lets so much of AWS's time pass, in one go.
func (w *world) after(d time.Duration) {
	w.m.now = w.m.in(d)
	w.m.advance()
}

func (w *world) service() *service {
	s := w.m.ECS.Services[w.arn()]
	require.NotNil(w.t, s)
	return s
}

// running are the images' tags of the tasks that run, oldest first.
func (w *world) running() []string {
	var tags []string
	for _, t := range w.m.ECS.tasksOf(w.service()) {
		if w.m.running(t) {
			tags = append(tags, w.m.Registry.byDigest(imageRepository, t.Digest).Tags[0])
		}
	}
	return tags
}

func (w *world) statuses() map[string]int {
	counts := map[string]int{}
	for _, t := range w.m.ECS.tasksOf(w.service()) {
		counts[w.m.status(t)]++
	}
	return counts
}

func (w *world) last() *deployment { return w.service().latestDeployment() }

func TestFirstDeployment(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 2, nil)
	require.Equal(t, ecs.ServiceDeploymentStatusPending, w.m.statusOf(w.last()))
	require.Equal(t, map[string]int{"PROVISIONING": 2}, w.statuses())

	w.after(10 * time.Second)
	require.Equal(t, ecs.ServiceDeploymentStatusInProgress, w.m.statusOf(w.last()))
	require.Equal(t, map[string]int{"PENDING": 2}, w.statuses())
	require.Empty(t, w.m.targets("tg"))

	w.after(25 * time.Second)
	require.Equal(t, map[string]int{"RUNNING": 2}, w.statuses())
	require.Equal(t, elb.TargetHealthStateEnumInitial, w.m.targetHealth(w.m.targets("tg")[0].task).State)
	require.True(t, w.last().inProgress(), "tasks that are not yet healthy end no deployment")

	w.after(20 * time.Second)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
	require.Equal(t, elb.TargetHealthStateEnumHealthy, w.m.targetHealth(w.m.targets("tg")[0].task).State)
	require.Equal(t, ecs.DeploymentRolloutStateCompleted, w.service().revision(w.service().Primary).State)
	require.Contains(t, w.service().Events[0].Message, "has reached a steady state.")
}

func TestRollingUpdate(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 2, nil)
	w.after(time.Minute)
	w.serve(w.define(2, imageTwo), 2, nil)
	require.Equal(t, []string{w.service().Revisions[0].ARN}, w.last().Sources)

	w.after(40 * time.Second)
	require.Equal(t, []string{imageOne, imageOne, imageTwo, imageTwo}, w.running(), "the old ones serve until the new ones are healthy")

	w.after(15 * time.Second)
	require.Equal(t, []string{imageTwo, imageTwo}, w.running())
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
	require.Equal(t, 2, w.statuses()["DEACTIVATING"], "the old ones drain")

	w.after(time.Minute)
	require.Equal(t, map[string]int{"RUNNING": 2, "STOPPED": 2}, w.statuses())
}

// A scheduler must never run twice: the old task has stopped before the new one starts.
func TestReplacementThroughZero(t *testing.T) {
	w := newWorld(t)
	alone := values{"deploymentMinimumHealthyPercent": 0.0, "deploymentMaximumPercent": 100.0, "loadBalancers": array()}
	w.serve(w.define(1, imageOne), 1, alone)
	w.after(time.Minute)
	require.Equal(t, []string{imageOne}, w.running())
	w.serve(w.define(2, imageTwo), 1, alone)
	for range 120 {
		w.after(time.Second)
		present := 0
		for _, task := range w.m.ECS.tasksOf(w.service()) {
			if !w.m.reached(task.Stopped) {
				present++
			}
		}
		require.LessOrEqual(t, present, 1)
	}
	require.Equal(t, []string{imageTwo}, w.running())
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
}

func TestFailingImageIsRolledBack(t *testing.T) {
	for fault, want := range map[string]struct {
		code         ecs.TaskStopCode
		exit         int32
		says, reason string
	}{
		faultTaskCrash:        {ecs.TaskStopCodeEssentialContainerExited, 1, "Essential container in task exited", ""},
		faultOutOfMemory:      {ecs.TaskStopCodeEssentialContainerExited, 137, "Essential container in task exited", "OutOfMemoryError"},
		faultTargetsUnhealthy: {ecs.TaskStopCodeServiceSchedulerInitiated, 0, "Task failed ELB health checks in (target-group tg)", ""},
		faultImagePullError:   {ecs.TaskStopCodeTaskFailedToStart, -1, "CannotPullContainerError", ""},
	} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t)
			first := w.define(1, imageOne)
			w.serve(first, 2, nil)
			w.after(time.Minute)
			w.m.faults = faultSet{fault: true}
			w.serve(w.define(2, imageTwo), 2, nil)
			failing := w.service().Primary
			w.m.faults = faultSet{}
			for range 60 {
				w.after(5 * time.Second)
				healthy := 0
				for _, task := range w.m.ECS.tasksOf(w.service()) {
					if w.m.healthy(task) && task.Revision != failing {
						healthy++
					}
				}
				require.Equal(t, 2, healthy, "the old ones go on serving")
			}
			d := w.last()
			require.Equal(t, ecs.ServiceDeploymentStatusRollbackSuccessful, d.Status, d.Reason)
			require.True(t, d.Tripped)
			require.Equal(t, w.service().Revisions[0].ARN, d.RollbackTo)
			require.Equal(t, []string{imageOne, imageOne}, w.running())
			require.GreaterOrEqual(t, w.service().revision(failing).Failed, 3)
			require.Equal(t, first, w.m.serviceResource(w.arn()).Text("taskDefinition"), "the account says what ECS did")
			for _, task := range w.m.ECS.tasks(func(task *task) bool { return task.Revision == failing && task.FailureCounted }) {
				require.Equal(t, want.code, task.Code)
				require.Contains(t, task.Reason, want.says)
				require.Contains(t, task.ExitReason, want.reason)
				if want.exit >= 0 {
					require.Equal(t, want.exit, *task.Exit)
				} else {
					require.Nil(t, task.Exit)
				}
			}
		})
	}
}

func TestFirstDeploymentHasNothingToRollBackTo(t *testing.T) {
	w := newWorld(t, faultTaskCrash)
	w.serve(w.define(1, imageOne), 1, nil)
	w.after(10 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusRollbackFailed, w.last().Status)
	require.Contains(t, w.last().Reason, "No rollback candidate")
	require.Equal(t, map[string]int{"STOPPED": 3}, w.statuses(), "no task is tried any more")
}

func TestProvenImageKeepsRunning(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 1, nil)
	w.after(time.Minute)
	w.m.faults = faultSet{faultTaskCrash: true, faultTargetsUnhealthy: true}
	w.serve(w.define(2, imageOne), 1, nil)
	w.after(time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
}

// The faults of tasks are for whatever is deployed over the image that serves, even one that served before it.
func TestEarlierImageIsNotSpared(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 1, nil)
	w.after(time.Minute)
	w.serve(w.define(2, imageTwo), 1, nil)
	w.after(3 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
	w.m.faults = faultSet{faultTaskCrash: true}
	w.serve(w.define(3, imageOne), 1, nil)
	w.after(10 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusRollbackSuccessful, w.last().Status)
}

func TestTasksThatCannotStart(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(w *world) string
		says   string
	}{
		"no such image": {
			func(w *world) string { return w.defineDigest(1, "sha256:"+strings.Repeat("0", 64)) },
			"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:0000",
		},
		"a key less": {
			func(w *world) string {
				w.m.faults = faultSet{faultSecretKeyMissing: true}
				return w.define(1, imageOne)
			},
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: " +
				"service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key SENTRY_DSN",
		},
		"no secret": {
			func(w *world) string {
				definition := w.define(1, imageOne)
				delete(w.m.Secrets, oneSecret)
				return definition
			},
			"ResourceNotFoundException: Secrets Manager can't find the specified secret.",
		},
		"no log group": {
			func(w *world) string {
				delete(w.m.Resources, key(typeLogGroup, "/aws/ecs/v3-backend-staging"))
				return w.define(1, imageOne)
			},
			"The specified log group does not exist.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(tc.breaks(w), 1, nil)
			w.after(9 * time.Second)
			task := w.m.ECS.tasksOf(w.service())[0]
			require.False(t, w.m.active(task))
			require.Equal(t, ecs.TaskStopCodeTaskFailedToStart, task.Code)
			require.Contains(t, task.Reason, tc.says)
			require.Empty(t, w.m.logLines(task))
		})
	}
}

// A deployment that only waits is neither failed nor done.
func TestDeploymentsThatTakeLong(t *testing.T) {
	for fault, done := range map[string]bool{faultSlowStart: true, faultRolloutStuck: false, faultNoCapacity: false} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t, fault)
			w.serve(w.define(1, imageOne), 1, nil)
			w.after(2 * time.Minute)
			require.True(t, w.last().inProgress())
			w.after(13 * time.Minute)
			require.Equal(t, done, !w.last().inProgress())
		})
	}
}

// Going back to an image that ran well works under every fault.
func TestNoCapacityHasRoomForProvenImages(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 1, nil)
	w.after(time.Minute)
	w.m.faults = faultSet{faultNoCapacity: true, faultRolloutStuck: true}
	w.serve(w.define(2, imageTwo), 1, nil)
	w.after(15 * time.Minute)
	require.Contains(t, w.service().Events[0].Message, "was unable to place a task. Reason: Capacity is unavailable at this time.")
	w.serve(w.define(3, imageOne), 1, nil)
	w.after(2 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
}

// A service that no load balancer sends requests to has no targets that could fail.
func TestUnhealthyTargetsNeedALoadBalancer(t *testing.T) {
	w := newWorld(t, faultTargetsUnhealthy)
	w.serve(w.define(1, imageOne), 1, values{"loadBalancers": array()})
	w.after(time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, w.last().Status)
}

func TestAutoscaledServiceKeepsItsBounds(t *testing.T) {
	w := newWorld(t)
	w.put(typeScalingTarget, "target", values{
		"resourceId": "service/v3-backend-staging-cluster/" + apiService, "minCapacity": 2.0, "maxCapacity": 4.0})
	w.serve(w.define(1, imageOne), 0, nil)
	w.after(time.Minute)
	require.Len(t, w.running(), 2)
	deployments := len(w.service().Deployments)
	w.serve(w.service().Definition, 9, nil)
	w.after(time.Minute)
	require.Len(t, w.running(), 4)
	require.Len(t, w.service().Deployments, deployments, "another number of tasks is no deployment")
}

func TestDeletedServiceStopsItsTasks(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 2, nil)
	w.after(time.Minute)
	delete(w.m.Resources, key(typeService, w.arn()))
	w.after(time.Minute)
	require.Empty(t, w.m.ECS.Services)
	require.Empty(t, w.m.ECS.tasks(w.m.active))
}

// Whoever looks, and however often, sees the same: what happened does not depend on who watched it.
func TestMovementDoesNotDependOnLooking(t *testing.T) {
	history := func(step time.Duration) string {
		w := newWorld(t)
		w.serve(w.define(1, imageOne), 3, nil)
		for passed := time.Duration(0); passed < 2*time.Minute; passed += step {
			w.after(step)
		}
		w.m.faults = faultSet{faultTargetsUnhealthy: true}
		w.serve(w.define(2, imageTwo), 3, nil)
		for passed := time.Duration(0); passed < 20*time.Minute; passed += step {
			w.after(step)
		}
		w.m.ECS.Until = time.Time{}
		text, err := json.MarshalIndent(w.m.ECS, "", " ")
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, history(20*time.Minute/1000), history(2*time.Minute))
}

func TestForgottenTasks(t *testing.T) {
	w := newWorld(t)
	w.serve(w.define(1, imageOne), 1, nil)
	w.after(time.Minute)
	w.serve(w.define(2, imageTwo), 1, nil)
	w.after(5 * time.Minute)
	old := w.m.ECS.tasksOf(w.service())[0]
	require.Equal(t, "STOPPED", w.m.status(old))
	require.True(t, w.m.stillDescribed(old))
	w.after(61 * 60 * time.Minute)
	require.False(t, w.m.stillDescribed(old), "ECS describes a stopped task for an hour")
	require.NotEmpty(t, w.m.logLines(old), "its log lines stay")
	w.after(24 * 60 * time.Hour)
	require.Len(t, w.m.ECS.Tasks, 1)
}
