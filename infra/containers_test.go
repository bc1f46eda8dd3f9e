package infra

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// rendered returns the containers of a role's task in one of the repository's environments, the application first.
func rendered(t *testing.T, name string, role environment.Role) []container {
	t.Helper()
	env, err := environment.Load("..", name)
	require.NoError(t, err)
	text, err := containerDefinitions(task{
		env: env, role: role, image: testImage, queueURL: "https://sqs.example.com/jobs", databaseHost: "db.example.com",
		databaseSecretARN: databaseSecret, configSecretARN: configSecret,
	})
	require.NoError(t, err)
	var containers []container
	require.NoError(t, json.Unmarshal([]byte(text), &containers))
	return containers
}

func TestContainersOfRoles(t *testing.T) {
	for _, test := range []struct {
		name, env     string
		role          environment.Role
		wantName      string
		wantCommand   []string
		wantPort      int
		wantStop      int
		wantChecked   bool
		wantStream    string
		wantContainer int
	}{
		{"an API", "staging", environment.API, "balancer-api", nil, 3000, 30, true, "api", 1},
		{"an API that is traced", "production", environment.API, "balancer-api", nil, 3000, 30, true, "api", 2},
		{"a worker", "staging", environment.Worker, "balancer-worker", []string{"bun", "run", "worker"}, 0, 120, true, "worker", 1},
		{"a scheduler", "production", environment.Scheduler, "balancer-scheduler", []string{"bun", "run", "scheduler"}, 0, 120, true, "scheduler", 2},
		{"a migration", "production", environment.Migration, "balancer-api",
			[]string{"npx", "prisma", "migrate", "deploy"}, 0, 120, false, "migration", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			containers := rendered(t, test.env, test.role)
			require.Len(t, containers, test.wantContainer)
			c := containers[0]
			require.Equal(t, test.wantName, c.Name)
			require.Equal(t, testImage, c.Image)
			require.True(t, c.Essential)
			require.Equal(t, test.wantCommand, c.Command)
			require.Equal(t, test.wantStop, c.StopTimeout)
			require.Equal(t, test.wantChecked, c.HealthCheck != nil)
			require.True(t, c.LinuxParameters.InitProcessEnabled)
			require.Equal(t, "awslogs", c.LogConfiguration.LogDriver)
			require.Equal(t, test.wantStream, c.LogConfiguration.Options["awslogs-stream-prefix"])
			if test.wantPort == 0 {
				require.Empty(t, c.PortMappings)
			} else {
				require.Equal(t, []portMapping{{test.wantPort, test.wantPort, "tcp"}}, c.PortMappings)
			}
		})
	}
}

func TestVariablesOfContainers(t *testing.T) {
	c := rendered(t, "staging", environment.Worker)[0]
	got := map[string]string{}
	for _, v := range c.Environment {
		got[v.Name] = v.Value
	}
	require.Equal(t, map[string]string{
		"AWS_REGION": "us-east-1", "SQS_BACKGROUND_JOB_QUEUE_URL": "https://sqs.example.com/jobs",
		"DATABASE_HOST": "db.example.com", "DATABASE_PORT": "5432", "DATABASE_NAME": "balancer",
		"DATABASE_CONNECTION_LIMIT": "10", "DATABASE_POOL_TIMEOUT": "10",
		"DATABASE_SECRET_ARN": databaseSecret, "CONFIG_SECRET_ID": "balancer-staging-config",
	}, got)
	require.Equal(t, []secret{
		{"SUBGRAPH_API_URL", configSecret + ":SUBGRAPH_API_URL::"},
		{"SENTRY_DSN", configSecret + ":SENTRY_DSN::"},
		{"NODE_ENV", configSecret + ":NODE_ENV::"},
	}, c.Secrets)
}

// The application sends its traces to the collector of its task, and to none where there is no collector.
func TestTracesGoToTheCollector(t *testing.T) {
	traces := variable{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"}
	for _, role := range []environment.Role{environment.API, environment.Worker, environment.Scheduler} {
		require.Contains(t, rendered(t, "production", role)[0].Environment, traces, role)
		require.NotContains(t, rendered(t, "staging", role)[0].Environment, traces, role)
	}
	require.NotContains(t, rendered(t, "production", environment.Migration)[0].Environment, traces, "a migration has no collector")
}

func TestTracingIsNotEssential(t *testing.T) {
	collector := rendered(t, "production", environment.API)[1]
	require.Equal(t, "aws-otel-collector", collector.Name)
	require.False(t, collector.Essential)
	require.Equal(t, []portMapping{{2000, 2000, "udp"}}, collector.PortMappings)
	require.Equal(t, []string{"--config=/etc/ecs/ecs-default-config.yaml"}, collector.Command)
	require.Regexp(t, `^public\.ecr\.aws/aws-observability/aws-otel-collector:v[0-9.]+@sha256:[0-9a-f]{64}$`, collector.Image)
}

// TestSidecarLeavesTheCPUToTheApplication checks that the containers of a task share all of its CPU units.
func TestSidecarLeavesTheCPUToTheApplication(t *testing.T) {
	for name, want := range map[string][]int{"staging": {0}, "production": {1024 - 32, 32}} {
		var got []int
		for _, c := range rendered(t, name, environment.API) {
			got = append(got, c.CPU)
		}
		require.Equal(t, want, got, name)
	}
}

func TestEveryTaskGetsTheImage(t *testing.T) {
	env, all := deployed(t, "production")
	definitions := ofType(all, "aws:ecs/taskDefinition:TaskDefinition")
	require.Len(t, definitions, len(env.Services.List())+1)
	for _, d := range definitions {
		var containers []container
		require.NoError(t, json.Unmarshal([]byte(d.get("containerDefinitions").(string)), &containers))
		require.Equal(t, testImage, containers[0].Image, d.name)
	}
	api := find(t, all, "aws:ecs/taskDefinition:TaskDefinition", "api")
	require.Equal(t, []any{"v3-backend-production-api", "1024", "2048"}, []any{api.get("family"), api.get("cpu"), api.get("memory")})
	migration := find(t, all, "aws:ecs/taskDefinition:TaskDefinition", "migration")
	require.Equal(t, []any{"v3-backend-production-migration-task", "512", "1024"},
		[]any{migration.get("family"), migration.get("cpu"), migration.get("memory")})
}
