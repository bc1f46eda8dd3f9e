package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/infra"
)

// TestScheduleOutlivesALease checks that the state machine of the schedule takes no lock for abandoned that its holder may still renew.
func TestScheduleOutlivesALease(t *testing.T) {
	require.Greater(t, infra.LockSilence*time.Second, lock.DefaultLeaseDuration)
}
