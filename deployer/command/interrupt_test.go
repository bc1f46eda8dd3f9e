package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// Only where a change may be under way, the first signal is answered with what happens until the end.
func TestSignalMessage(t *testing.T) {
	for changing, want := range map[bool]string{
		true: "stopping after the running operations; Ctrl-C again exits immediately", false: "",
	} {
		got := signals{changing: changing}
		require.Equal(t, want, got.handle(syscall.SIGINT, time.Unix(0, 0)).message)
		require.Equal(t, "exiting immediately", got.handle(syscall.SIGINT, time.Unix(1, 0)).message)
	}
}

// A step that failed only because it was stopped is reported as interrupted.
func TestStoppedStep(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	phases := []history.Phase{{Name: "stop"}, {Name: "aside"}}
	require.EqualError(t, stoppedStep(ctx, phases, fmt.Errorf("aside: %w", context.Canceled)), "interrupted during aside")
	require.EqualError(t, stoppedStep(ctx, phases, errors.New("aside: RDS refused")), "interrupted: aside: RDS refused")
	require.ErrorIs(t, stoppedStep(ctx, phases, errors.New("x")), errInterrupted)
}

func TestSignals(t *testing.T) {
	type came struct {
		after  time.Duration
		signal os.Signal
	}
	type want struct {
		stop, exit bool
		// leave is when the engine is left, after the first signal; -1 where it is not.
		leave time.Duration
	}
	const nothing = -1
	for name, test := range map[string]struct {
		come []came
		want []want
	}{
		"Ctrl-C waits for as long as it takes": {
			[]came{{0, syscall.SIGINT}}, []want{{stop: true, leave: nothing}},
		},
		"a second Ctrl-C leaves, a third ends": {
			[]came{{0, syscall.SIGINT}, {time.Second, syscall.SIGINT}, {2 * time.Second, syscall.SIGINT}},
			[]want{{stop: true, leave: nothing}, {leave: time.Second}, {exit: true, leave: nothing}},
		},
		"GitHub cancels": {
			[]came{{0, syscall.SIGINT}, {7500 * time.Millisecond, syscall.SIGTERM}},
			[]want{{stop: true, leave: nothing}, {leave: 8 * time.Second}},
		},
		"a container stops": {
			[]came{{0, syscall.SIGTERM}}, []want{{stop: true, leave: 7 * time.Second}},
		},
		"SIGTERM soon after the first signal": {
			[]came{{0, syscall.SIGINT}, {time.Second, syscall.SIGTERM}},
			[]want{{stop: true, leave: nothing}, {leave: 7 * time.Second}},
		},
		"a terminal is lost, and the system shuts down": {
			[]came{{0, syscall.SIGHUP}, {time.Second, syscall.SIGTERM}},
			[]want{{stop: true, leave: 7 * time.Second}, {leave: nothing}},
		},
		"a person is more impatient than the system": {
			[]came{{0, syscall.SIGTERM}, {time.Second, syscall.SIGINT}},
			[]want{{stop: true, leave: 7 * time.Second}, {leave: time.Second}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var got signals
			for i, c := range test.come {
				o := got.handle(c.signal, first.Add(c.after))
				leave := time.Duration(nothing)
				if !o.leave.IsZero() {
					leave = o.leave.Sub(first)
				}
				require.Equal(t, test.want[i], want{o.stop, o.exit, leave}, "signal %d", i+1)
			}
		})
	}
}
