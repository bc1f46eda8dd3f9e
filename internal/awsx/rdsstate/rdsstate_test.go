package rdsstate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOf follows AWS's table of statuses, whose descriptions are abridged here. It lists no status of Aurora.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
func TestOf(t *testing.T) {
	documented := []struct {
		status string
		state  State
		serves bool
		passes bool
		why    string
	}{
		{"available", Operational, true, true, "available for modifications"},
		{"backing-up", Operational, true, true, "is being backed up"},
		{"configuring-enhanced-monitoring", Operational, true, true, "Enhanced Monitoring is being enabled or disabled"},
		{"configuring-iam-database-auth", Operational, true, true, "IAM database authentication is being enabled or disabled"},
		{"configuring-log-exports", Operational, true, true, "publishing log files to CloudWatch Logs is being enabled or disabled"},
		{"converting-to-vpc", Changing, true, true, "is being converted from one that is not in a VPC"},
		{"creating", Starting, false, true, "inaccessible while it is being created"},
		{"delete-precheck", Unavailable, false, false, "RDS validates that it can be deleted"},
		{"deleting", Unavailable, false, false, "is being deleted"},
		{"failed", Unavailable, false, false, "RDS cannot recover it"},
		{"inaccessible-encryption-credentials", Unavailable, false, false, "the KMS key cannot be accessed or recovered"},
		{"inaccessible-encryption-credentials-recoverable", Unavailable, false, false, "the KMS key cannot be accessed, and may be again"},
		{"incompatible-create", Unavailable, false, false, "resources are incompatible with the one that is being created"},
		{"incompatible-network", Unavailable, false, false, "the state of the VPC prevents a recovery"},
		{"incompatible-option-group", Unavailable, false, false, "a change of the option group can be neither applied nor rolled back"},
		{"incompatible-parameters", Unavailable, false, false, "it cannot start with its parameters"},
		{"incompatible-restore", Unavailable, false, false, "a point-in-time restore is not possible"},
		{"insufficient-capacity", Unavailable, false, false, "it cannot be created for lack of capacity"},
		{"maintenance", Changing, true, true, "a maintenance update is being applied"},
		{"modifying", Changing, true, true, "is being modified as a customer requested"},
		{"moving-to-vpc", Changing, true, true, "is being moved to a new VPC"},
		{"rebooting", Starting, false, true, "is being rebooted"},
		{"renaming", Changing, true, true, "is being renamed"},
		{"resetting-master-credentials", Changing, true, true, "the master credentials are being reset"},
		{"restore-error", Unavailable, false, false, "a restore met an error"},
		{"starting", Starting, false, true, "is starting"},
		{"stopped", Unavailable, false, false, "is stopped"},
		{"stopping", Unavailable, false, false, "is being stopped"},
		{"storage-config-upgrade", Changing, true, true, "the configuration of the storage file system is being upgraded"},
		{"storage-full", Unavailable, false, false, "has reached its storage capacity: critical"},
		{"storage-initialization", Operational, true, true, "loads blocks after a restore and remains available for operations"},
		{"storage-optimization", Operational, true, true, "storage is being changed; fully operational"},
		{"upgrading", Changing, true, true, "the engine or the operating system is being upgraded"},
	}
	require.Len(t, states, len(documented), "each row of the table is documented")
	for _, test := range documented {
		state := Of(test.status)
		require.Equal(t, test.state, state, "%s: %s", test.status, test.why)
		require.Equal(t, test.serves, state.Serves(), test.status)
		require.Equal(t, test.passes, state.Passes(), test.status)
	}
}

func TestOfUndocumented(t *testing.T) {
	require.Equal(t, Operational, Of("configuring-associated-roles"))
	require.Equal(t, Unavailable, Of("incompatible-anything"))
	require.Equal(t, Unavailable, Of("inaccessible-anything"))
	require.Empty(t, Of("brand-new"))
	require.False(t, Of("").Serves())
	require.False(t, Of("brand-new").Passes())
}
