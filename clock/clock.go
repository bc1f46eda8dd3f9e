// Package clock provides the time and waiting.
//
// No code sleeps on its own: code that waits gets a Clock, so that minutes pass in milliseconds in a test or a
// simulated account.
package clock

import (
	"context"
	"time"
)

// Clock returns the time and waits.
type Clock interface {
	Now() time.Time
	// Wait returns nil when d has passed, or the context's error if that comes first.
	Wait(ctx context.Context, d time.Duration) error
}

// Real returns the machine's clock.
func Real() Clock { return scaled(1) }

// Fast returns a clock whose waits are shorter by a factor; the time of day is the machine's.
func Fast(factor int) Clock { return scaled(factor) }

// Speed returns how many seconds of waiting pass in one second of the clock's time of day: 1 for the machine's clock. A clock
// that wraps another one has a method Speed that returns that one's.
func Speed(c Clock) int {
	if s, ok := c.(interface{ Speed() int }); ok {
		return s.Speed()
	}
	return 1
}

type scaled int

func (s scaled) Speed() int { return int(s) }

func (s scaled) Now() time.Time { return time.Now() }

func (s scaled) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / time.Duration(s))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err() // both may be ready
	}
}
