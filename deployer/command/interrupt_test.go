package command

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
