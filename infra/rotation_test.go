package infra

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// rotationFile is the definition that the simulated account runs in its own tests, with these ARNs.
const (
	rotationFile    = "testdata/rotation.json"
	rotationCluster = "arn:aws:ecs:us-east-1:123456789012:cluster/v3-backend-staging-cluster"
	rotationSecret  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-abcdef"
)

func TestRotationMachineIsTheTestedOne(t *testing.T) {
	tested, err := os.ReadFile(rotationFile)
	require.NoError(t, err)
	definition, err := json.MarshalIndent(rotationMachine(rotationCluster, rotationSecret), "", "  ")
	require.NoError(t, err)
	require.Equal(t, string(tested), string(definition)+"\n", "the definition changed: copy it to "+rotationFile)
}

// TestRotationRoleAllowsOnlyWhatTheMachineCalls compares the operations in the definition with the policy of its role.
func TestRotationRoleAllowsOnlyWhatTheMachineCalls(t *testing.T) {
	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	policy := policy{Statement: rotationStatements(env, []string{rotationSecret})}
	service := func(name string) string { return ofECS + "service/v3-backend-staging-cluster/" + name }
	on := map[string][]string{"secretsmanager": {rotationSecret}, "ecs": {service("v3-backend-staging-api-service"), service("v3-backend-staging-worker-service")}}
	calls := 0
	for _, state := range rotationMachine(rotationCluster, rotationSecret)["States"].(object) {
		operation, isCall := strings.CutPrefix(text(state.(object)["Resource"]), "arn:aws:states:::aws-sdk:")
		if !isCall {
			continue
		}
		calls++
		name, action, _ := strings.Cut(operation, ":")
		for _, resource := range on[name] {
			require.True(t, policy.allows(t, of(name+":"+strings.ToUpper(action[:1])+action[1:], resource)), "%s on %s", operation, resource)
		}
	}
	require.Equal(t, 3, calls)
	for action, resource := range map[string]string{
		"secretsmanager:GetSecretValue": rotationSecret,
		"secretsmanager:DescribeSecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-2-abcdef",
		"ecs:UpdateService":             ofECS + "service/v3-backend-production-cluster/v3-backend-production-api-service",
		"ecs:DeleteService":             service("v3-backend-staging-api-service"),
	} {
		require.False(t, policy.allows(t, of(action, resource)), "%s on %s", action, resource)
	}
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// TestRotationStartsOnceForEachService checks the rule: it matches the event of the environment's secret, and has a
// target for each service, of which EventBridge allows five.
func TestRotationStartsOnceForEachService(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		env, all := deployed(t, name)
		rule := find(t, all, "aws:cloudwatch/eventRule:EventRule", "rotation")
		require.Equal(t, env.RotationName(), rule.get("name"))
		require.Equal(t, rotationCheck, rule.get("scheduleExpression"))
		require.JSONEq(t, `{"source":["aws.secretsmanager"],"detail-type":["Secret Label Updated"],"detail":{"labelUpdated":["AWSCURRENT"]},
			"resources":["`+databaseSecret+`"]}`, text(rule.get("eventPattern")))
		targets := map[string]string{}
		for _, target := range ofType(all, "aws:cloudwatch/eventTarget:EventTarget") {
			if target.name != "schedule" {
				targets[text(target.get("targetId"))] = text(target.get("input"))
			}
		}
		require.LessOrEqual(t, len(targets), 5)
		require.Len(t, targets, len(env.Services.List()))
		for _, s := range env.Services.List() {
			require.JSONEq(t, `{"services":["`+env.ServiceName(s.Role)+`"]}`, targets[string(s.Role)])
		}
		machine := find(t, all, "aws:sfn/stateMachine:StateMachine", "rotation")
		require.Contains(t, machine.get("definition"), databaseSecret)
		require.Contains(t, find(t, all, "aws:cloudwatch/metricAlarm:MetricAlarm", "monitoring-rotation-failed").get("dimensions", "StateMachineArn"),
			":stateMachine:"+text(machine.get("name")))
	}
}
