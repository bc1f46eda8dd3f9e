package release

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// How long a watch pauses between two looks: briefly where something has just happened, longer and longer while nothing
// does.
const (
	minPause = 2 * time.Second
	maxPause = 15 * time.Second
)

// backoff is how a watch waits between its looks.
type backoff struct {
	clock   clock.Clock
	started time.Time
	// waited is how long was waited in all, still since something happened last; pause is the next wait.
	waited, unchangedFor, pause time.Duration
	// took is how long the last wait was by the clock's own time.
	took time.Duration
}

func newBackoff(c clock.Clock) *backoff { return &backoff{clock: c, started: c.Now(), pause: minPause} }

// reset says that something has happened.
func (p *backoff) reset() { p.pause, p.unchangedFor = minPause, 0 }

// elapsed is the time since the watch began. Calls take their time too; on a clock that runs faster than the machine's,
// the waits alone are longer.
func (p *backoff) elapsed() time.Duration { return max(p.waited, p.clock.Now().Sub(p.started)) }

// wait pauses, not beyond the time limit by more than a moment, and pauses longer the next time.
func (p *backoff) wait(ctx context.Context, limit time.Duration) error {
	pause := min(p.pause, max(limit-p.elapsed(), minPause))
	p.waited += pause
	p.unchangedFor += pause
	p.pause = min(p.pause*3/2, maxPause)
	start := p.clock.Now()
	err := p.clock.Wait(ctx, pause)
	p.took = p.clock.Now().Sub(start)
	return err
}
