package infra

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func bounded(t *testing.T) policy {
	t.Helper()
	_, all := sharedStack(t)
	made := find(t, all, "aws:iam/policy:Policy", "boundary")
	require.Equal(t, "v3-backend-boundary", made.get("name"))
	return parsed(t, made.get("policy"))
}

func TestEveryRoleOfAnEnvironmentIsBounded(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		_, all := deployed(t, name)
		roles := ofType(all, "aws:iam/role:Role")
		require.NotEmpty(t, roles)
		for _, r := range roles {
			require.Equalf(t, boundaryARN, r.get("permissionsBoundary"), "%s of %s", r.name, name)
		}
	}
}

// TestBoundaryAllowsWhatTheRolesAllow: what a role's policy allows has no effect outside the boundary.
func TestBoundaryAllowsWhatTheRolesAllow(t *testing.T) {
	boundary := bounded(t)
	for _, name := range []string{"dev", "staging", "production"} {
		env, err := environment.Load("..", name)
		require.NoError(t, err)
		env.Monitoring.Level, env.Services.ExecuteCommand = environment.Full, true
		in := func(service, resource string) string {
			return "arn:aws:" + service + ":" + env.Region + ":" + env.Account + ":" + resource
		}
		configuration := in("secretsmanager", "secret:"+env.SecretName()+"-AbCdEf")
		roles := map[string][]statement{
			env.ExecutionRoleName(): executionStatements([]string{
				"arn:aws:aws:ecr/repository:Repository:registry", configuration, in("logs", "log-group:"+env.LogGroupName())}),
			env.TaskRoleName(): taskStatements(env, []string{
				configuration, in("secretsmanager", "secret:rds!db-1-AbCdEf"), in("sqs", env.QueueName())}),
			env.RotationRoleName():     rotationStatements(env, []string{in("secretsmanager", "secret:rds!db-1-AbCdEf")}),
			env.RotationRuleRoleName(): startMachineStatements([]string{env.RotationMachineARN()}),
			env.FlowLogsRoleName():     flowLogStatements([]string{in("logs", "log-group:/aws/vpc/"+env.VPCName())}),
		}
		if !env.Protected { // a protected environment has no schedule
			roles[env.ScheduleRoleName()] = scheduleStatements(env)
			roles[env.ScheduleRuleRoleName()] = startMachineStatements([]string{env.ScheduleMachineARN()})
			roles[env.ScheduleStartRoleName()] = roles[env.ScheduleRuleRoleName()]
		}
		for role, statements := range roles {
			for _, s := range statements {
				for _, action := range s.Action {
					for _, resource := range s.Resource {
						asked := as(role, action, resource).with("aws:ResourceTag/aws:rds:primaryDBInstanceArn",
							in("rds", "db:"+env.DatabaseIdentifier())).with("s3:prefix", lockObject(env)).with(hasTag, env.Name)
						require.Truef(t, boundary.allows(t, asked), "%s of %s on %s", action, role, resource)
					}
				}
			}
		}
	}
}

// as returns a request of one of the account's roles.
func as(role, action, resource string) request {
	return of(action, resource).with("aws:PrincipalArn", "arn:aws:iam::123456789012:role/"+role)
}

func TestBoundaryDeniesOtherEnvironments(t *testing.T) {
	boundary := bounded(t)
	const production, staging = "v3-backend-production-task-role", "v3-backend-staging-task-role"
	const (
		queue     = "arn:aws:sqs:us-east-1:123456789012:v3-backend-production-background-jobs"
		config    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:balancer-production-config-AbCdEf"
		logs      = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/ecs/v3-backend-production:log-stream:api"
		password  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
		instance  = "arn:aws:rds:us-east-1:123456789012:db:v3-backend-production-db"
		markOfRDS = "aws:ResourceTag/aws:rds:primaryDBInstanceArn"
	)
	for name, c := range map[string]struct {
		ask  func(role string) request
		mine bool
	}{
		"production's queue":         {func(role string) request { return as(role, "sqs:SendMessage", queue) }, true},
		"production's configuration": {func(role string) request { return as(role, "secretsmanager:GetSecretValue", config) }, true},
		"production's logs":          {func(role string) request { return as(role, "logs:PutLogEvents", logs) }, true},
		"production's password": {func(role string) request {
			return as(role, "secretsmanager:GetSecretValue", password).with(markOfRDS, instance)
		}, true},
		"a new user":   {func(role string) request { return as(role, "iam:CreateUser", "*") }, false},
		"another role": {func(role string) request { return as(role, "sts:AssumeRole", "arn:aws:iam::123456789012:role/admin") }, false},
		"any secret": {func(role string) request {
			return as(role, "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:other")
		}, false},
		"the state": {func(role string) request {
			return as(role, "s3:GetObject", "arn:aws:s3:::v3-backend-pulumi-state-123456789012/x")
		}, false},
		"a queue's deletion": {func(role string) request { return as(role, "sqs:DeleteQueue", queue) }, false},
	} {
		require.Equal(t, c.mine, boundary.allows(t, c.ask(production)), name)
		for _, other := range []string{
			staging, "v3-backend-production-x-task-role", "v3-backend-production-task-role-x", "v3-backend-production-",
			"v3-backend-Production-task-role",
			"v3-backend-x-/v3-backend-production-task-role", "v3-backend-production-eu-task-role",
		} {
			require.False(t, boundary.allows(t, c.ask(other)), "%s as %s", name, other)
		}
	}
}

// TestBoundaryExemptsProductionsRoles checks that the boundary's denials apply to all roles but those that
// production's program declares.
func TestBoundaryExemptsProductionsRoles(t *testing.T) {
	_, all := deployed(t, "production")
	var roles values
	for _, r := range ofType(all, "aws:iam/role:Role") {
		roles = append(roles, fmt.Sprintf("arn:aws:iam::123456789012:role/%s", r.get("name")))
	}
	denials := 0
	for _, s := range bounded(t).Statement {
		if s.Effect == "Deny" {
			denials++
			require.ElementsMatch(t, roles, s.Condition["ArnNotEquals"]["aws:PrincipalArn"], s.Sid)
		}
	}
	require.Positive(t, denials)
}

// TestBoundaryDeniesProductionsTasks checks that a service of another environment cannot run production's task
// definition, with its roles.
func TestBoundaryDeniesProductionsTasks(t *testing.T) {
	boundary := bounded(t)
	for definition, allowed := range map[string]bool{
		ofECS + "task-definition/v3-backend-staging-api:7": true, ofECS + "task-definition/v3-backend-production-api:7": false,
		"v3-backend-production-api": false,
	} {
		update := as("v3-backend-staging-rotation-role", "ecs:UpdateService",
			ofECS+"service/v3-backend-staging-cluster/v3-backend-staging-api-service")
		require.Equal(t, allowed, boundary.allows(t, update.with("ecs:task-definition", definition)), definition)
		require.True(t, boundary.allows(t, update), "a restart names no task definition")
	}
}
