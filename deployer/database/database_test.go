package database

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

func staging(t *testing.T) Instance {
	t.Helper()
	env, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	return Instance{Env: env}
}

func TestOnlySnapshotsOfDeploymentsExpire(t *testing.T) {
	s := staging(t)
	s.Env.Deployment.SnapshotsKept = 2
	taken := func(day int) Snapshot {
		at := time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC)
		return Snapshot{Name: s.Env.SnapshotIdentifier(at), Created: at, Type: "manual", Status: Available, Deployment: "1"}
	}
	manual, unfinished, foreign := taken(3), taken(2), taken(1)
	manual.Deployment, unfinished.Status, foreign.Name = "", "creating", "v3-backend-staging-pre-deploy-by-me"
	final := Snapshot{Name: "v3-backend-staging-db-final-0123456789", Type: "manual", Status: Available, Deployment: "1"}
	all := []Snapshot{taken(9), taken(8), taken(7), taken(6), manual, unfinished, foreign, final}

	require.Equal(t, []Snapshot{taken(7), taken(6)}, s.expired(all, nil))
	require.Equal(t, []Snapshot{taken(7)}, s.expired(all, []string{taken(6).Name}), "the snapshot of the last verified image stays")
	require.Equal(t, "v3-backend-staging-pre-deploy-20261107-120000", taken(7).Name)
	s.Env.Deployment.SnapshotsKept = 90
	require.Empty(t, s.expired(all, nil))
}

func TestIncompatibleSnapshotsAreRefused(t *testing.T) {
	s := staging(t)
	good := Snapshot{Name: "s", Engine: "postgres", Version: "16.8", Encrypted: true, SizeGiB: 20, user: s.Env.Database.User}
	require.NoError(t, s.compatible(good, "16.10"))
	require.NoError(t, s.compatible(good, ""), "the database was deleted")
	for name, test := range map[string]struct {
		change func(*Snapshot)
		want   string
	}{
		"another major version": {func(o *Snapshot) { o.Version = "15.7" }, "the snapshot s is of postgres 15.7, the environment's file requires postgres16"},
		"another engine":        {func(o *Snapshot) { o.Engine = "mysql" }, "is of mysql 16.8"},
		"not encrypted":         {func(o *Snapshot) { o.Encrypted = false }, "the snapshot s is not encrypted"},
		"too large":             {func(o *Snapshot) { o.SizeGiB = 100 }, "needs 100 GiB, the environment's file limits the database to 100"},
		"another user":          {func(o *Snapshot) { o.user = "root" }, "has the master user root, the environment's file has balancer"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			test.change(&bad)
			require.ErrorContains(t, s.compatible(bad, ""), test.want)
		})
	}
}

// RDS does not go back to an older version, whatever the environment's file asks for.
func TestSnapshotOfAnotherVersionThanTheDatabase(t *testing.T) {
	for _, test := range []struct{ snapshot, running, file, want, hint string }{
		{"16.8", "17.8", "17", "the snapshot s is of postgres 16.8, and v3-backend-staging-db runs 17.8: it cannot replace the database", "choose a snapshot of version 17"},
		{"16.8", "17.8", "16", "the snapshot s is of postgres 16.8, and v3-backend-staging-db runs 17.8: it cannot replace the database", "choose a snapshot of version 17"},
		{"17.8", "16.8", "17", "the snapshot s is of postgres 17.8, and v3-backend-staging-db runs 16.8: it cannot replace the database", "choose a snapshot of version 16"},
		{"16.8", "16.9", "17", "the snapshot s is of postgres 16.8, the environment's file requires postgres17", "set database.engineVersion in Pulumi.staging.yaml to the snapshot's"},
		{"16.8", "", "17", "the snapshot s is of postgres 16.8, the environment's file requires postgres17", "set database.engineVersion in Pulumi.staging.yaml to the snapshot's"},
	} {
		s := staging(t)
		s.Env.Database.EngineVersion = test.file
		err := s.compatible(Snapshot{Name: "s", Engine: "postgres", Version: test.snapshot, Encrypted: true, SizeGiB: 20, user: s.Env.Database.User}, test.running)
		require.EqualError(t, err, test.want)
		require.Contains(t, hint.Of(err), test.hint)
	}
}

func TestChooseTakesTheNewestAvailableSnapshot(t *testing.T) {
	s := staging(t)
	all := []Snapshot{{Name: "new", Status: "creating", Progress: 40}, {Name: "middle", Status: Available}, {Name: "old", Status: Available}}
	chosen, err := s.choose(all, "")
	require.NoError(t, err)
	require.Equal(t, "middle", chosen.Name)
	chosen, err = s.choose(all, "old")
	require.NoError(t, err)
	require.Equal(t, "old", chosen.Name)
	_, err = s.choose(all, "new")
	require.EqualError(t, err, "the snapshot new is creating, 40 % done")
	_, err = s.choose(nil, "")
	require.EqualError(t, err, "v3-backend-staging-db has no snapshot that can be used")
}

// Where the quota cannot be read, RDS decides.
func TestRestoreNeedsRoomInTheQuota(t *testing.T) {
	for name, test := range map[string]struct {
		used   int
		answer string
		want   string
		desire string
		warns  bool
	}{
		"room":    {used: 2, answer: `{"Quota": {"Value": 3}}`},
		"used up": {3, `{"Quota": {"Value": 3}}`, "database instances in us-east-1: 3 used, 1 added by this restore, 3 allowed by the quota L-7B6409FD", "4", false},
		"unreadable": {40, `{}`, "database instances in us-east-1: 40 used, 1 added by this restore, 40 allowed by the quota L-7B6409FD, " +
			"which is AWS's default, since the account's value could not be read: the answer has no value", "41", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.JSONEq(t, `{"QuotaCode": "L-7B6409FD", "ServiceCode": "rds"}`, string(body))
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				_, _ = io.WriteString(w, test.answer)
			}))
			defer server.Close()
			cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")}
			warning, err := New(cfg, staging(t).Env, nil).checkQuota(t.Context(), test.used)
			if test.warns {
				require.NoError(t, err)
				err = warning
			} else {
				require.NoError(t, warning)
			}
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
			require.Contains(t, hint.Of(err), "aws service-quotas request-service-quota-increase --region us-east-1 --service-code rds --quota-code L-7B6409FD --desired-value "+test.desire+"`")
		})
	}
}

func TestTasksPending(t *testing.T) {
	service := func(desired, running int32, states ...types.DeploymentRolloutState) []types.Service {
		s := types.Service{ServiceName: aws.String("api"), DesiredCount: desired, RunningCount: running}
		for _, state := range states {
			s.Deployments = append(s.Deployments, types.Deployment{RolloutState: state, RolloutStateReason: aws.String("tasks failed to start.")})
		}
		return []types.Service{s}
	}
	const completed, inProgress, failed = types.DeploymentRolloutStateCompleted, types.DeploymentRolloutStateInProgress, types.DeploymentRolloutStateFailed
	for name, test := range map[string]struct {
		services []types.Service
		pending  string
		err      string
	}{
		"started":             {service(2, 2, completed), "", ""},
		"tasks missing":       {service(2, 1, completed), "api: 1 of 2 tasks run", ""},
		"rollout in progress": {service(2, 2, inProgress), "api: 2 of 2 tasks run", ""},
		"the old one drains":  {service(2, 2, completed, completed), "api: 2 of 2 tasks run", ""},
		"it fails":            {service(2, 0, failed), "", "api does not start: tasks failed to start."},
	} {
		t.Run(name, func(t *testing.T) {
			pending, err := tasksPending(test.services)
			require.Equal(t, test.pending, pending)
			if test.err != "" {
				require.EqualError(t, err, test.err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestMinTasks(t *testing.T) {
	s := Services{Env: staging(t).Env}
	name := s.Env.ServiceName(environment.API)
	require.EqualValues(t, 2, s.minTasks(TaskCounts{name: 2}, name))
	require.EqualValues(t, s.Env.Services.API.Tasks.Min, s.minTasks(TaskCounts{name: 0}, name), "an interrupted stop has left none")
}

func TestTargetsPending(t *testing.T) {
	target := func(state elbtypes.TargetHealthStateEnum) elbtypes.TargetHealthDescription {
		return elbtypes.TargetHealthDescription{TargetHealth: &elbtypes.TargetHealth{State: state}}
	}
	service := types.Service{ServiceName: aws.String("api"), RunningCount: 2}
	healthy, starting := target(elbtypes.TargetHealthStateEnumHealthy), target(elbtypes.TargetHealthStateEnumInitial)
	require.Equal(t, "api: 0 of 2 targets are healthy", targetsPending(service, nil))
	require.Equal(t, "api: 1 of 2 targets are healthy", targetsPending(service, []elbtypes.TargetHealthDescription{healthy, starting, {}}))
	require.Empty(t, targetsPending(service, []elbtypes.TargetHealthDescription{healthy, starting, healthy}), "more targets are being registered")
}

// The occasion of a snapshot does not depend on a name that suggests another one.
func TestSnapshotOccasion(t *testing.T) {
	const preDeploy = "v3-backend-staging-pre-deploy-20260101-000000"
	for want, snapshot := range map[string]Snapshot{
		"before the deployment 1": {Name: preDeploy, Type: "manual", Deployment: "1"},
		"manually":                {Name: preDeploy, Type: "manual"},
		"when destroy or a replacement deleted the database": {Name: "v3-backend-staging-db-final-20260101-000000", Type: "manual"},
		"before an upgrade, by RDS":                          {Name: "preupgrade-v3-backend-staging-db-16-8-to-17-8-2026-01-01", Type: "manual"},
		"automated, by RDS":                                  {Name: "rds:v3-backend-staging-db-2026-01-01", Type: "automated"},
	} {
		require.Equal(t, want, snapshot.Occasion())
	}
}
