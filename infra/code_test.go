package infra

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

const otherImage = "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:2222"

// inputs returns the inputs of a task definition in a full deployment.
func inputs(t *testing.T, env *environment.Environment, role environment.Role, image string) map[string]any {
	t.Helper()
	text, err := containerDefinitions(task{
		env: env, role: role, image: image, queueURL: "https://sqs.example.com/jobs", databaseHost: "db.example.com",
		databaseSecretARN: databaseSecret, configSecretARN: configSecret,
	})
	require.NoError(t, err)
	code := env.Code().Tasks[role]
	return map[string]any{
		"family": env.TaskFamily(role), "cpu": strconv.Itoa(code.CPU), "memory": strconv.Itoa(code.Memory), "containerDefinitions": text,
		"runtimePlatform": map[string]any{"operatingSystemFamily": "LINUX", "cpuArchitecture": env.CPUArchitecture()},
	}
}

// TestApplyCodeEqualsAFullDeployment compares the task definitions of both, where only the code changed.
func TestApplyCodeEqualsAFullDeployment(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		before, err := environment.Load("..", name)
		require.NoError(t, err)
		file, err := environment.Load("..", name)
		require.NoError(t, err)
		file.Services.API.CPU, file.Services.API.Memory = 4096, 8192
		file.Services.API.Command, file.Services.API.HealthCheck = []string{"bun", "run", "other"}, nil
		file.Deployment.Migrations.Command, file.Deployment.Migrations.Memory = []string{"bun", "migrate"}, 2048
		file.Image.Architecture = environment.ARM64
		file.Configuration.Required = append([]string{"NEW_KEY"}, file.Configuration.Required[1:]...)
		file.Database.Connections, file.Database.PoolTimeout = 3, 42*time.Second
		// What is infrastructure waits.
		file.Monitoring.Level, file.Database.Name = environment.Full, "other"
		after := before.WithCode(file.Code())
		for role := range before.Code().Tasks {
			changed := inputs(t, before, role, testImage)
			require.NoError(t, ApplyCode(changed, after, role, otherImage, configSecret))
			require.Equal(t, inputs(t, after, role, otherImage), changed, "%s of %s", role, name)
			require.NotContains(t, changed["containerDefinitions"], `"other"}`)

			same := inputs(t, before, role, testImage)
			require.NoError(t, ApplyCode(same, before, role, testImage, configSecret))
			require.Equal(t, inputs(t, before, role, testImage), same)
		}
	}
}

func TestApplyCodeSetsOnlyTheImageAndItsArchitectureOfARemovedService(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	before := inputs(t, env, environment.Worker, testImage)
	env.Services.Worker = nil
	env.Configuration.Required = nil
	env.Image.Architecture = environment.ARM64
	changed := maps.Clone(before)
	before["runtimePlatform"] = map[string]any{"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
	require.NoError(t, ApplyCode(changed, env, environment.Worker, otherImage, configSecret))
	before["containerDefinitions"] = strings.ReplaceAll(before["containerDefinitions"].(string), testImage, otherImage)
	require.Equal(t, before, changed)
}

// TestApplyCodeKeepsUnknownFields checks fields that a later version of the program deployed.
func TestApplyCodeKeepsUnknownFields(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	changed := inputs(t, env, environment.API, testImage)
	text := changed["containerDefinitions"].(string)
	changed["containerDefinitions"] = strings.Replace(text, `"essential":true`, `"ulimits":[{"name":"nofile"}],"essential":true`, 1)
	require.NoError(t, ApplyCode(changed, env, environment.API, otherImage, configSecret))
	want := strings.Replace(text, testImage, otherImage, 1)
	require.Equal(t, strings.TrimSuffix(want, "}]")+`,"ulimits":[{"name":"nofile"}]}]`, changed["containerDefinitions"])
}

func TestImageOf(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	require.Equal(t, otherImage, ImageOf(inputs(t, env, environment.Migration, otherImage), env, environment.Migration))
	require.Empty(t, ImageOf(inputs(t, env, environment.Migration, otherImage), env, environment.Worker), "of another container")
	require.Empty(t, ImageOf(map[string]any{}, env, environment.Migration))
}

func TestApplyCodeRejectsAnotherTaskDefinition(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	require.ErrorContains(t, ApplyCode(map[string]any{}, env, environment.API, otherImage, configSecret), "read the containers of api")
	text, err := json.Marshal([]container{{Name: "nginx"}})
	require.NoError(t, err)
	err = ApplyCode(map[string]any{"containerDefinitions": string(text)}, env, environment.API, otherImage, configSecret)
	require.EqualError(t, err, "the task definition api has no container balancer-api")
}

func TestTaskDefinitionOfAService(t *testing.T) {
	_, all := deployed(t, "production")
	for _, r := range all {
		if r.typ == ServiceType {
			require.Equal(t, r.name, find(t, all, TaskDefinitionType, r.name).name)
			require.Equal(t, find(t, all, TaskDefinitionType, r.name).urn, TaskDefinitionOf(r.urn))
		}
	}
}

func TestComponentOfAResource(t *testing.T) {
	_, all := deployed(t, "production")
	for _, r := range all {
		for _, c := range Components() {
			require.Equal(t, matches(c.URNs, r.urn), ComponentOf(r.urn) == c.Name, "%s of %s", c.Name, r.urn)
		}
	}
	require.Empty(t, ComponentOf("urn:pulumi:production::v3-backend::pulumi:pulumi:Stack::v3-backend-production"))
}
