package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// Timeouts and intervals, on the machine's clock: deployments of a simulated account take real time, too.
const (
	// retryInterval is the time between two attempts to acquire a lock.
	retryInterval = time.Second
	// reportInterval is the time between two messages of a wait in which the lock's holder and phase do not change.
	reportInterval = 30 * time.Second
	// endingTimeout is how long every deployment waits for the engine of a crashed deployer: it ends after the operations
	// that are running, most of which are shorter.
	endingTimeout = time.Minute
	// sleepCheckInterval is the time between two comparisons of the wall clock with the monotonic clock.
	sleepCheckInterval = time.Second
	// releaseTimeout bounds the release of a lock. CI systems give about 10 s after an interruption.
	releaseTimeout = 5 * time.Second
)

// Options configure Acquire.
type Options struct {
	Clock clock.Clock
	// Wait waits while another process holds the lock, but not beyond LastStart, unless that is zero: credentials would expire
	// too early.
	Wait      bool
	LastStart time.Time
	// Log receives what Acquire waits for, and warnings.
	Log func(string)
}

// Held is a lock that this process holds.
type Held struct {
	lease    Lease
	previous *Holder
	clock    clock.Clock
	log      func(string)
	// renewNow triggers a heartbeat before its time.
	renewNow chan struct{}

	mu       sync.Mutex
	me       Holder
	keep     bool
	repaired bool
}

// Acquire acquires the lock, or waits for it if Wait is set. The error is a *HeldError if another process holds it.
func Acquire(ctx context.Context, store Store, me Holder, o Options) (*Held, error) {
	started, reported, last := o.Clock.Now(), o.Clock.Now(), ""
	for {
		lease, previous, err := store.TryAcquire(ctx, me)
		if err == nil {
			return &Held{lease: lease, previous: previous, clock: o.Clock, log: o.Log, renewNow: make(chan struct{}, 1), me: me}, nil
		}
		held, isHeld := errors.AsType[*HeldError](err)
		if !isHeld {
			return nil, err
		}
		now := o.Clock.Now()
		if !o.Wait && (held.State != StateEnding || now.Sub(started) > endingTimeout) {
			return nil, err
		}
		if o.Wait && !o.LastStart.IsZero() && now.After(o.LastStart) {
			return nil, &TooLateError{Held: held}
		}
		key := held.Holder.ID + held.Holder.Phase + string(held.State)
		if key != last || now.Sub(reported) >= reportInterval {
			o.Log(fmt.Sprintf("waiting: %s", held))
			reported, last = now, key
		}
		if o.Clock.Wait(ctx, retryInterval) != nil {
			return nil, &WaitInterruptedError{Cause: context.Cause(ctx), Held: held}
		}
	}
}

// WaitInterruptedError reports that a wait for a lock was interrupted.
type WaitInterruptedError struct {
	Cause error
	Held  *HeldError
}

func (e *WaitInterruptedError) Error() string {
	return "stopped waiting, nothing was changed: " + e.Cause.Error() + "; " + e.Held.Error()
}

// Unwrap returns the cause of the interruption.
func (e *WaitInterruptedError) Unwrap() error { return e.Cause }

// TooLateError reports that a wait for a lock ended because the credentials would expire before what follows could end.
type TooLateError struct{ Held *HeldError }

func (e *TooLateError) Error() string {
	return "stopped waiting, nothing was changed: the credentials expire too soon; " + e.Held.Error()
}

// Hint returns how to continue.
func (e *TooLateError) Hint() string { return "renew the credentials, then run the same command again" }

// Unwrap returns the error about the holder.
func (e *TooLateError) Unwrap() error { return e.Held }

// ID returns the ID of this acquisition.
func (h *Held) ID() string { return h.holder().ID }

// Phase sets the current phase of the holder.
func (h *Held) Phase(name string) { h.update(func(me *Holder) { me.Phase = name }) }

// Image sets the image that is deployed.
func (h *Held) Image(tag string) { h.update(func(me *Holder) { me.Image = tag }) }

func (h *Held) update(change func(*Holder)) {
	h.mu.Lock()
	change(&h.me)
	h.mu.Unlock()
	h.requestRenewal()
}

// requestRenewal sends a heartbeat before its time.
func (h *Held) requestRenewal() {
	select {
	case h.renewNow <- struct{}{}:
	default: // a heartbeat is due already
	}
}

// KeepAfterExit keeps the lock after this process exits, for an engine that is still running: in a directory the engine
// holds it, in a bucket the keeper renews it.
func (h *Held) KeepAfterExit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep = true
}

// TakenOver reports whether the lock was taken over from a holder that ended without releasing it. A nil Held was not.
func (h *Held) TakenOver() bool { return h != nil && h.previous != nil }

// InterruptedCommand returns the command of that holder; "" if there was none.
func (h *Held) InterruptedCommand() string {
	if !h.TakenOver() {
		return ""
	}
	return h.previous.Command
}

// InterruptedPhase returns the last phase of that holder; "" if there was none.
func (h *Held) InterruptedPhase() string {
	if !h.TakenOver() {
		return ""
	}
	return h.previous.Phase
}

// MarkRepaired marks the damage of the previous holder as repaired. A lock without that mark is returned to the previous
// holder in the end, so that the next process knows of it, too.
func (h *Held) MarkRepaired() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repaired = true
}

// Run calls run while heartbeats keep the lock, and releases it afterwards. If the lock is lost, the context of run is
// canceled with a *LostError as its cause.
func (h *Held) Run(ctx context.Context, run func(context.Context) error) error {
	runCtx, lose := context.WithCancelCause(ctx)
	renewCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			h.watchDeadline(renewCtx, lose)
		}()
		h.renewLoop(renewCtx, lose)
		<-watched
	}()
	err := run(runCtx)
	stop()
	<-ended
	lost := isLost(context.Cause(runCtx))
	lose(nil)
	h.release(ctx, lost)
	return err
}

// renewLoop sends heartbeats until ctx ends or the lock is lost. It retries a heartbeat that fails; after the time in which
// the lock expires others may hold it, and it counts as lost.
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
			h.log("warning: the lock's heartbeat failed: " + logged)
		}
	}
}

// watchDeadline ends the lock when no heartbeat has succeeded for too long, whatever the current one waits for. A machine that
// has slept notices by its wall clock, and sends a heartbeat at once: if no other process took the lock over, it is still held.
func (h *Held) watchDeadline(ctx context.Context, lose context.CancelCauseFunc) {
	lease, expires := h.lease.(interface {
		permit(now time.Time) permit
		unreachable(cause error) *LostError
	})
	if !expires {
		return
	}
	for {
		now := h.clock.Now()
		allowed := lease.permit(now)
		left := allowed.untilLost(now, h.lease.RenewInterval())
		if left <= 0 {
			lose(lease.unreachable(nil))
			return
		}
		if allowed.over(now) {
			h.requestRenewal()
		}
		if h.clock.Wait(ctx, min(left, sleepCheckInterval)) != nil {
			return
		}
	}
}

func (h *Held) holder() Holder {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.me
}

// release releases the lock. Where it was lost, and is still this process's, it is left to the next process as a crashed one's: the
// engine was killed.
func (h *Held) release(ctx context.Context, lost bool) {
	h.mu.Lock()
	keep, crashed := h.keep, crashedHolder(h.me, h.previous, h.repaired, lost)
	h.mu.Unlock()
	if keep {
		return
	}
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer done()
	release := h.lease.Release
	if crashed != nil {
		release = func(ctx context.Context) error { return h.lease.ReturnTo(ctx, *crashed) }
	}
	if err := release(bounded); err != nil {
		h.log("warning: the lock was not released: " + err.Error())
	}
}
