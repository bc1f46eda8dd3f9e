package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// Times of waiting, on the machine's clock: deployments of a simulated account are as real as any.
const (
	// askAgain is how often a lock is asked for that somebody else holds.
	askAgain = time.Second
	// signOfLife is how often a wait says that it still waits, unless there is news.
	signOfLife = 30 * time.Second
	// endingLimit is how long every deployment waits for the engine of a deployer that has died: it ends after the
	// operations under way, most of them shorter than this.
	endingLimit = time.Minute
	// releaseLimit is how long giving a lock back may take. CI systems give about 10 s after an interruption.
	releaseLimit = 5 * time.Second
)

// Options say how a lock is asked for and held.
type Options struct {
	Clock clock.Clock
	// Wait waits while somebody else holds the lock.
	Wait bool
	// Tell is told what is waited for, and what goes wrong beside.
	Tell func(string)
}

// Held is a lock that this process holds.
type Held struct {
	grip  Grip
	died  *Holder
	clock clock.Clock
	tell  func(string)
	// news asks for a heartbeat before its time.
	news chan struct{}

	mu       sync.Mutex
	me       Holder
	left     bool
	repaired bool
}

// Acquire takes the lock, or waits for it as the options say. The error is a *HeldError where somebody else holds it.
func Acquire(ctx context.Context, store Store, me Holder, o Options) (*Held, error) {
	began, told, last := o.Clock.Now(), o.Clock.Now(), ""
	for {
		grip, died, err := store.Take(ctx, me)
		if err == nil {
			return &Held{grip: grip, died: died, clock: o.Clock, tell: o.Tell, news: make(chan struct{}, 1), me: me}, nil
		}
		var held *HeldError
		if !errors.As(err, &held) {
			return nil, err
		}
		now := o.Clock.Now()
		if !o.Wait && (held.Condition != Ending || now.Sub(began) > endingLimit) {
			return nil, err
		}
		what := held.Holder.ID + held.Holder.Phase + string(held.Condition)
		if what != last || now.Sub(told) >= signOfLife {
			o.Tell(fmt.Sprintf("waiting: %s", held))
			told, last = now, what
		}
		if o.Clock.Wait(ctx, askAgain) != nil {
			return nil, &WaitedError{Cause: context.Cause(ctx), Held: held}
		}
	}
}

// WaitedError says that a wait for a lock was ended, and by what.
type WaitedError struct {
	Cause error
	Held  *HeldError
}

func (e *WaitedError) Error() string {
	return "stopped waiting, nothing was changed: " + e.Cause.Error() + "; " + e.Held.Error()
}

// Unwrap gives what ended it.
func (e *WaitedError) Unwrap() error { return e.Cause }

// Phase says what the holder is at.
func (h *Held) Phase(name string) { h.change(func(me *Holder) { me.Phase = name }) }

// Image says what is deployed.
func (h *Held) Image(tag string) { h.change(func(me *Holder) { me.Image = tag }) }

func (h *Held) change(change func(*Holder)) {
	h.mu.Lock()
	change(&h.me)
	h.mu.Unlock()
	select {
	case h.news <- struct{}{}:
	default: // one is asked for already
	}
}

// Leave makes the lock outlive this process, for the engine that has not ended: in a directory it is held by it, in a
// bucket it expires.
func (h *Held) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = true
}

// TookOver reports whether the lock was taken over from a holder that went without releasing it. Nobody's lock, a nil one, was not.
func (h *Held) TookOver() bool { return h != nil && h.died != nil }

// Interrupted is what that holder was doing; "" where there was none.
func (h *Held) Interrupted() string {
	if !h.TookOver() {
		return ""
	}
	return h.died.Doing
}

// Repaired says that what the holder before left has been put right. Until then the lock is given back to that one in the end, so
// that the next to come knows of it, too.
func (h *Held) Repaired() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repaired = true
}

// During runs what the lock is for while it is kept alive, and releases it in the end. The context of run ends with a
// *LostError as its cause when the lock is lost.
func (h *Held) During(ctx context.Context, run func(context.Context) error) error {
	kept, lose := context.WithCancelCause(ctx)
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.beat(beating, lose)
	}()
	err := run(kept)
	stop()
	<-ended
	lose(nil)
	h.release(ctx)
	return err
}

// beat sends heartbeats until ctx ends or the lock is lost. One that does not arrive is tried again; after the time in
// which the lock expires others may have it, and it counts as lost.
func (h *Held) beat(ctx context.Context, lose context.CancelCauseFunc) {
	var told string
	for {
		wait, done := context.WithCancel(ctx)
		go func() {
			select {
			case <-h.news:
				done()
			case <-wait.Done():
			}
		}()
		_ = h.clock.Wait(wait, h.grip.Pulse())
		done()
		if ctx.Err() != nil {
			return
		}
		err := h.grip.Beat(ctx, h.now())
		switch {
		case err == nil || ctx.Err() != nil:
		case isLost(err):
			lose(err)
			return
		case err.Error() != told:
			told = err.Error()
			h.tell("warning: the lock's heartbeat: " + told)
		}
	}
}

func (h *Held) now() Holder {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.me
}

func (h *Held) release(ctx context.Context) {
	h.mu.Lock()
	left, owed := h.left, h.died != nil && !h.repaired
	h.mu.Unlock()
	if left {
		return
	}
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer done()
	release := h.grip.Release
	if owed {
		release = func(ctx context.Context) error { return h.grip.Return(ctx, *h.died) }
	}
	if err := release(bounded); err != nil {
		h.tell("warning: the lock was not released: " + err.Error())
	}
}
