package release

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// The pause between two polls: short after a change, then longer and longer.
const (
	minPause = 2 * time.Second
	maxPause = 15 * time.Second
)

// backoff paces polls.
type backoff struct {
	clock clock.Clock
	start time.Time
	// waited is the total, unchangedFor what was waited since the last reset; pause is the next wait.
	waited, unchangedFor, pause time.Duration
}

func newBackoff(c clock.Clock) *backoff { return &backoff{clock: c, start: c.Now(), pause: minPause} }

func (b *backoff) reset() { b.pause, b.unchangedFor = minPause, 0 }

// elapsed returns the time since the first poll. On a clock that runs faster than the machine's, the sum of the waits is longer.
func (b *backoff) elapsed() time.Duration { return max(b.waited, b.clock.Now().Sub(b.start)) }

// wait pauses, at most minPause beyond the limit, and lengthens the next pause.
func (b *backoff) wait(ctx context.Context, limit time.Duration) error {
	pause := min(b.pause, max(limit-b.elapsed(), minPause))
	b.waited += pause
	b.unchangedFor += pause
	b.pause = min(b.pause*3/2, maxPause)
	return b.clock.Wait(ctx, pause)
}
