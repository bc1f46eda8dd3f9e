package checks

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

const apiService = "v3-backend-development-api-service"

func TestEvaluateCluster(t *testing.T) {
	active := func(insights string) *ecstypes.Cluster {
		return &ecstypes.Cluster{Status: aws.String("ACTIVE"), ActiveServicesCount: 2, RunningTasksCount: 3, Settings: []ecstypes.ClusterSetting{
			{Name: ecstypes.ClusterSettingNameContainerInsights, Value: aws.String(insights)},
		}}
	}
	for name, test := range map[string]struct {
		cluster *ecstypes.Cluster
		env     string
		want    verdict
	}{
		"missing":               {nil, "dev", verdict{Error, "ClusterMissing", "v3-backend-development-cluster"}},
		"inactive":              {&ecstypes.Cluster{Status: aws.String("INACTIVE")}, "dev", verdict{Error, "ClusterNotActive", "INACTIVE"}},
		"active":                {active("disabled"), "dev", verdict{Healthy, "Active", "2 services, 3 tasks running, 0 pending"}},
		"insights off":          {active("disabled"), "staging", verdict{Warning, "ContainerInsightsOff", "monitoring is enhanced"}},
		"insights on":           {active("enhanced"), "staging", verdict{Healthy, "Active", "2 services"}},
		"insights not reported": {&ecstypes.Cluster{Status: aws.String("ACTIVE")}, "staging", verdict{Warning, "ContainerInsightsOff", ""}},
	} {
		t.Run(name, func(t *testing.T) { requireVerdict(t, test.want, evaluateCluster(test.cluster, loaded(t, test.env))) })
	}
}

// service returns the API's service with a primary deployment, changed as the test needs.
func service(desired, running int32, state ecstypes.DeploymentRolloutState, change func(*ecstypes.Service)) ecstypes.Service {
	s := ecstypes.Service{
		ServiceName: aws.String(apiService), Status: aws.String("ACTIVE"), DesiredCount: desired, RunningCount: running,
		TaskDefinition: aws.String("arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-development-api:7"),
		Deployments: []ecstypes.Deployment{{
			Id: aws.String("ecs-svc/2"), Status: aws.String("PRIMARY"), RolloutState: state, CreatedAt: ago(2 * time.Minute),
			DesiredCount: desired, RunningCount: running,
		}},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// ofAPI returns n stopped tasks of the API's service.
func ofAPI(n int, task ecstypes.Task) []ecstypes.Task {
	task.Group = aws.String("service:" + apiService)
	task.StoppedAt = ago(time.Minute)
	var tasks []ecstypes.Task
	for range n {
		tasks = append(tasks, task)
	}
	return tasks
}

// by returns the task as a deployment started it.
func by(deployment string, task ecstypes.Task) ecstypes.Task {
	task.StartedBy = aws.String(deployment)
	return task
}

// created returns the task as it was created at a time.
func created(at *time.Time, task ecstypes.Task) ecstypes.Task {
	task.CreatedAt = at
	return task
}

func TestEvaluateService(t *testing.T) {
	const (
		done    = ecstypes.DeploymentRolloutStateCompleted
		running = ecstypes.DeploymentRolloutStateInProgress
		failed  = ecstypes.DeploymentRolloutStateFailed
	)
	crash := stopped(ecstypes.TaskStopCodeEssentialContainerExited, "Essential container in task exited", 1, "")
	noKey := stopped(ecstypes.TaskStopCodeTaskFailedToStart, "ResourceInitializationError: retrieved secret from Secrets Manager did not contain json key SENTRY_DSN", -1, "")
	scaledIn := stopped(ecstypes.TaskStopCodeServiceSchedulerInitiated, "Scaling activity initiated by (deployment ecs-svc/1)", 143, "")
	for name, test := range map[string]struct {
		service ecstypes.Service
		stopped []ecstypes.Task
		want    verdict
	}{
		"steady":                  {service(2, 2, done, nil), nil, verdict{Healthy, "Steady", "2/2 tasks running"}},
		"scaled in is no failure": {service(2, 2, done, nil), ofAPI(9, scaledIn), verdict{Healthy, "Steady", ""}},
		"draining": {service(0, 1, done, func(s *ecstypes.Service) { s.Status = aws.String("DRAINING") }), nil,
			verdict{Error, "ServiceNotActive", "DRAINING"}},
		"rollout failed": {service(2, 0, failed, func(s *ecstypes.Service) {
			s.Deployments[0].RolloutStateReason = aws.String("ECS deployment circuit breaker: tasks failed to start.")
		}), ofAPI(3, noKey), verdict{Error, "RolloutFailed", "0/2 tasks running; the rollout failed: ECS deployment circuit breaker: tasks failed to start; 3 stopped: the secret has no key SENTRY_DSN"}},
		"rollout stuck": {service(1, 0, running, func(s *ecstypes.Service) { s.Deployments[0].FailedTasks = 4 }), ofAPI(4, crash),
			verdict{Error, "RolloutStuck", "4 tasks of the rollout have failed; 4 stopped: exit code 1 (application error)"}},
		"rollout too long": {service(1, 0, running, func(s *ecstypes.Service) { s.Deployments[0].CreatedAt = ago(16 * time.Minute) }), nil,
			verdict{Error, "RolloutStuck", "in progress for 16m0s"}},
		"rollout begun": {service(1, 0, running, nil), nil, verdict{Warning, "TasksNotRunning", "0/1 tasks running, a rollout is in progress"}},
		"rollout going": {service(2, 2, running, nil), nil, verdict{Warning, "RolloutInProgress", "2/2 tasks of the rollout"}},
		"some missing":  {service(3, 2, done, nil), nil, verdict{Warning, "TasksNotRunning", "2/3 tasks running"}},
		"all missing":   {service(3, 0, done, nil), ofAPI(1, crash), verdict{Error, "TasksNotRunning", "0/3 tasks running; 1 stopped: exit code 1"}},
		"none wanted":   {service(0, 0, done, nil), nil, verdict{Warning, "NoTasksDesired", ""}},
		"rolled back": {service(1, 1, done, func(s *ecstypes.Service) {
			s.Events = []ecstypes.ServiceEvent{{CreatedAt: ago(time.Hour), Message: aws.String("(service x) rolling back to deployment ecs-svc/2.")}}
		}), ofAPI(3, by("ecs-svc/1", noKey)), verdict{Warning, "RolledBack", "after ECS rolled the last deployment back; 3 stopped: the secret has no key SENTRY_DSN"}},
		"rolled back, after an older failure": {service(1, 1, done, func(s *ecstypes.Service) {
			s.Events = []ecstypes.ServiceEvent{
				{CreatedAt: ago(time.Minute), Message: aws.String("(service x) rolling back to deployment ecs-svc/2.")},
				{CreatedAt: ago(time.Minute), Message: aws.String("(service x) (deployment ecs-svc/3) deployment failed: tasks failed to start.")},
			}
		}), append(ofAPI(5, by("ecs-svc/1", crash)), ofAPI(1, by("ecs-svc/3", noKey))...),
			verdict{Warning, "RolledBack", "after ECS rolled the last deployment back; 1 stopped: the secret has no key SENTRY_DSN"}},
		"rolled back, and the event does not name the deployment": {service(1, 1, done, func(s *ecstypes.Service) {
			s.Events = []ecstypes.ServiceEvent{
				{CreatedAt: ago(time.Minute), Message: aws.String("(service x) rolling back to deployment ecs-svc/2.")},
				{CreatedAt: ago(10 * time.Minute), Message: aws.String("(service x) has reached a steady state.")},
			}
		}), append(ofAPI(5, created(ago(20*time.Minute), by("ecs-svc/1", crash))), ofAPI(1, created(ago(5*time.Minute), by("ecs-svc/3", noKey)))...),
			verdict{Warning, "RolledBack", "after ECS rolled the last deployment back; 1 stopped: the secret has no key SENTRY_DSN"}},
		"rolled back without capacity": {service(1, 1, done, func(s *ecstypes.Service) {
			s.Events = []ecstypes.ServiceEvent{
				{CreatedAt: ago(time.Minute), Message: aws.String("(service x) rolling back to deployment ecs-svc/2.")},
				{CreatedAt: ago(time.Minute), Message: aws.String("(service x) (deployment ecs-svc/3) deployment failed: tasks failed to start.")},
				{CreatedAt: ago(2 * time.Minute), Message: aws.String("(service x) was unable to place a task. Reason: Capacity is unavailable at this time.")},
				{CreatedAt: ago(time.Hour), Message: aws.String("(service x) has reached a steady state.")},
				{CreatedAt: ago(time.Hour), Message: aws.String("(service x) was unable to place a task. Reason: Internal error.")},
			}
		}), ofAPI(5, by("ecs-svc/1", crash)), verdict{Warning, "RolledBack", "rolled the last deployment back; ECS cannot start tasks: Fargate has no capacity"}},
		"a rollout without capacity": {service(2, 2, running, func(s *ecstypes.Service) {
			s.Events = []ecstypes.ServiceEvent{{CreatedAt: ago(0), Message: aws.String("(service x) was unable to place a task. Reason: Capacity is unavailable at this time.")}}
		}), ofAPI(5, by("ecs-svc/1", crash)), verdict{Warning, "TasksNotRunning", "2/2 tasks running, a rollout is in progress; ECS cannot start tasks: Fargate has no capacity"}},
		"an older rollback": {service(1, 1, done, func(s *ecstypes.Service) {
			s.Events = []ecstypes.ServiceEvent{{CreatedAt: ago(time.Hour), Message: aws.String("(service x) rolling back to deployment ecs-svc/1.")}}
		}), nil, verdict{Healthy, "Steady", ""}},
		"restarts":                        {service(1, 1, done, nil), ofAPI(3, crash), verdict{Warning, "TasksRestarting", "but 3 failed in the last hour; 3 stopped: exit code 1"}},
		"failures of an older deployment": {service(1, 1, done, nil), ofAPI(5, by("ecs-svc/1", crash)), verdict{Healthy, "Steady", "1/1 tasks running"}},
		"failures of this deployment":     {service(1, 1, done, nil), ofAPI(5, by("ecs-svc/2", crash)), verdict{Warning, "TasksRestarting", "5 failed"}},
		"a rollout has its own causes": {service(1, 0, running, func(s *ecstypes.Service) { s.Deployments[0].FailedTasks = 1 }),
			append(ofAPI(5, by("ecs-svc/1", crash)), ofAPI(1, by("ecs-svc/2", noKey))...), verdict{Error, "RolloutStuck", "1 stopped: the secret has no key SENTRY_DSN"}},
		"an accident":    {service(1, 1, done, nil), ofAPI(2, crash), verdict{Healthy, "Steady", "1/1 tasks running"}},
		"no deployments": {service(2, 2, done, func(s *ecstypes.Service) { s.Deployments = nil }), nil, verdict{Healthy, "Steady", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluateService(test.service, stopsOf(test.service, test.stopped), loaded(t, "dev"), now)
			requireVerdict(t, test.want, got)
			require.Equal(t, "ECS-Service-"+apiService, got.Service)
			require.Equal(t, test.service.RunningCount, got.Details["running"])
		})
	}
}

func TestStuckServices(t *testing.T) {
	noKey := stopped(ecstypes.TaskStopCodeTaskFailedToStart, "ResourceInitializationError: retrieved secret from Secrets Manager did not contain json key SENTRY_DSN", -1, "")
	services := []ecstypes.Service{service(1, 0, ecstypes.DeploymentRolloutStateInProgress, nil)}
	tasks := ofAPI(3, noKey)
	finding := evaluateService(services[0], stopsOf(services[0], tasks), loaded(t, "dev"), now)
	require.Equal(t, []StuckService{{
		Service: "ECS-Service-" + apiService, Issue: "Missing secret keys", Issues: []string{aws.ToString(noKey.StoppedReason)},
	}}, stuckServices([]Finding{finding}, services, tasks))

	crash := stopped(ecstypes.TaskStopCodeEssentialContainerExited, "Essential container in task exited", 1, "")
	crashed := stuckServices([]Finding{finding}, services, ofAPI(2, crash))
	require.Equal(t, "Exit code 1 (application error)", crashed[0].Issue)
	require.Equal(t, []string{"Essential container in task exited: exit code 1 (application error)"}, crashed[0].Issues)

	well := newFinding("ecs_service", finding.Service).healthy("Steady", "1/1")
	require.Empty(t, stuckServices([]Finding{well}, services, tasks), "who is well is not stuck")
	require.NotNil(t, stuckServices(nil, nil, nil), "an empty list, not null")
}

func TestEvaluateTasks(t *testing.T) {
	task := func(status string, health ecstypes.HealthStatus, started time.Duration) ecstypes.Task {
		return ecstypes.Task{
			TaskArn: aws.String("arn:aws:ecs:us-east-1:1:task/c/0123"), LastStatus: aws.String(status), HealthStatus: health, StartedAt: ago(started),
		}
	}
	well, ill := task("RUNNING", ecstypes.HealthStatusHealthy, time.Hour), task("RUNNING", ecstypes.HealthStatusUnhealthy, time.Hour)
	starting := task("PENDING", ecstypes.HealthStatusUnknown, 0)
	wanted := func(desired, running int32) *ecstypes.Service {
		return &ecstypes.Service{DesiredCount: desired, RunningCount: running}
	}
	for name, test := range map[string]struct {
		service *ecstypes.Service
		tasks   []ecstypes.Task
		renewed secretChanges
		want    verdict
	}{
		"no service":     {nil, nil, secretChanges{}, verdict{Error, "ServiceMissing", ""}},
		"none at all":    {wanted(2, 0), nil, secretChanges{}, verdict{Error, "NoTasks", "0/2 tasks"}},
		"none wanted":    {wanted(0, 0), nil, secretChanges{}, verdict{Healthy, "NoTasksDesired", ""}},
		"not listed":     {wanted(2, 2), nil, secretChanges{}, verdict{Unknown, "TasksNotListed", "runs 2 tasks"}},
		"all ill":        {wanted(2, 2), []ecstypes.Task{ill, ill}, secretChanges{}, verdict{Error, "TasksUnhealthy", "2/2"}},
		"one ill":        {wanted(2, 2), []ecstypes.Task{well, ill}, secretChanges{}, verdict{Warning, "TasksUnhealthy", "1/2"}},
		"one starting":   {wanted(2, 1), []ecstypes.Task{well, starting}, secretChanges{}, verdict{Warning, "TasksStarting", "1/2 tasks run"}},
		"older password": {wanted(1, 1), []ecstypes.Task{well}, secretChanges{password: passwordRotation{rotated: ago(time.Minute)}}, verdict{Warning, "TasksOlderThanRotation", "1/1 tasks are older"}},
		"rotated password": {wanted(1, 1), []ecstypes.Task{well},
			secretChanges{password: passwordRotation{created: ago(48 * time.Hour), rotated: ago(64 * time.Minute)}, configuration: ago(3 * time.Hour)},
			verdict{Healthy, "Running", "1 task running, 1 known healthy; password rotated 2025-06-03, tasks started 4m00s later"}},
		"new secret": {wanted(1, 1), []ecstypes.Task{well},
			secretChanges{password: passwordRotation{created: ago(2 * time.Hour), rotated: ago(2 * time.Hour)}},
			verdict{Healthy, "Running", "1 task running, 1 known healthy"}},
		"older configuration": {wanted(2, 2), []ecstypes.Task{well, task("RUNNING", ecstypes.HealthStatusHealthy, time.Second)},
			secretChanges{configuration: ago(time.Minute)}, verdict{Warning, "TasksOlderThanConfiguration", "1/2 tasks are older than the configuration"}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateTasks(apiService, test.service, test.tasks, test.renewed, loaded(t, "dev")))
		})
	}
}

func TestTaskDetailsAreBounded(t *testing.T) {
	require.Len(t, taskDetails(make([]ecstypes.Task, 500)), maxTasksListed)
}

func TestEvaluateTaskDefinition(t *testing.T) {
	env := loaded(t, "dev")
	const secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:balancer-dev-config-AbCdEf"
	definition := func(change func(*ecstypes.TaskDefinition)) *ecstypes.TaskDefinition {
		container := ecstypes.ContainerDefinition{
			Name: aws.String("balancer-api"), Image: aws.String("1.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:1"),
		}
		for _, key := range env.SecretKeys() {
			container.Secrets = append(container.Secrets, ecstypes.Secret{Name: aws.String(key), ValueFrom: aws.String(secret + ":" + key + "::")})
		}
		for _, name := range environment.ProgramVariables() {
			container.Environment = append(container.Environment, ecstypes.KeyValuePair{Name: aws.String(name), Value: aws.String("x")})
		}
		d := &ecstypes.TaskDefinition{Revision: 7, Status: ecstypes.TaskDefinitionStatusActive, ContainerDefinitions: []ecstypes.ContainerDefinition{container}}
		if change != nil {
			change(d)
		}
		return d
	}
	keys := env.SecretKeys()
	for name, test := range map[string]struct {
		definition *ecstypes.TaskDefinition
		keys       []string
		want       verdict
	}{
		"complete":    {definition(nil), keys, verdict{Healthy, "Complete", "revision 7, 3 secret keys, 6 required variables"}},
		"missing":     {nil, keys, verdict{Error, "TaskDefinitionMissing", "v3-backend-development-api"}},
		"missing key": {definition(nil), []string{"NODE_ENV", "SUBGRAPH_API_URL"}, verdict{Error, "SecretKeysMissing", "1 of 3 secret keys that the api refers to are missing: SENTRY_DSN"}},
		"no secret":   {definition(nil), nil, verdict{Error, "SecretKeysMissing", "3 of 3"}},
		"a container of another name": {definition(func(d *ecstypes.TaskDefinition) { d.ContainerDefinitions[0].Name = aws.String("web") }), keys,
			verdict{Error, "ContainerMissing", "balancer-api"}},
		"a variable that is not set": {definition(func(d *ecstypes.TaskDefinition) {
			d.ContainerDefinitions[0].Secrets = d.ContainerDefinitions[0].Secrets[1:]
		}), keys, verdict{Error, "VariablesMissing", "1 of 6 required variables are not set: SUBGRAPH_API_URL"}},
		"no way to the database": {definition(func(d *ecstypes.TaskDefinition) {
			c := &d.ContainerDefinitions[0]
			for i, v := range c.Environment {
				if aws.ToString(v.Name) == environment.VarDatabaseSecretARN {
					c.Environment[i].Name = aws.String("OTHER")
				}
			}
		}), keys, verdict{Error, "VariablesMissing", "DATABASE_URL"}},
		"another environment's database": {definition(func(d *ecstypes.TaskDefinition) {
			setting("DATABASE_HOST", "v3-backend-production-db.x.us-east-1.rds.amazonaws.com")(&d.ContainerDefinitions[0])
		}), keys, verdict{Error, "ReferencesOtherEnvironment", "DATABASE_HOST (it refers to the database of production)"}},
		"another environment's configuration": {definition(func(d *ecstypes.TaskDefinition) {
			setting("CONFIG_SECRET_ID", "balancer-production-config")(&d.ContainerDefinitions[0])
		}), keys, verdict{Error, "ReferencesOtherEnvironment", "CONFIG_SECRET_ID (it names balancer-production-config, another environment's)"}},
		"another environment's key": {definition(func(d *ecstypes.TaskDefinition) {
			d.ContainerDefinitions[0].Secrets[1].ValueFrom = aws.String(strings.ReplaceAll(secret, "-dev-", "-staging-") + ":SENTRY_DSN::")
		}), keys, verdict{Error, "ReferencesOtherEnvironment", "SENTRY_DSN (it comes from balancer-staging-config-AbCdEf, another environment's)"}},
		"the whole secret": {definition(func(d *ecstypes.TaskDefinition) {
			d.ContainerDefinitions[0].Secrets[1].ValueFrom = aws.String(secret)
		}), keys, verdict{Error, "ReferencesOtherEnvironment", "SENTRY_DSN (its reference names no key"}},
		"a version of long ago": {definition(func(d *ecstypes.TaskDefinition) {
			d.ContainerDefinitions[0].Secrets[1].ValueFrom = aws.String(secret + ":SENTRY_DSN:AWSPREVIOUS:")
		}), keys, verdict{Warning, "DiffersFromProgram", "from balancer-dev-config, as the deployer sets them: SENTRY_DSN"}},
		"a value in a reference's place": {definition(func(d *ecstypes.TaskDefinition) {
			c := &d.ContainerDefinitions[0]
			c.Secrets = append(c.Secrets[:1:1], c.Secrets[2:]...)
			setting("SENTRY_DSN", "https://hunter2@sentry.io/1")(c)
		}), keys, verdict{Warning, "DiffersFromProgram", "from balancer-dev-config, as the deployer sets them: SENTRY_DSN"}},
		"deregistered": {definition(func(d *ecstypes.TaskDefinition) { d.Status = ecstypes.TaskDefinitionStatusInactive }), keys,
			verdict{Warning, "TaskDefinitionInactive", "revision 7"}},
		"a tag": {definition(func(d *ecstypes.TaskDefinition) { d.ContainerDefinitions[0].Image = aws.String("repo:latest") }), keys,
			verdict{Warning, "ImageNotPinned", "repo:latest"}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateTaskDefinition(test.definition, environment.API, test.keys, env))
		})
	}
}

func TestSecretReferences(t *testing.T) {
	for reference, want := range map[string][2]string{
		"arn:aws:secretsmanager:us-east-1:1:secret:balancer-dev-config-AbCdEf:KEY::": {"balancer-dev-config-AbCdEf", "KEY"},
		"arn:aws:secretsmanager:us-east-1:1:secret:balancer-dev-config-AbCdEf":       {"balancer-dev-config-AbCdEf", ""},
		"arn:aws:secretsmanager:us-east-1:1:secret:balancer-dev-config-AbCdEf:::":    {"balancer-dev-config-AbCdEf", ""},
		"arn:aws:ssm:us-east-1:1:parameter/x":                                        {"", ""},
		"name":                                                                       {"", ""},
	} {
		name, key := splitValueFrom(reference)
		require.Equal(t, want, [2]string{name, key}, reference)
	}
	require.True(t, isSecretNamed("balancer-dev-config-AbCdEf", "balancer-dev-config"))
	require.True(t, isSecretNamed("balancer-dev-config", "balancer-dev-config"))
	require.False(t, isSecretNamed("balancer-dev-config-old-AbCdEf", "balancer-dev-config"))
}
