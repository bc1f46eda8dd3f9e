package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNames checks the table of names of the contract.
func TestNames(t *testing.T) {
	e, err := Load(root, "dev")
	require.NoError(t, err)
	at := time.Date(2025, 6, 3, 23, 43, 14, 0, time.FixedZone("behind", -5*3600))
	for want, got := range map[string]string{
		"v3-backend-development-vpc":                                          e.VPCName(),
		"v3-backend-development-cluster":                                      e.ClusterName(),
		"v3-backend-development-api-service":                                  e.ServiceName(API),
		"v3-backend-development-worker-service":                               e.ServiceName(Worker),
		"v3-backend-development-scheduler-service":                            e.ServiceName(Scheduler),
		"v3-backend-development-api":                                          e.TaskFamily(API),
		"v3-backend-development-worker":                                       e.TaskFamily(Worker),
		"v3-backend-development-scheduler":                                    e.TaskFamily(Scheduler),
		"v3-backend-development-migration-task":                               e.TaskFamily(Migration),
		"balancer-api":                                                        e.ContainerName(API),
		"balancer-worker":                                                     e.ContainerName(Worker),
		"balancer-scheduler":                                                  e.ContainerName(Scheduler),
		"v3-backend-development-alb":                                          e.LoadBalancerName(),
		"v3-backend-development-api-tg":                                       e.TargetGroupName(),
		"v3-backend-development-db":                                           e.DatabaseIdentifier(),
		"v3-backend-development-pre-deploy-20250604-044314":                   e.SnapshotIdentifier(at),
		"v3-backend-development-background-jobs":                              e.QueueName(),
		"v3-backend-development-background-jobs-dlq":                          e.DeadLetterQueueName(),
		"balancer-dev-config":                                                 e.SecretName(),
		"/aws/ecs/v3-backend-development":                                     e.LogGroupName(),
		"v3-backend-development-logs-123456789012":                            e.LogBucketName(),
		"v3-backend-development-cpu":                                          e.AlarmName("cpu"),
		"v3-backend-development":                                              e.DashboardName(),
		"v3-backend-development-waf":                                          e.WebACLName(),
		"v3-backend-development-task-role":                                    e.TaskRoleName(),
		"v3-backend-development-execution-role":                               e.ExecutionRoleName(),
		"v3-backend-development-monthly":                                      e.BudgetName(),
		"https://dev-api.hyperchonk.com":                                      e.URL(),
		"v3-backend-pulumi-state-123456789012":                                StateBucket(e.Prefix, e.Account),
		"alias/v3-backend-pulumi":                                             StateKeyAlias(e.Prefix),
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api":           e.RepositoryURL(),
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:00": e.ImageReference("sha256:00"),
	} {
		require.Equal(t, want, got)
	}
	require.Equal(t, "balancer-api", e.ContainerName(Migration), "the migration runs in the API's container")
	require.Equal(t, map[string]string{"Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi"}, e.Tags())
}

func TestSecretsAreNamedAfterStacks(t *testing.T) {
	for stack, want := range map[string]string{
		"dev": "balancer-dev-config", "staging": "balancer-staging-config", "production": "balancer-production-config",
	} {
		e, err := Load(root, stack)
		require.NoError(t, err)
		require.Equal(t, want, e.SecretName())
	}
}

// TestLongestNameFits checks that the longest name of an environment stays within the limits of AWS.
func TestLongestNameFits(t *testing.T) {
	e := &Environment{Prefix: "v3-backend", Name: "fourteen-chars", Account: "123456789012"}
	require.Len(t, e.Name, maxName)
	for name, limit := range map[string]int{
		e.TargetGroupName(): 32, e.LoadBalancerName(): 32,
		e.LogBucketName(): 63, e.DatabaseIdentifier(): 63, e.ExecutionRoleName(): 64, e.QueueName(): 80,
	} {
		require.LessOrEqual(t, len(name), limit, name)
	}
}

// TestOrigins checks the origins of the variables in the contract.
func TestOrigins(t *testing.T) {
	for variable, want := range map[string]Origin{
		"DATABASE_URL":                 AtStart,
		"DATABASE_HOST":                FromProgram,
		"DATABASE_PORT":                FromProgram,
		"DATABASE_NAME":                FromProgram,
		"DATABASE_SECRET_ARN":          FromProgram,
		"CONFIG_SECRET_ID":             FromProgram,
		"AWS_REGION":                   FromProgram,
		"SQS_BACKGROUND_JOB_QUEUE_URL": FromProgram,
		"SUBGRAPH_API_URL":             FromSecret,
		"SENTRY_DSN":                   FromSecret,
		"NODE_ENV":                     FromSecret,
	} {
		require.Equal(t, want, OriginOf(variable), variable)
	}
	e, err := Load(root, "staging")
	require.NoError(t, err)
	require.Equal(t, []string{"SUBGRAPH_API_URL", "SENTRY_DSN", "NODE_ENV"}, e.SecretKeys())
}

func TestDatabaseOfOtherEnvironment(t *testing.T) {
	env := &Environment{Prefix: "v3-backend", Name: "staging"}
	for host, want := range map[string]string{
		"v3-backend-staging-db.abc.us-east-1.rds.amazonaws.com":             "",
		"v3-backend-staging-db-restored.abc.us-east-1.rds.amazonaws.com":    "",
		"V3-backend-Production-db.abc.us-east-1.rds.amazonaws.com":          "production",
		"v3-backend-production-db-restored.abc.us-east-1.rds.amazonaws.com": "production",
		"v3-backend-qa-2-db.abc.cn-north-1.rds.amazonaws.com.cn":            "qa-2",
		"analytics.abc.us-east-1.rds.amazonaws.com":                         "",
		"v3-backend-production-db.example.com":                              "",
		"localhost":                                                         "", "": "",
	} {
		name, foreign := env.DatabaseOfOtherEnvironment(host)
		require.Equal(t, want != "", foreign, host)
		if foreign {
			require.Equal(t, want, name)
		}
	}
}

func TestReadsVariable(t *testing.T) {
	env := &Environment{Configuration: Configuration{Required: []string{"A"}, Optional: []string{"B"}}}
	require.True(t, env.ReadsVariable("A"))
	require.True(t, env.ReadsVariable("B"))
	require.True(t, env.ReadsVariable(VarDatabaseURL))
	require.True(t, env.ReadsVariable(VarRegion))
	require.False(t, env.ReadsVariable("C"))
}
