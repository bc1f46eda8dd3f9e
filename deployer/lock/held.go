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
	// retryInterval is how often a lock is asked for that somebody else holds.
	retryInterval = time.Second
	// reportInterval is how often a wait says that it still waits, unless there is news.
	reportInterval = 30 * time.Second
	// endingTimeout is how long every deployment waits for the engine of a deployer that has died: it ends after the
	// operations under way, most of them shorter than this.
	endingTimeout = time.Minute
	// releaseTimeout is how long giving a lock back may take. CI systems give about 10 s after an interruption.
	releaseTimeout = 5 * time.Second
)

// Options say how a lock is asked for and held.
type Options struct {
	Clock clock.Clock
	// Wait waits while somebody else holds the lock.
	Wait bool
	// Log is told what is waited for, and what goes wrong beside.
	Log func(string)
}

// Held is a lock that this process holds.
type Held struct {
	lease    Lease
	previous *Holder
	clock    clock.Clock
	log      func(string)
	// renewNow asks for a heartbeat before its time.
	renewNow chan struct{}

	mu       sync.Mutex
	me       Holder
	keep     bool
	repaired bool
}

// Acquire takes the lock, or waits for it as the options say. The error is a *HeldError where somebody else holds it.
func Acquire(ctx context.Context, store Store, me Holder, o Options) (*Held, error) {
	started, reported, last := o.Clock.Now(), o.Clock.Now(), ""
	for {
		lease, previous, err := store.TryAcquire(ctx, me)
		if err == nil {
			return &Held{lease: lease, previous: previous, clock: o.Clock, log: o.Log, renewNow: make(chan struct{}, 1), me: me}, nil
		}
		var held *HeldError
		if !errors.As(err, &held) {
			return nil, err
		}
		now := o.Clock.Now()
		if !o.Wait && (held.State != StateEnding || now.Sub(started) > endingTimeout) {
			return nil, err
		}
		what := held.Holder.ID + held.Holder.Phase + string(held.State)
		if what != last || now.Sub(reported) >= reportInterval {
			o.Log(fmt.Sprintf("waiting: %s", held))
			reported, last = now, what
		}
		if o.Clock.Wait(ctx, retryInterval) != nil {
			return nil, &WaitInterruptedError{Cause: context.Cause(ctx), Held: held}
		}
	}
}

// WaitInterruptedError says that a wait for a lock was ended, and by what.
type WaitInterruptedError struct {
	Cause error
	Held  *HeldError
}

func (e *WaitInterruptedError) Error() string {
	return "stopped waiting, nothing was changed: " + e.Cause.Error() + "; " + e.Held.Error()
}

// Unwrap gives what ended it.
func (e *WaitInterruptedError) Unwrap() error { return e.Cause }

// Phase says what the holder is at.
func (h *Held) Phase(name string) { h.update(func(me *Holder) { me.Phase = name }) }

// Image says what is deployed.
func (h *Held) Image(tag string) { h.update(func(me *Holder) { me.Image = tag }) }

func (h *Held) update(change func(*Holder)) {
	h.mu.Lock()
	change(&h.me)
	h.mu.Unlock()
	select {
	case h.renewNow <- struct{}{}:
	default: // one is asked for already
	}
}

// KeepAfterExit makes the lock outlive this process, for the engine that has not ended: in a directory it is held by it, in a
// bucket it expires.
func (h *Held) KeepAfterExit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep = true
}

// TakenOver reports whether the lock was taken over from a holder that went without releasing it. Nobody's lock, a nil one, was not.
func (h *Held) TakenOver() bool { return h != nil && h.previous != nil }

// InterruptedCommand is what that holder was doing; "" where there was none.
func (h *Held) InterruptedCommand() string {
	if !h.TakenOver() {
		return ""
	}
	return h.previous.Command
}

// MarkRepaired says that what the holder before left has been put right. Until then the lock is given back to that one in the end, so
// that the next to come knows of it, too.
func (h *Held) MarkRepaired() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repaired = true
}

// Run runs what the lock is for while it is kept alive, and releases it in the end. The context of run ends with a
// *LostError as its cause when the lock is lost.
func (h *Held) Run(ctx context.Context, run func(context.Context) error) error {
	runCtx, lose := context.WithCancelCause(ctx)
	renewCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.renewLoop(renewCtx, lose)
	}()
	err := run(runCtx)
	stop()
	<-ended
	lose(nil)
	h.release(ctx)
	return err
}

// renewLoop sends heartbeats until ctx ends or the lock is lost. One that does not arrive is tried again; after the time in
// which the lock expires others may have it, and it counts as lost.
func (h *Held) renewLoop(ctx context.Context, lose context.CancelCauseFunc) {
	var logged string
	for {
		wait, done := context.WithCancel(ctx)
		go func() {
			select {
			case <-h.renewNow:
				done()
			case <-wait.Done():
			}
		}()
		_ = h.clock.Wait(wait, h.lease.RenewInterval())
		done()
		if ctx.Err() != nil {
			return
		}
		err := h.lease.Renew(ctx, h.holder())
		switch {
		case err == nil || ctx.Err() != nil:
		case isLost(err):
			lose(err)
			return
		case err.Error() != logged:
			logged = err.Error()
			h.log("warning: the lock's heartbeat: " + logged)
		}
	}
}

func (h *Held) holder() Holder {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.me
}

func (h *Held) release(ctx context.Context) {
	h.mu.Lock()
	keep, returnLock := h.keep, h.previous != nil && !h.repaired
	h.mu.Unlock()
	if keep {
		return
	}
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer done()
	release := h.lease.Release
	if returnLock {
		release = func(ctx context.Context) error { return h.lease.ReturnTo(ctx, *h.previous) }
	}
	if err := release(bounded); err != nil {
		h.log("warning: the lock was not released: " + err.Error())
	}
}
