// Package clock is how the deployer and its parts know the time and wait.
//
// Nothing sleeps by itself: whoever waits is given a Clock, so that a test or a simulated account can make minutes
// pass in milliseconds.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Wait returns nil when d has passed, or the context's error when that comes first.
	Wait(ctx context.Context, d time.Duration) error
}

// Real is the machine's clock.
func Real() Clock { return scaled(1) }

// Fast is a clock on which waiting takes a factor less than it says; the time of day stays the machine's.
func Fast(factor int) Clock { return scaled(factor) }

type scaled int

func (s scaled) Now() time.Time { return time.Now() }

func (s scaled) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / time.Duration(s))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
