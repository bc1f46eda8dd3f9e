package release

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// How long a watch pauses between two looks: briefly where something has just happened, longer and longer while nothing
// does.
const (
	shortestPause = 2 * time.Second
	longestPause  = 15 * time.Second
)

// pace is how a watch waits between its looks.
type pace struct {
	clock clock.Clock
	began time.Time
	// waited is how long was waited in all, still since something happened last; pause is the next wait.
	waited, still, pause time.Duration
	// took is how long the last wait was by the clock's own time.
	took time.Duration
}

func newPace(c clock.Clock) *pace { return &pace{clock: c, began: c.Now(), pause: shortestPause} }

// hurry says that something has happened.
func (p *pace) hurry() { p.pause, p.still = shortestPause, 0 }

// elapsed is the time since the watch began. Calls take their time too; on a clock that runs faster than the machine's,
// the waits alone are longer.
func (p *pace) elapsed() time.Duration { return max(p.waited, p.clock.Now().Sub(p.began)) }

// wait pauses, not beyond the time limit by more than a moment, and pauses longer the next time.
func (p *pace) wait(ctx context.Context, limit time.Duration) error {
	pause := min(p.pause, max(limit-p.elapsed(), shortestPause))
	p.waited += pause
	p.still += pause
	p.pause = min(p.pause*3/2, longestPause)
	began := p.clock.Now()
	err := p.clock.Wait(ctx, pause)
	p.took = p.clock.Now().Sub(began)
	return err
}
