package lock

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// A sleepingClock is that of a machine that has slept for some time: the wall clock has advanced, and the monotonic clock has not.
type sleepingClock struct {
	clock.Clock
	slept *atomic.Int64
}

func newSleepingClock() sleepingClock { return sleepingClock{clock.Real(), new(atomic.Int64)} }

func (c sleepingClock) sleep(d time.Duration) { c.slept.Add(int64(d)) }

// Now implements clock.Clock. Only the field of a time.Time itself separates both clocks: 33 bits of it are seconds of the wall clock.
func (c sleepingClock) Now() time.Time {
	now := time.Now()
	const nanosecondBits = 30
	*(*uint64)(unsafe.Pointer(&now)) += uint64(time.Duration(c.slept.Load())/time.Second) << nanosecondBits
	return now
}

func TestTheSleepingClock(t *testing.T) {
	c := newSleepingClock()
	before := c.Now()
	c.sleep(10 * time.Minute)
	after := c.Now()
	require.Less(t, after.Sub(before), time.Minute)
	require.InDelta(t, 10*time.Minute, elapsed(before, after), float64(time.Minute))
}

// A machine has slept for longer than the lease, no one took the lock over, and the network is not up yet: nothing is written, and
// nothing is lost, until the lock is renewed or as long as a heartbeat takes.
func TestASleepIsNoLostLock(t *testing.T) {
	sim, store := simulated(t)
	sim.Put(stateKey, []byte(`{"n":1}`))
	slept := newSleepingClock()
	store.Clock = slept
	me := holder("alice")
	lease, _, err := store.TryAcquire(t.Context(), me)
	require.NoError(t, err)
	w := &watch{Bucket: store, stack: "staging", id: me.ID, lost: make(chan struct{})}
	require.NoError(t, w.update(t.Context(), false))
	offline, cancel := context.WithCancel(t.Context())
	cancel()

	slept.sleep(10 * time.Minute)
	require.ErrorContains(t, w.update(offline, false), "canceled")
	require.NoError(t, w.reason(), "no one took the lock over")
	require.ErrorIs(t, w.check(offline), errNotRenewed)
	err = lease.Renew(offline, me)
	require.Error(t, err)
	require.False(t, isLost(err), "%v", err)
	require.LessOrEqual(t, w.untilUpdate(), retryInterval)

	require.NoError(t, lease.Renew(t.Context(), me))
	require.NoError(t, w.check(t.Context()), "it reads the lock that the deployer has renewed")
	require.NoError(t, w.update(t.Context(), false))

	// Without the network for longer than a heartbeat takes, both count the lock as lost.
	slept.sleep(10 * time.Minute)
	require.False(t, isLost(w.update(offline, false)))
	require.False(t, isLost(lease.Renew(offline, me)))
	grace := lease.RenewInterval()
	w.allowed.suspended = w.allowed.suspended.Add(-grace)
	require.True(t, isLost(w.update(offline, false)))
	held := lease.(*bucketLease)
	held.allowed.suspended = held.allowed.suspended.Add(-grace)
	require.True(t, isLost(lease.Renew(offline, me)))
}

// The keeper wakes before the deployer: it reads a lock that has expired and is not another's, and waits for the heartbeat.
func TestAnOwnExpiredLockAfterASleep(t *testing.T) {
	sim, store := simulated(t)
	slept := newSleepingClock()
	sim.Now = func() time.Time { return time.Now().Add(time.Duration(slept.slept.Load())) }
	store.Clock = slept
	me := holder("alice")
	lease, _, err := store.TryAcquire(t.Context(), me)
	require.NoError(t, err)
	w := &watch{Bucket: store, stack: "staging", id: me.ID, lost: make(chan struct{})}
	require.NoError(t, w.update(t.Context(), false))
	w.allowed.left = time.Hour // the monotonic clock has not advanced
	slept.sleep(10 * time.Minute)
	require.NoError(t, w.update(t.Context(), false))
	require.NoError(t, w.reason())
	checked := make(chan error, 1)
	go func() { checked <- w.check(t.Context()) }()
	require.NoError(t, lease.Renew(t.Context(), me))
	require.NoError(t, <-checked)

	// A lock that is another's is lost at once.
	slept.sleep(10 * time.Minute)
	require.NoError(t, store.Expire(t.Context(), "staging", me.ID))
	_, _, err = store.TryAcquire(t.Context(), holder("bob"))
	require.NoError(t, err)
	require.ErrorContains(t, w.check(t.Context()), "it is now held by bob")
}

// A deployer that loses its lock to no one leaves it to the next one, which repairs what the killed engine left.
func TestALostLockIsTakenOver(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		if _, expires := store.(Bucket); !expires {
			t.Skip("nothing but another process ends a lock in a directory")
		}
		var logged []string
		o := Options{Clock: clock.Real(), Log: func(text string) { logged = append(logged, text) }}
		held, err := Acquire(t.Context(), store, holder("alice"), o)
		require.NoError(t, err)
		ctx, lose := context.WithCancelCause(t.Context())
		require.Error(t, held.Run(ctx, func(ctx context.Context) error {
			lose(&LostError{Environment: "staging", Reason: "the lock's keeper has ended: signal: killed"})
			<-ctx.Done()
			return context.Cause(ctx)
		}))
		next, err := Acquire(t.Context(), store, holder("bob"), o)
		require.NoError(t, err)
		require.True(t, next.TakenOver())
		require.Equal(t, "alice", next.previous.By)

		// Where it is the next one's already, it is not touched.
		ctx, lose = context.WithCancelCause(t.Context())
		require.Error(t, next.Run(ctx, func(ctx context.Context) error {
			next.MarkRepaired()
			require.NoError(t, store.Expire(t.Context(), "staging", next.ID()))
			third, err := Acquire(t.Context(), store, holder("carol"), o)
			require.NoError(t, err)
			require.True(t, third.TakenOver())
			lose(&LostError{Environment: "staging", Reason: "it is now held by carol"})
			<-ctx.Done()
			return context.Cause(ctx)
		}))
		status, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Equal(t, "carol", status.Holder.By)
		require.Equal(t, StateHeld, status.State)
		require.Empty(t, logged)
	})
}
