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

// check returns an error if the holder must not write the state now: a *LostError if it never may again.
func (w *watch) check(now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over == nil && w.allowed.over(now) {
		return errNotRenewed
	}
	return w.over
}

// reason returns why the lock is lost; nil while it is not.
func (w *watch) reason() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// left returns the time until the permit is over, which is not negative.
func (w *watch) left() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(0, w.allowed.left-elapsed(w.allowed.start, w.Clock.Now()))
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
		w.allow(permitOf(found, start, w.leaseDuration()))
	}
	return found, notOwned, nil
}

// update reads the lock of a deployer that is running, and renews the one of a deployer that has ended. The error is a
// *LostError if the holder has lost the lock, or if its permit is over and was not renewed.
func (w *watch) update(ctx context.Context, orphaned bool) error {
	bounded, done := context.WithTimeout(ctx, w.leaseDuration()/renewalsPerLease)
	defer done()
	found, notOwned, err := w.find(bounded)
	if err == nil && notOwned == nil && orphaned {
		err = w.renewOrphan(bounded, found)
	}
	if notOwned == nil && w.left() == 0 {
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
		w.allow(permit{start, w.leaseDuration()})
	}
	return err
}
