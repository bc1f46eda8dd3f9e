package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEnvironmentsMatchTheContract checks the table of environments of the contract.
func TestEnvironmentsMatchTheContract(t *testing.T) {
	type row struct {
		api                Service
		database           Database
		nat                NAT
		zones              int
		level              Level
		backup             Backup
		protected          bool
		rollback           Rollback
		budget             int
		tests              []string
		branch             string
		trigger            Trigger
		approval           bool
		domain, stack, env string
	}
	for _, want := range []row{
		{
			stack: "dev", env: "development", domain: "dev-api.hyperchonk.com",
			api:      Service{CPU: 256, Memory: 512, Tasks: Tasks{1, 1}},
			database: Database{InstanceClass: "db.t3.micro", BackupDays: 1},
			nat:      NATInstance, zones: 2, level: Basic, backup: BackupNone, rollback: RollbackManual, budget: 50,
			tests: []string{"unit"}, branch: "develop", trigger: OnPush,
		},
		{
			stack: "staging", env: "staging", domain: "staging-api.hyperchonk.com",
			api:      Service{CPU: 512, Memory: 1024, Tasks: Tasks{1, 2}},
			database: Database{InstanceClass: "db.t3.small", BackupDays: 7},
			nat:      NATInstance, zones: 2, level: Enhanced, backup: BackupNone, rollback: RollbackAutomatic, budget: 100,
			tests: []string{"unit", "integration"}, branch: "staging", trigger: OnPush,
		},
		{
			stack: "production", env: "production", domain: "api.hyperchonk.com",
			api: Service{CPU: 1024, Memory: 2048, Tasks: Tasks{2, 10}},
			database: Database{
				InstanceClass: "db.t3.medium", MultiZone: true, BackupDays: 30, DeletionProtection: true, PerformanceInsights: true,
			},
			nat: NATPerZone, zones: 3, level: Full, backup: BackupSnapshot, protected: true, rollback: RollbackAutomatic,
			budget: 400, tests: []string{"unit", "integration", "security"}, branch: "main", trigger: Manual, approval: true,
		},
	} {
		t.Run(want.stack, func(t *testing.T) {
			e, err := Load(root, want.stack)
			require.NoError(t, err)
			require.Equal(t, want, row{
				stack: e.Stack, env: e.Name, domain: e.Domain.Name,
				api: Service{CPU: e.Services.API.CPU, Memory: e.Services.API.Memory, Tasks: e.Services.API.Tasks},
				database: Database{
					InstanceClass: e.Database.InstanceClass, MultiZone: e.Database.MultiZone, BackupDays: e.Database.BackupDays,
					DeletionProtection: e.Database.DeletionProtection, PerformanceInsights: e.Database.PerformanceInsights,
				},
				nat: e.Network.NAT, zones: e.Network.Zones, level: e.Monitoring.Level, backup: e.Deployment.Backup,
				protected: e.Protected, rollback: e.Deployment.Rollback, budget: e.Budget.MonthlyUSD, tests: e.Delivery.Tests,
				branch: e.Delivery.Branch, trigger: e.Delivery.Trigger, approval: e.Delivery.Approval,
			})
			require.Equal(t, want.api.Tasks.Max > want.api.Tasks.Min, e.Services.API.Autoscaling != nil)
			require.Equal(t, []string{
				"DATABASE_URL", "SUBGRAPH_API_URL", "SENTRY_DSN", "AWS_REGION", "NODE_ENV", "SQS_BACKGROUND_JOB_QUEUE_URL",
			}, e.Configuration.Required)
			require.Equal(t, 6, e.Deployment.Health.Tries)
			require.Equal(t, 10*time.Second, e.Deployment.Health.Interval)
			require.Equal(t, BeforeServices, e.Deployment.Migrations.Order)
		})
	}
}

func TestSharedMatchesTheContract(t *testing.T) {
	s, err := LoadShared(root)
	require.NoError(t, err)
	require.Equal(t, "hyperchonk.com", s.RootDomain)
	require.Equal(t, "balancer-api", s.Repository.Name)
	require.Equal(t, []string{"development", "staging"}, s.GitHub.Environments)
	require.Equal(t, map[string]string{"Project": "v3-backend", "Environment": "shared", "ManagedBy": "pulumi"}, s.Tags())
}

func TestServiceDefaults(t *testing.T) {
	e, err := Load(root, "staging")
	require.NoError(t, err)
	services := e.Services.List()
	require.Len(t, services, 3)
	for i, role := range []Role{API, Worker, Scheduler} {
		require.Equal(t, role, services[i].Role)
		require.GreaterOrEqual(t, services[i].Tasks.Min, 1)
		require.GreaterOrEqual(t, services[i].Tasks.Max, services[i].Tasks.Min)
		require.NotEmpty(t, services[i].HealthCheck)
	}
	require.Contains(t, services[0].HealthCheck[1], HealthPath)
	require.NotContains(t, services[1].HealthCheck[1], HealthPath)
}

func TestMonitoringAtLeast(t *testing.T) {
	levels := []Level{Basic, Enhanced, Full}
	for have, level := range levels {
		for asked, than := range levels {
			require.Equal(t, have >= asked, Monitoring{Level: level}.AtLeast(than), "%s at least %s", level, than)
		}
	}
}

// TestFargateMemory checks every pair that AWS documents, and no other.
func TestFargateMemory(t *testing.T) {
	for cpu, want := range map[int]struct{ count, first, last int }{
		256: {3, 512, 2048}, 512: {4, 1024, 4096}, 1024: {7, 2048, 8192}, 2048: {13, 4096, 16384},
		4096: {23, 8192, 30720}, 8192: {12, 16384, 61440}, 16384: {12, 32768, 122880},
	} {
		sizes := FargateMemory(cpu)
		require.Len(t, sizes, want.count, cpu)
		require.Equal(t, want.first, sizes[0], cpu)
		require.Equal(t, want.last, sizes[len(sizes)-1], cpu)
	}
	require.Nil(t, FargateMemory(300))
	require.Nil(t, FargateMemory(0))
}

func TestRepositoryNamesHaveNoIDs(t *testing.T) {
	listed := GitHub{Repositories: []string{"balancer/v3-backend", "balancer@12345678/v3-backend@987654321", "some-one@1/api.v2_x@2"}}
	require.Equal(t, []string{"balancer/v3-backend", "some-one/api.v2_x"}, listed.RepositoryNames())
}

// An image that one environment has verified runs in the others, so all shipped files have one architecture.
func TestShippedFilesShareOneArchitecture(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		e := loaded(t, name)
		require.Equal(t, X86, e.Image.Architecture, name)
		require.Equal(t, "X86_64", e.CPUArchitecture())
		require.Equal(t, "linux/amd64", e.Platform())
		e.Image.Architecture = ARM64
		require.Equal(t, "ARM64", e.CPUArchitecture())
		require.Equal(t, "linux/arm64", e.Platform())
	}
}

func TestMayUseSpot(t *testing.T) {
	for _, test := range []struct {
		protected bool
		role      Role
		want      bool
	}{
		{false, API, true}, {false, Worker, true}, {false, Scheduler, false},
		{true, API, false}, {true, Worker, true}, {true, Scheduler, false},
	} {
		require.Equal(t, test.want, (&Environment{Protected: test.protected}).MayUseSpot(test.role), "%s, protected: %t", test.role, test.protected)
	}
}
