package rdspending

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	instance := func(pending *types.PendingModifiedValues) *types.DBInstance {
		return &types.DBInstance{
			DBInstanceClass: aws.String("db.t3.medium"), MultiAZ: aws.Bool(false), AllocatedStorage: aws.Int32(20), StorageType: aws.String("gp2"),
			EngineVersion: aws.String("16.8"), PreferredMaintenanceWindow: aws.String("tue:08:30-tue:09:30"), PendingModifiedValues: pending,
		}
	}
	const waits = " waits for the maintenance window (Tue 08:30 UTC)"
	for _, test := range []struct {
		name    string
		pending *types.PendingModifiedValues
		want    []string
	}{
		{"no answer", nil, nil},
		{"nothing waits", &types.PendingModifiedValues{}, nil},
		{"the class", &types.PendingModifiedValues{DBInstanceClass: aws.String("db.t3.large")}, []string{"instanceClass db.t3.medium → db.t3.large" + waits}},
		{"a password, which no property has", &types.PendingModifiedValues{MasterUserPassword: aws.String("****")}, nil},
		{"everything", &types.PendingModifiedValues{
			DBInstanceClass: aws.String("db.t3.large"), MultiAZ: aws.Bool(true), AllocatedStorage: aws.Int32(40), StorageType: aws.String("gp3"),
			EngineVersion: aws.String("17"),
		}, []string{
			"instanceClass db.t3.medium → db.t3.large" + waits, "multiAz false → true" + waits, "allocatedStorage 20 → 40" + waits,
			"storageType gp2 → gp3" + waits, "engineVersion 16.8 → 17" + waits,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range Of(instance(test.pending)) {
				got = append(got, c.String())
			}
			require.Equal(t, test.want, got)
		})
	}
	require.Empty(t, Of(nil))
}

func TestStart(t *testing.T) {
	for window, want := range map[string]string{
		"tue:08:30-tue:09:30": "Tue 08:30 UTC", "sun:23:45-mon:00:15": "Sun 23:45 UTC", "": "its time is not known",
	} {
		require.Equal(t, want, Start(window))
	}
}
