package database

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// The requests work with another implementation of the RDS API than the simulated account.
func TestSnapshotsOverTheWire(t *testing.T) {
	env := staging(t).Env
	env.Deployment.SnapshotsKept = 1
	cfg := moto.Config(t, env.Region)
	s := New(cfg, env, clock.Real())
	progress := func(format string, args ...any) { t.Logf(format, args...) }

	_, err := s.CreateSnapshot(t.Context(), "", "jane@laptop", progress)
	require.ErrorIs(t, err, ErrNoDatabase)
	client := rds.NewFromConfig(cfg)
	for _, name := range []string{env.DatabaseIdentifier(), "other-database"} {
		_, err = client.CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
			DBInstanceIdentifier: &name, DBInstanceClass: aws.String("db.t3.small"), Engine: aws.String("postgres"), AllocatedStorage: aws.Int32(20),
		})
		require.NoError(t, err)
		_, err = client.CreateDBSnapshot(t.Context(), &rds.CreateDBSnapshotInput{
			DBInstanceIdentifier: &name, DBSnapshotIdentifier: aws.String(name + "-manual"),
		})
		require.NoError(t, err)
	}
	older := env.SnapshotPrefix() + "20250101-000000"
	_, err = client.CreateDBSnapshot(t.Context(), &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: aws.String(env.DatabaseIdentifier()), DBSnapshotIdentifier: &older, Tags: tags(map[string]string{deploymentTag: "1"}),
	})
	require.NoError(t, err)
	name, err := s.CreateSnapshot(t.Context(), "20261123-181140-1f3a", "dependabot[bot]", progress)
	require.NoError(t, err)
	require.NoError(t, s.WaitForSnapshot(t.Context(), name, progress))

	all, err := s.ListSnapshots(t.Context())
	require.NoError(t, err)
	var names []string
	for _, snapshot := range all {
		if snapshot.Name == name {
			require.Equal(t, "before the deployment 20261123-181140-1f3a", snapshot.Occasion())
			require.Equal(t, "dependabot_bot_", snapshot.CreatedBy)
		}
		if snapshot.Type == "manual" {
			names = append(names, snapshot.Name)
		}
	}
	require.ElementsMatch(t, []string{name, older, env.DatabaseIdentifier() + "-manual"}, names)
	deleted, err := s.PruneSnapshots(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, []string{older}, deleted)
}
