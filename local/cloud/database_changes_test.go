package cloud

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"
)

func TestCheckUpgrade(t *testing.T) {
	const flag = "InvalidParameterCombination: The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
	for _, test := range []struct {
		from, to   string
		allowMajor bool
		want       string
	}{
		{"16.8", "16", false, ""},
		{"16.8", "16.8", false, ""},
		{"16.4", "16.8", false, ""},
		{"16.8", "16.4", true, "InvalidParameterCombination: Cannot find upgrade path from 16.8 to 16.4."},
		{"16.8", "17", true, ""},
		{"16.8", "17", false, flag},
		{"14.8", "18", true, ""},
		{"17.8", "16", true, "InvalidParameterCombination: Cannot find upgrade path from 17.8 to 16."},
		{"18.8", "14", false, "InvalidParameterCombination: Cannot find upgrade path from 18.8 to 14."},
		{"18.8", "19", true, "InvalidParameterCombination: Cannot find upgrade path from 18.8 to 19."},
	} {
		err := checkUpgrade(test.from, test.to, test.allowMajor)
		if test.want == "" {
			require.NoError(t, err, "%s to %s", test.from, test.to)
			continue
		}
		require.EqualError(t, err, test.want)
	}
}

// waitingClock calls during in the middle of each wait.
type waitingClock struct {
	manualClock
	during func()
}

func (c *waitingClock) Wait(ctx context.Context, d time.Duration) error {
	for range 2 {
		if err := c.manualClock.Wait(ctx, d/2); err != nil {
			return err
		}
		if during := c.during; during != nil {
			c.during = nil
			during()
		}
	}
	return nil
}

// databaseFixture creates a database with a parameter group, and returns what updates it and what reads it over the API.
func databaseFixture(t *testing.T, inputs values, faults ...string) (f fixture, clk *waitingClock, db *Resource, update func(values) error) {
	t.Helper()
	clk = &waitingClock{manualClock: manualClock{now: time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)}}
	a, err := Open(filepath.Join(t.TempDir(), "account.json"), Options{AccountID: testAccount, Region: testRegion, Clock: clk, Faults: faults})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	f = fixture{t, a}
	group := f.create(typeDBParameterGroup, values{"name": "db-postgres16", "family": "postgres16"})
	all := values{"parameterGroupName": group.ID, "backupRetentionPeriod": 7.0, "applyImmediately": true, "instanceClass": "db.t3.medium"}
	maps.Copy(all, inputs)
	db = f.database(all)
	return f, clk, db, func(changes values) error {
		next := maps.Clone(f.read(db.ID).Inputs)
		maps.Copy(next, changes)
		_, err := f.UpdateResource(t.Context(), typeDatabase, db.ID, next)
		return err
	}
}

// read returns a database as the provider reads it.
func (f fixture) read(id string) *Resource {
	f.Helper()
	found, err := f.ReadResource(f.Context(), typeDatabase, id)
	require.NoError(f, err)
	return found
}

// describe returns the database as RDS's API does.
func (f fixture) describe() rdstypes.DBInstance {
	f.Helper()
	out, err := rds.NewFromConfig(f.Config(testRegion)).DescribeDBInstances(f.Context(), &rds.DescribeDBInstancesInput{})
	require.NoError(f, err)
	require.Len(f, out.DBInstances, 1)
	return out.DBInstances[0]
}

func (f fixture) snapshotNames() []string {
	var names []string
	require.NoError(f, f.View(func(s *State) error {
		names = slices.Sorted(maps.Keys(s.Snapshots))
		return nil
	}))
	return names
}

func TestMajorUpgrade(t *testing.T) {
	f, clk, db, update := databaseFixture(t, nil)
	require.EqualError(t, update(values{"engineVersion": "17", "allowMajorVersionUpgrade": true}),
		"InvalidParameterCombination: The parameter group db-postgres16 with DBParameterGroupFamily postgres16 can't be used for this instance. "+
			"Please use a parameter group with DBParameterGroupFamily postgres17")
	f.create(typeDBParameterGroup, values{"name": "db-postgres17", "family": "postgres17"})
	next := values{"engineVersion": "17", "parameterGroupName": "db-postgres17"}
	require.ErrorContains(t, update(next), "The AllowMajorVersionUpgrade flag must be present")
	require.Equal(t, "16.8", aws.ToString(f.describe().EngineVersion), "a refused change changes nothing")
	require.ErrorContains(t, f.DeleteResource(t.Context(), typeDBParameterGroup, "db-postgres16", nil), "InvalidDBParameterGroupState")

	next["allowMajorVersionUpgrade"] = true
	looked := false
	clk.during = func() {
		looked = true
		require.Equal(t, "upgrading", aws.ToString(f.describe().DBInstanceStatus))
		require.NoError(t, f.View(func(s *State) error {
			require.False(t, f.model(s).databaseServes(), "the instance is away while RDS upgrades it")
			return nil
		}))
		_, err := rds.NewFromConfig(f.Config(testRegion)).CreateDBSnapshot(t.Context(), &rds.CreateDBSnapshotInput{
			DBInstanceIdentifier: aws.String("db"), DBSnapshotIdentifier: aws.String("meanwhile"),
		})
		require.Equal(t, "InvalidDBInstanceState", apiCode(t, err))
	}
	require.NoError(t, update(next))
	require.True(t, looked)
	found := f.describe()
	require.Equal(t, "available", aws.ToString(found.DBInstanceStatus), "the provider waits until then")
	require.Equal(t, "17.8", aws.ToString(found.EngineVersion))
	require.Contains(t, f.snapshotNames(), "preupgrade-db-16-8-to-17-8-2026-11-30-04-05")
	require.NoError(t, f.DeleteResource(t.Context(), typeDBParameterGroup, "db-postgres16", nil), "nothing uses it any more")
	require.Equal(t, db.ID, f.read(db.ID).ID)

	f.create(typeDBParameterGroup, values{"name": "db-postgres16", "family": "postgres16"})
	require.EqualError(t, update(values{"engineVersion": "16", "parameterGroupName": "db-postgres16"}),
		"InvalidParameterCombination: Cannot find upgrade path from 17.8 to 16.")
}

func TestUpgradeWithoutBackupsTakesNoSnapshot(t *testing.T) {
	f, _, _, update := databaseFixture(t, values{"backupRetentionPeriod": 0.0})
	f.create(typeDBParameterGroup, values{"name": "db-postgres18", "family": "postgres18"})
	require.NoError(t, update(values{"engineVersion": "18", "parameterGroupName": "db-postgres18", "allowMajorVersionUpgrade": true}))
	require.Empty(t, f.snapshotNames())
}

func TestUnknownVersion(t *testing.T) {
	f := newFixture(t)
	f.rejects("InvalidParameterCombination: Cannot find version 19 for postgres", typeDatabase,
		values{"identifier": "db", "engine": "postgres", "engineVersion": "19", "instanceClass": "db.t3.micro"})
}

func TestUnknownInstanceClass(t *testing.T) {
	f := newFixture(t)
	f.rejects("InvalidParameterValue: Invalid DB Instance class: db.t9.huge", typeDatabase,
		values{"identifier": "db", "engine": "postgres", "engineVersion": "16", "instanceClass": "db.t9.huge"})
	_, _, _, update := databaseFixture(t, nil)
	require.ErrorContains(t, update(values{"instanceClass": "db.t9.huge"}), "Invalid DB Instance class: db.t9.huge")
}

func TestChangesWaitForTheMaintenanceWindow(t *testing.T) {
	f, _, db, update := databaseFixture(t, values{"applyImmediately": false})
	require.NoError(t, update(values{"instanceClass": "db.t3.large", "multiAz": true, "deletionProtection": true}))
	found := f.describe()
	require.Equal(t, "db.t3.medium", aws.ToString(found.DBInstanceClass), "RDS returns what the instance has")
	require.Equal(t, "db.t3.large", aws.ToString(found.PendingModifiedValues.DBInstanceClass))
	require.True(t, aws.ToBool(found.PendingModifiedValues.MultiAZ))
	require.True(t, aws.ToBool(found.DeletionProtection), "this never waits")
	require.Equal(t, "db.t3.medium", f.read(db.ID).Text("instanceClass"), "the provider reads the same")

	require.NoError(t, update(values{"engineLifecycleSupport": "open-source-rds-extended-support-disabled"}))
	require.Equal(t, "open-source-rds-extended-support", f.read(db.ID).Text("engineLifecycleSupport"), "RDS ignores the change")

	require.NoError(t, update(nil), "a request for what the instance has")
	require.Nil(t, f.describe().PendingModifiedValues.DBInstanceClass, "withdraws what waits")

	require.NoError(t, update(values{"instanceClass": "db.t3.large"}))
	require.NoError(t, update(values{"instanceClass": "db.t3.large", "applyImmediately": true}))
	found = f.describe()
	require.Equal(t, "db.t3.large", aws.ToString(found.DBInstanceClass))
	require.Nil(t, found.PendingModifiedValues.DBInstanceClass)
}

// TestDeferredUpgrade checks that an upgrade that waits keeps the parameter group in use.
func TestDeferredUpgrade(t *testing.T) {
	f, _, _, update := databaseFixture(t, values{"applyImmediately": false})
	f.create(typeDBParameterGroup, values{"name": "db-postgres17", "family": "postgres17"})
	require.NoError(t, update(values{"engineVersion": "17", "parameterGroupName": "db-postgres17", "allowMajorVersionUpgrade": true}))
	require.Equal(t, "16.8", aws.ToString(f.describe().EngineVersion))
	require.Equal(t, "17", aws.ToString(f.describe().PendingModifiedValues.EngineVersion))
	require.ErrorContains(t, f.DeleteResource(t.Context(), typeDBParameterGroup, "db-postgres16", nil), "still members of this parameter group")
}

func TestMaintenanceWindow(t *testing.T) {
	f, _, db, update := databaseFixture(t, values{"applyImmediately": false})
	require.NoError(t, update(values{"instanceClass": "db.t3.large"}))
	f.faults[faultMaintenanceWindow] = true
	require.Equal(t, "db.t3.large", aws.ToString(f.describe().DBInstanceClass))
	require.Nil(t, f.describe().PendingModifiedValues.DBInstanceClass)
	require.Equal(t, "db.t3.large", f.read(db.ID).Text("instanceClass"))
}
