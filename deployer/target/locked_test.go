package target

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
)

// unreadable is a store whose locks cannot be read.
type unreadable struct{ lock.Store }

func (unreadable) Get(context.Context, string) (*lock.Status, error) {
	return nil, errors.New("no such device")
}

// TestHeldLocks checks what the simulated account sees of the locks of this machine.
func TestHeldLocks(t *testing.T) {
	store := lock.Directory{Dir: t.TempDir(), Clock: clock.Real()}
	require.False(t, held(t.Context(), store, "staging"))
	lease, _, err := store.TryAcquire(t.Context(), lock.Holder{ID: "one", Stack: "staging", Environment: "staging"})
	require.NoError(t, err)
	require.True(t, held(t.Context(), store, "staging"))
	require.False(t, held(t.Context(), store, "dev"))
	require.NoError(t, lease.ReturnTo(t.Context(), lock.Holder{ID: "crashed", Stack: "staging", Environment: "staging"}))
	require.False(t, held(t.Context(), store, "staging"), "its holder has ended without releasing it")
	require.True(t, held(t.Context(), unreadable{}, "staging"))
}
