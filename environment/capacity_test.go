package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInstanceMemory(t *testing.T) {
	for class, gigabytes := range map[string]float64{
		"db.t3.micro": 1, "db.t3.small": 2, "db.t3.medium": 4, "db.m6g.large": 8, "db.r6g.large": 16, "db.r6g.2xlarge": 64,
		"db.m6g.2xlarge": 32, "db.r6g.16xlarge": 512, "db.t4g.metal": 16,
	} {
		require.Equal(t, gigabytes*gigabyte, InstanceMemory(class), class)
	}
}

// TestMaxConnections checks that the estimate of the smallest class is within what was measured, 81 to 87, and RDS's own limit.
func TestMaxConnections(t *testing.T) {
	for class, want := range map[string]int{
		"db.t3.micro": 84, "db.t3.small": 168, "db.t3.medium": 337, "db.m6g.large": 675, "db.r6g.large": 1351, "db.r6g.16xlarge": 5000,
	} {
		require.Equal(t, want, MaxConnections(class), class)
	}
}

func TestConnectionWarning(t *testing.T) {
	service := func(role Role, most int) *Service { return &Service{Role: role, Tasks: Tasks{Min: 1, Max: most}} }
	for _, test := range []struct {
		name        string
		class       string
		connections int
		services    Services
		want        string
	}{
		{"production with its defaults", "db.t3.medium", 10,
			Services{API: *service(API, 10), Worker: service(Worker, 4), Scheduler: service(Scheduler, 1)}, ""},
		{"production with too many", "db.t3.medium", 50,
			Services{API: *service(API, 10), Worker: service(Worker, 4), Scheduler: service(Scheduler, 1)},
			"during a rollout with the most tasks, 29 tasks (2 × 10 api + 2 × 4 worker + 1 scheduler) × 50 connections = 1450, " +
				"and a db.t3.medium allows about 337; give at most 11, fewer tasks, or a larger instance class"},
		{"one that fits exactly", "db.t3.micro", 42, Services{API: *service(API, 1)}, ""},
		{"one more than that", "db.t3.micro", 43, Services{API: *service(API, 1)},
			"during a rollout with the most tasks, 2 tasks (2 × 1 api) × 43 connections = 86, " +
				"and a db.t3.micro allows about 84; give at most 42, fewer tasks, or a larger instance class"},
		{"more tasks than connections", "db.t3.micro", 1, Services{API: *service(API, 100)},
			"during a rollout with the most tasks, 200 tasks (2 × 100 api) × 1 connections = 200, " +
				"and a db.t3.micro allows about 84; give at most 1, fewer tasks, or a larger instance class"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := &Environment{Services: test.services, Database: Database{InstanceClass: test.class, Connections: test.connections}}
			found := env.connectionWarning()
			if test.want == "" {
				require.Nil(t, found)
				return
			}
			require.Equal(t, "database.connections", found.Path)
			require.Equal(t, test.want, found.Message+"; "+found.Remedy)
		})
	}
}

func TestSupportWarning(t *testing.T) {
	for _, test := range []struct{ version, now, want string }{
		{"14", "2026-08-31", ""},
		{"14", "2026-09-01", "RDS's standard support of PostgreSQL 14 ends in February 2027: RDS upgrades the major version by itself after that"},
		{"14", "2027-02-28", "RDS's standard support of PostgreSQL 14 ends in February 2027: RDS upgrades the major version by itself after that"},
		{"14", "2027-03-01", "RDS's standard support of PostgreSQL 14 ended in February 2027: RDS upgrades the major version by itself after that"},
		{"15", "2026-11-30", ""},
		{"15", "2027-09-01", "RDS's standard support of PostgreSQL 15 ends in February 2028: RDS upgrades the major version by itself after that"},
		{"18", "2030-08-31", ""},
		{"19", "2040-01-01", ""},
	} {
		now, err := time.Parse(time.DateOnly, test.now)
		require.NoError(t, err)
		found := (&Environment{Database: Database{EngineVersion: test.version}}).supportWarning(now)
		if test.want == "" {
			require.Nil(t, found, "%s at %s", test.version, test.now)
			continue
		}
		require.Equal(t, test.want, found.Message)
	}
}

// TestShippedFilesHaveNoWarnings checks the repository's own environments at the time of writing.
func TestBakeWarning(t *testing.T) {
	for bake, want := range map[time.Duration]string{
		0:               "",
		time.Minute:     "a bake of 1m is too short to judge 5xx, latency or memory",
		3 * time.Minute: "a bake of 3m is too short to judge latency",
		4 * time.Minute: "",
	} {
		e := &Environment{}
		e.Deployment.Rollout.Bake = bake
		found := e.bakeWarning()
		require.Equal(t, want != "", found != nil)
		if found != nil {
			require.Equal(t, Warning{"deployment.rollout.bake", want, "give at least 4m"}, *found)
		}
	}
}

func TestShippedFilesHaveNoWarnings(t *testing.T) {
	envs, err := LoadAll("..")
	require.NoError(t, err)
	require.NotEmpty(t, envs)
	for _, env := range envs {
		require.Empty(t, env.Warnings(time.Date(2026, time.November, 30, 0, 0, 0, 0, time.UTC)), env.Name)
	}
}
