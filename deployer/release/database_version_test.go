package release

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"
)

func TestCompareVersion(t *testing.T) {
	for _, test := range []struct {
		running, wanted string
		backup          bool
		stops, upgrade  bool
		message         string
	}{
		{running: "16.8", wanted: "16"},
		{running: "", wanted: "16"},
		{running: "16.8", wanted: "17", backup: true, upgrade: true, message: "provision upgrades v3-backend-staging-db from PostgreSQL 16.8 to 17, at once: " +
			"the database, and so the API, is unavailable for 10 to 30 minutes, longer with many tables; a snapshot is created before"},
		{running: "14.20", wanted: "18", upgrade: true, message: "provision upgrades v3-backend-staging-db from PostgreSQL 14.20 to 18, at once: " +
			"the database, and so the API, is unavailable for 10 to 30 minutes, longer with many tables; no snapshot is created before, as its phase is skipped"},
		{running: "17.2", wanted: "16", backup: true, stops: true,
			message: "v3-backend-staging-db runs PostgreSQL 17.2, Pulumi.staging.yaml asks for 16: RDS cannot downgrade a database"},
		{running: "9.6", wanted: "10", upgrade: true, backup: true, message: "provision upgrades v3-backend-staging-db from PostgreSQL 9.6 to 10, at once: " +
			"the database, and so the API, is unavailable for 10 to 30 minutes, longer with many tables; a snapshot is created before"},
	} {
		env := staging(t)
		env.Database.EngineVersion = test.wanted
		problems, upgrade := compareVersion(env, test.running, Provision, test.backup)
		require.Equal(t, test.upgrade, upgrade, "%s to %s", test.running, test.wanted)
		if test.message == "" {
			require.Empty(t, problems)
			continue
		}
		require.Len(t, problems, 1)
		require.Equal(t, test.message, problems[0].Message)
		require.Equal(t, test.stops, problems[0].Stops)
		require.NotEmpty(t, problems[0].Hint)
	}
}

// A phase that runs the program applies the file's version, whichever of the two it is.
func TestProgramPhase(t *testing.T) {
	for _, test := range []struct {
		skipped []string
		want    string
	}{{nil, Provision}, {[]string{Rollout}, Provision}, {[]string{Provision}, Rollout}, {[]string{Provision, Rollout}, ""}} {
		skipped := map[string]string{}
		for _, phase := range test.skipped {
			skipped[phase] = "skipped with --skip"
		}
		require.Equal(t, test.want, programPhase(skipped), test.skipped)
	}
}

func TestDeferredNote(t *testing.T) {
	for _, test := range []struct {
		name               string
		protected, upgrade bool
		present, want      string
	}{
		{"a protected environment", true, false, "db.t3.medium",
			"instanceClass db.t3.medium → db.t3.small waits for the maintenance window (Tue 08:30 UTC)"},
		{"the same class", true, false, "db.t3.small", ""},
		{"an upgrade applies it too", true, true, "db.t3.medium", ""},
		{"an environment that is not protected", false, false, "db.t3.medium", ""},
		{"no answer", true, false, "", ""},
	} {
		env := staging(t)
		env.Protected = test.protected
		require.Equal(t, test.want, deferredNote(env, &types.DBInstance{
			DBInstanceClass: aws.String(test.present), PreferredMaintenanceWindow: aws.String("tue:08:30-tue:09:30"),
		}, test.upgrade), test.name)
	}
}
