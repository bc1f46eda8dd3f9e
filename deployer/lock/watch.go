package lock

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A watch is what a keeper knows about the lock, for itself and for the engine's endpoint.
type watch struct {
	Bucket
	stack, id string
	// lost is closed when the lock is lost.
	lost chan struct{}

	mu          sync.Mutex
	environment string
	allowed     permit
	// over is why the holder must not write any more; nil while it may.
	over error
}

// errNotRenewed reports a lock that may have expired.
var errNotRenewed = errors.New("the lock was not renewed in time: the state may be another process's")

// check returns an error if the holder must not write the state now: a *LostError if it never may again. Where the permit is over, it
// waits for the deployer to renew the lock, as after a sleep, and gives up where the lock counts as lost.
func (w *watch) check(ctx context.Context) error {
	for {
		err := w.checkNow(w.Clock.Now())
		if err == nil || isLost(err) {
			return err
		}
		if _, notOwned, _ := w.find(ctx); notOwned != nil {
			return notOwned
		}
		now := w.Clock.Now()
		if w.checkNow(now) == nil {
			return nil
		}
		left := w.untilLost(now)
		if left <= 0 || w.Clock.Wait(ctx, min(left, retryInterval)) != nil {
			return err
		}
	}
}

// checkNow returns the same as check, without a wait.
func (w *watch) checkNow(now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over == nil && w.allowed.over(now) {
		return errNotRenewed
	}
	return w.over
}

// interval returns the time between two updates, in which a machine that has slept has to renew its lock.
func (w *watch) interval() time.Duration { return w.leaseDuration() / renewalsPerLease }

// untilLost returns the time until the lock counts as lost, and notices a sleep.
func (w *watch) untilLost(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed = w.allowed.suspend(now)
	return w.allowed.untilLost(now, w.interval())
}

// untilUpdate returns the time until the next update.
func (w *watch) untilUpdate() time.Duration {
	now := w.Clock.Now()
	left := w.untilLost(now)
	if w.checkNow(now) != nil {
		left = min(left, retryInterval)
	}
	return max(0, min(left, w.interval()))
}

// reason returns why the lock is lost; nil while it is not.
func (w *watch) reason() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// lose ends the permit: nothing renews it.
func (w *watch) lose(reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over == nil {
		w.over = reason
		close(w.lost)
	}
}

func (w *watch) allow(p permit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed = p
}

// name returns the environment of the lock for messages, and sets it where it is given.
func (w *watch) name(environment string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.environment = cmp.Or(environment, w.environment, w.stack)
	return w.environment
}

// verify reads the lock. It returns checkOwner's result, and an error if the lock could not be read.
func (w *watch) verify(ctx context.Context) (notOwned, err error) {
	_, notOwned, err = w.find(ctx)
	return notOwned, err
}

// find reads the lock, and updates the permit if it is the holder's.
func (w *watch) find(ctx context.Context) (found *lockObject, notOwned, err error) {
	start := w.Clock.Now()
	found, err = w.read(ctx, w.stack)
	if err != nil {
		return nil, nil, w.wrapError("read", w.stack, err)
	}
	name := w.name("")
	if found != nil {
		name = w.name(found.Holder.Environment)
	}
	if notOwned = checkOwner(name, found.holder(), w.id); notOwned == nil {
		w.mu.Lock()
		w.allowed = w.allowed.after(permitOf(found, start, w.leaseDuration()), w.Clock.Now())
		w.mu.Unlock()
	}
	return found, notOwned, nil
}

// update reads the lock of a deployer that is running, and renews the one of a deployer that has ended. The error is a
// *LostError if the holder has lost the lock, or if its permit is over and was not renewed in time.
func (w *watch) update(ctx context.Context, orphaned bool) error {
	bounded, done := context.WithTimeout(ctx, w.interval())
	defer done()
	found, notOwned, err := w.find(bounded)
	if err == nil && notOwned == nil && orphaned {
		err = w.renewOrphan(bounded, found)
	}
	if notOwned == nil && w.untilLost(w.Clock.Now()) <= 0 {
		notOwned = &LostError{w.name(""), errNotRenewed.Error()}
	}
	if notOwned != nil {
		w.lose(notOwned)
		return notOwned
	}
	return err
}

// renewOrphan renews the lock of a deployer that has ended.
func (w *watch) renewOrphan(ctx context.Context, found *lockObject) error {
	start := w.Clock.Now()
	me := found.Holder
	me.Ending, me.Heartbeat = true, start.UTC()
	me.Expires = me.Heartbeat.Add(w.leaseDuration())
	_, err := w.write(ctx, me, &s3.PutObjectInput{IfMatch: &found.etag})
	if err == nil {
		w.allow(permit{start: start, left: w.leaseDuration()})
	}
	return err
}
