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

// simulation is an account whose time is set by the test.
type simulation struct {
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

func newSimulation(t *testing.T, faults ...string) *simulation {
	t.Helper()
	set, err := newFaultSet(faults)
	require.NoError(t, err)
	s := newState("123456789012", "us-east-1")
	s.Salt = "salt"
	sim := &simulation{t: t, m: model{State: s, home: s, now: time.Date(2025, 6, 3, 4, 0, 0, 0, time.UTC), faults: set, speed: 60}}
	sim.m.seedRegistry([]Stack{stagingStack})
	require.NoError(t, sim.m.seedSecrets([]Stack{stagingStack}))
	sim.addInfrastructure()
	return sim
}

// addInfrastructure adds the resources that a service depends on.
func (sim *simulation) addInfrastructure() {
	sim.put(typeRepository, imageRepository, values{"name": imageRepository})
	sim.put(typeVPC, "vpc-1", values{"cidrBlock": "10.1.0.0/16"})
	sim.put(typeSubnet, "subnet-1", values{"vpcId": "vpc-1", "cidrBlock": "10.1.1.0/24", "availabilityZone": "us-east-1a"})
	sim.put(typeCluster, "cluster", values{"name": "v3-backend-staging-cluster"})
	sim.put(typeLogGroup, "/aws/ecs/v3-backend-staging", values{"name": "/aws/ecs/v3-backend-staging"})
	sim.put(typeTargetGroup, "tg", values{"arn": "tg", "name": "tg", "deregistrationDelay": 30.0})
	sim.put(typeSecurityGroup, "sg-1", values{"name": "db", "vpcId": "vpc-1"})
	sim.put(typeDatabase, "db-1", values{
		"identifier": "db", "status": "available", "username": "balancer", "vpcSecurityGroupIds": array("sg-1"),
		"masterUserSecrets": array(values{"secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-abcdef"}),
	})
	sim.put(typeCertificate, "arn:aws:acm:cert", values{"arn": "arn:aws:acm:cert", "domainName": "staging-api.hyperchonk.com"})
	sim.put(typeCertificateValidation, "arn:aws:acm:cert", values{"certificateArn": "arn:aws:acm:cert"})
}

func (sim *simulation) put(typ, id string, outputs values) *Resource {
	r := &Resource{Type: typ, ID: id, Inputs: outputs, Outputs: outputs, Created: sim.m.now}
	sim.m.Resources[key(typ, id)] = r
	return r
}

// define registers a revision of the API's task definition with the image of a tag.
func (sim *simulation) define(revision int, tag string) string {
	image := sim.m.Registry.byTag(imageRepository, tag)
	require.NotNil(sim.t, image, tag)
	return sim.defineDigest(revision, image.Digest)
}

func (sim *simulation) defineDigest(revision int, digest string) string {
	containers, err := json.Marshal([]map[string]any{{
		"name": "balancer-api", "essential": true,
		"image":   "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@" + digest,
		"secrets": []map[string]string{{"name": "SENTRY_DSN", "valueFrom": sim.m.Secrets[oneSecret].ARN + ":SENTRY_DSN::"}},
		"logConfiguration": map[string]any{"logDriver": "awslogs", "options": map[string]string{
			"awslogs-group": "/aws/ecs/v3-backend-staging", "awslogs-stream-prefix": "api"}},
		"healthCheck": map[string]any{"command": []string{"CMD-SHELL", "true"}},
	}})
	require.NoError(sim.t, err)
	arn := fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:%d", revision)
	sim.put(typeTaskDefinition, arn, values{
		"arn": arn, "family": "v3-backend-staging-api", "revision": float64(revision), "containerDefinitions": string(containers),
		"networkMode": "awsvpc", "cpu": "512", "memory": "1024",
	})
	return arn
}

// startService adds the API's service and starts it.
func (sim *simulation) startService(definition string, desired int, more values) {
	sim.addService(definition, desired, more)
	sim.m.advance()
}

// addService adds the API's service behind the load balancer.
func (sim *simulation) addService(definition string, desired int, more values) {
	outputs := values{
		"name": apiService, "cluster": "v3-backend-staging-cluster", "taskDefinition": definition, "desiredCount": float64(desired),
		"deploymentCircuitBreaker": values{"enable": true, "rollback": true},
		"networkConfiguration":     values{"subnets": array("subnet-1")},
		"loadBalancers":            array(values{"targetGroupArn": "tg", "containerName": "balancer-api", "containerPort": 3000.0}),
	}
	for name, value := range more {
		outputs[name] = value
	}
	sim.put(typeService, sim.arn(), outputs)
}

func (sim *simulation) arn() string {
	return sim.m.arn("ecs", "service/v3-backend-staging-cluster/"+apiService)
}

// after advances the time by d, as AWS would take it, in one step.
func (sim *simulation) after(d time.Duration) {
	sim.m.now = sim.m.in(d)
	sim.m.advance()
}

func (sim *simulation) service() *service {
	s := sim.m.ECS.Services[sim.arn()]
	require.NotNil(sim.t, s)
	return s
}

// running returns the image tags of the running tasks, oldest first.
func (sim *simulation) running() []string {
	var tags []string
	for _, t := range sim.m.ECS.tasksOf(sim.service()) {
		if sim.m.running(t) {
			tags = append(tags, sim.m.Registry.byDigest(imageRepository, t.Digest).Tags[0])
		}
	}
	return tags
}

func (sim *simulation) statuses() map[string]int {
	counts := map[string]int{}
	for _, t := range sim.m.ECS.tasksOf(sim.service()) {
		counts[sim.m.status(t)]++
	}
	return counts
}

func (sim *simulation) lastDeployment() *deployment { return sim.service().latestDeployment() }

func TestFirstDeployment(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 2, nil)
	require.Equal(t, ecs.ServiceDeploymentStatusPending, sim.m.statusOf(sim.lastDeployment()))
	require.Equal(t, map[string]int{"PROVISIONING": 2}, sim.statuses())

	sim.after(10 * time.Second)
	require.Equal(t, ecs.ServiceDeploymentStatusInProgress, sim.m.statusOf(sim.lastDeployment()))
	require.Equal(t, map[string]int{"PENDING": 2}, sim.statuses())
	require.Empty(t, sim.m.targets("tg"))

	sim.after(25 * time.Second)
	require.Equal(t, map[string]int{"RUNNING": 2}, sim.statuses())
	require.Equal(t, elb.TargetHealthStateEnumInitial, sim.m.targetHealth(sim.m.targets("tg")[0].task).State)
	require.True(t, sim.lastDeployment().inProgress(), "a deployment does not end before its tasks are healthy")

	sim.after(20 * time.Second)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
	require.Equal(t, elb.TargetHealthStateEnumHealthy, sim.m.targetHealth(sim.m.targets("tg")[0].task).State)
	require.Equal(t, ecs.DeploymentRolloutStateCompleted, sim.service().revision(sim.service().Primary).State)
	require.Contains(t, sim.service().Events[0].Message, "has reached a steady state.")
}

func TestRollingUpdate(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 2, nil)
	sim.after(time.Minute)
	sim.startService(sim.define(2, imageTwo), 2, nil)
	require.Equal(t, []string{sim.service().Revisions[0].ARN}, sim.lastDeployment().Sources)

	sim.after(40 * time.Second)
	require.Equal(t, []string{imageOne, imageOne, imageTwo, imageTwo}, sim.running(), "the old ones keep running until the new ones are healthy")

	sim.after(15 * time.Second)
	require.Equal(t, []string{imageTwo, imageTwo}, sim.running())
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
	require.Equal(t, 2, sim.statuses()["DEACTIVATING"], "the old ones drain")

	sim.after(time.Minute)
	require.Equal(t, map[string]int{"RUNNING": 2, "STOPPED": 2}, sim.statuses())
}

// A scheduler must never run twice: the old task has stopped before the new one starts.
func TestReplacementThroughZero(t *testing.T) {
	sim := newSimulation(t)
	alone := values{"deploymentMinimumHealthyPercent": 0.0, "deploymentMaximumPercent": 100.0, "loadBalancers": array()}
	sim.startService(sim.define(1, imageOne), 1, alone)
	sim.after(time.Minute)
	require.Equal(t, []string{imageOne}, sim.running())
	sim.startService(sim.define(2, imageTwo), 1, alone)
	for range 120 {
		sim.after(time.Second)
		present := 0
		for _, task := range sim.m.ECS.tasksOf(sim.service()) {
			if !sim.m.reached(task.Stopped) {
				present++
			}
		}
		require.LessOrEqual(t, present, 1)
	}
	require.Equal(t, []string{imageTwo}, sim.running())
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
}

func TestFailingImageIsRolledBack(t *testing.T) {
	for fault, want := range map[string]struct {
		code         ecs.TaskStopCode
		exit         int32
		text, reason string
	}{
		faultTaskCrash:        {ecs.TaskStopCodeEssentialContainerExited, 1, "Essential container in task exited", ""},
		faultOutOfMemory:      {ecs.TaskStopCodeEssentialContainerExited, 137, "Essential container in task exited", "OutOfMemoryError"},
		faultTargetsUnhealthy: {ecs.TaskStopCodeServiceSchedulerInitiated, 0, "Task failed ELB health checks in (target-group tg)", ""},
		faultImagePullError:   {ecs.TaskStopCodeTaskFailedToStart, -1, "CannotPullContainerError", ""},
	} {
		t.Run(fault, func(t *testing.T) {
			sim := newSimulation(t)
			first := sim.define(1, imageOne)
			sim.startService(first, 2, nil)
			sim.after(time.Minute)
			sim.m.faults = faultSet{fault: true}
			sim.startService(sim.define(2, imageTwo), 2, nil)
			failing := sim.service().Primary
			sim.m.faults = faultSet{}
			for range 60 {
				sim.after(5 * time.Second)
				healthy := 0
				for _, task := range sim.m.ECS.tasksOf(sim.service()) {
					if sim.m.healthy(task) && task.Revision != failing {
						healthy++
					}
				}
				require.Equal(t, 2, healthy, "the old ones keep running")
			}
			d := sim.lastDeployment()
			require.Equal(t, ecs.ServiceDeploymentStatusRollbackSuccessful, d.Status, d.Reason)
			require.True(t, d.Tripped)
			require.Equal(t, sim.service().Revisions[0].ARN, d.RollbackTo)
			require.Equal(t, []string{imageOne, imageOne}, sim.running())
			require.GreaterOrEqual(t, sim.service().revision(failing).Failed, 3)
			require.Equal(t, first, sim.m.serviceResource(sim.arn()).Text("taskDefinition"), "the account has the rollback of ECS")
			for _, task := range sim.m.ECS.tasks(func(task *task) bool { return task.Revision == failing && task.FailureCounted }) {
				require.Equal(t, want.code, task.Code)
				require.Contains(t, task.Reason, want.text)
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
	sim := newSimulation(t, faultTaskCrash)
	sim.startService(sim.define(1, imageOne), 1, nil)
	sim.after(10 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusRollbackFailed, sim.lastDeployment().Status)
	require.Contains(t, sim.lastDeployment().Reason, "No rollback candidate")
	require.Equal(t, map[string]int{"STOPPED": 3}, sim.statuses(), "no more tasks are started")
}

func TestKnownGoodImageKeepsRunning(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 1, nil)
	sim.after(time.Minute)
	sim.m.faults = faultSet{faultTaskCrash: true, faultTargetsUnhealthy: true}
	sim.startService(sim.define(2, imageOne), 1, nil)
	sim.after(time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
}

// Task faults affect every image that replaces the running one, even one that ran before it.
func TestEarlierImageIsNotSpared(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 1, nil)
	sim.after(time.Minute)
	sim.startService(sim.define(2, imageTwo), 1, nil)
	sim.after(3 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
	sim.m.faults = faultSet{faultTaskCrash: true}
	sim.startService(sim.define(3, imageOne), 1, nil)
	sim.after(10 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusRollbackSuccessful, sim.lastDeployment().Status)
}

func TestTasksThatCannotStart(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(sim *simulation) string
		text   string
	}{
		"no such image": {
			func(sim *simulation) string { return sim.defineDigest(1, "sha256:"+strings.Repeat("0", 64)) },
			"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:0000",
		},
		"built for another architecture": {
			func(sim *simulation) string {
				definition := sim.define(1, imageOne)
				sim.m.Get(typeTaskDefinition, definition).Outputs["runtimePlatform"] = values{"cpuArchitecture": "ARM64"}
				return definition
			},
			"CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/arm64'",
		},
		"a key less": {
			func(sim *simulation) string {
				sim.m.faults = faultSet{faultSecretKeyMissing: true}
				return sim.define(1, imageOne)
			},
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: " +
				"service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key SENTRY_DSN",
		},
		"no secret": {
			func(sim *simulation) string {
				definition := sim.define(1, imageOne)
				delete(sim.m.Secrets, oneSecret)
				return definition
			},
			"ResourceNotFoundException: Secrets Manager can't find the specified secret.",
		},
		"a byte order mark": {
			func(sim *simulation) string {
				definition := sim.define(1, imageOne)
				sim.m.Secrets[oneSecret].Versions[0].Value = "\uFEFF{}"
				return definition
			},
			"unable to retrieve secret from asm: service call has been retried 1 time(s): invalid character 'ï' looking for beginning of value",
		},
		"no log group": {
			func(sim *simulation) string {
				delete(sim.m.Resources, key(typeLogGroup, "/aws/ecs/v3-backend-staging"))
				return sim.define(1, imageOne)
			},
			"The specified log group does not exist.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim := newSimulation(t)
			sim.startService(tc.breaks(sim), 1, nil)
			sim.after(9 * time.Second)
			task := sim.m.ECS.tasksOf(sim.service())[0]
			require.False(t, sim.m.active(task))
			require.Equal(t, ecs.TaskStopCodeTaskFailedToStart, task.Code)
			require.Contains(t, task.Reason, tc.text)
			require.Empty(t, sim.m.logLines(task))
		})
	}
}

// A deployment that is waiting has neither failed nor completed.
func TestDeploymentsThatTakeLong(t *testing.T) {
	for fault, done := range map[string]bool{faultSlowStart: true, faultRolloutStuck: false, faultNoCapacity: false} {
		t.Run(fault, func(t *testing.T) {
			sim := newSimulation(t, fault)
			sim.startService(sim.define(1, imageOne), 1, nil)
			sim.after(2 * time.Minute)
			require.True(t, sim.lastDeployment().inProgress())
			sim.after(13 * time.Minute)
			require.Equal(t, done, !sim.lastDeployment().inProgress())
		})
	}
}

// A rollback to a known-good image works under every fault.
func TestNoCapacitySparesKnownGoodImages(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 1, nil)
	sim.after(time.Minute)
	sim.m.faults = faultSet{faultNoCapacity: true, faultRolloutStuck: true}
	sim.startService(sim.define(2, imageTwo), 1, nil)
	sim.after(15 * time.Minute)
	require.Contains(t, sim.service().Events[0].Message, "was unable to place a task. Reason: Capacity is unavailable at this time.")
	sim.startService(sim.define(3, imageOne), 1, nil)
	sim.after(2 * time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
}

// A service without a load balancer has no targets that could fail.
func TestUnhealthyTargetsNeedALoadBalancer(t *testing.T) {
	sim := newSimulation(t, faultTargetsUnhealthy)
	sim.startService(sim.define(1, imageOne), 1, values{"loadBalancers": array()})
	sim.after(time.Minute)
	require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
}

func TestAutoscaledServiceKeepsItsBounds(t *testing.T) {
	sim := newSimulation(t)
	sim.put(typeScalingTarget, "target", values{
		"resourceId": "service/v3-backend-staging-cluster/" + apiService, "minCapacity": 2.0, "maxCapacity": 4.0})
	sim.startService(sim.define(1, imageOne), 0, nil)
	sim.after(time.Minute)
	require.Len(t, sim.running(), 2)
	deployments := len(sim.service().Deployments)
	sim.startService(sim.service().Definition, 9, nil)
	sim.after(time.Minute)
	require.Len(t, sim.running(), 4)
	require.Len(t, sim.service().Deployments, deployments, "a new desired count does not start a deployment")
}

func TestDeletedServiceStopsItsTasks(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 2, nil)
	sim.after(time.Minute)
	delete(sim.m.Resources, key(typeService, sim.arn()))
	sim.after(time.Minute)
	require.Empty(t, sim.m.ECS.Services)
	require.Empty(t, sim.m.ECS.tasks(sim.m.active))
}

// The result does not depend on how often the account is polled.
func TestAdvanceDoesNotDependOnPolling(t *testing.T) {
	history := func(step time.Duration) string {
		sim := newSimulation(t)
		sim.startService(sim.define(1, imageOne), 3, nil)
		for passed := time.Duration(0); passed < 2*time.Minute; passed += step {
			sim.after(step)
		}
		sim.m.faults = faultSet{faultTargetsUnhealthy: true}
		sim.startService(sim.define(2, imageTwo), 3, nil)
		for passed := time.Duration(0); passed < 20*time.Minute; passed += step {
			sim.after(step)
		}
		sim.m.ECS.Until = time.Time{}
		text, err := json.MarshalIndent(sim.m.ECS, "", " ")
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, history(20*time.Minute/1000), history(2*time.Minute))
}

func TestStoppedTasksArePruned(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 1, nil)
	sim.after(time.Minute)
	sim.startService(sim.define(2, imageTwo), 1, nil)
	sim.after(5 * time.Minute)
	old := sim.m.ECS.tasksOf(sim.service())[0]
	require.Equal(t, "STOPPED", sim.m.status(old))
	require.True(t, sim.m.stillDescribed(old))
	sim.after(61 * 60 * time.Minute)
	require.False(t, sim.m.stillDescribed(old), "ECS describes a stopped task for an hour")
	require.NotEmpty(t, sim.m.logLines(old), "its log lines are kept")
	sim.after(24 * 60 * time.Hour)
	require.Len(t, sim.m.ECS.Tasks, 1)
}

// TestForcedDeployment checks which updates by the provider start a deployment that nothing else would start.
func TestForcedDeployment(t *testing.T) {
	sim := newSimulation(t)
	olds := values{"forceNewDeployment": true, "desiredCount": 1.0, "tags": values{"a": "b"}}
	for name, test := range map[string]struct {
		news values
		want bool
	}{
		"nothing":        {olds, false},
		"tags":           {values{"forceNewDeployment": true, "desiredCount": 1.0}, false},
		"count":          {values{"forceNewDeployment": true, "desiredCount": 2.0, "tags": values{"a": "b"}}, true},
		"a new property": {values{"forceNewDeployment": true, "desiredCount": 1.0, "enableExecuteCommand": true}, true},
		"not forced":     {values{"forceNewDeployment": false, "desiredCount": 2.0}, false},
	} {
		r := sim.put(typeService, "arn", test.news)
		sim.m.ECS.Services["arn"] = &service{Fingerprint: "before"}
		_, err := forceDeployment(sim.m, &Resource{Inputs: olds}, r)
		require.NoError(t, err)
		require.Equal(t, test.want, sim.m.ECS.Services["arn"].Fingerprint == "", name)
	}
}

// A task stays on the capacity provider on which it started, while its service moves to another.
func TestTasksKeepTheirCapacityProvider(t *testing.T) {
	sim := newSimulation(t)
	definition := sim.define(1, imageOne)
	var providers []string
	for _, provider := range []string{"FARGATE", "FARGATE_SPOT"} {
		sim.startService(definition, 1, values{capacityStrategies: array(values{"capacityProvider": provider, "weight": 1.0})})
		sim.after(8 * time.Second)
	}
	for _, task := range sim.m.ECS.tasksOf(sim.service()) {
		providers = append(providers, deref(sim.m.describeTask(task).CapacityProviderName))
	}
	require.ElementsMatch(t, []string{"FARGATE", "FARGATE_SPOT"}, providers)
}
