package clock

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFastWaitsAFraction(t *testing.T) {
	started := time.Now()
	require.NoError(t, Fast(1_000_000).Wait(t.Context(), time.Hour))
	require.Less(t, time.Since(started), time.Minute)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []Clock{Real(), Fast(60)} {
		require.ErrorIs(t, c.Wait(ctx, time.Hour), context.Canceled)
	}
}

func TestNowIsTheMachines(t *testing.T) {
	require.WithinDuration(t, time.Now(), Fast(60).Now(), time.Minute)
}

func TestSpeed(t *testing.T) {
	require.Equal(t, 1, Speed(Real()))
	require.Equal(t, 60, Speed(Fast(60)))
	require.Equal(t, 1, Speed(struct{ Clock }{Fast(60)}), "a clock that does not forward it")
}
