package lock

import (
	"net/http"
	"time"
)

// The decisions of the lock in a bucket, and of the writes of the state under it, are the pure functions of this file. The code
// that reads and writes the bucket follows them step by step, and TestEveryInterleaving executes them in every order.

// elapsed returns the time since a moment, by the clock that has advanced further: the monotonic clock stops while the machine
// sleeps, and the wall clock can be set back.
func elapsed(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}

// stateOf returns the state of a lock whose last heartbeat was some time ago by the clock of the bucket. Its lease has the
// default duration unless its holder has set another one.
func stateOf(h Holder, sinceHeartbeat, defaultLease time.Duration) State {
	switch {
	case sinceHeartbeat >= h.leaseDuration(defaultLease):
		return StateExpired
	case h.Ending:
		return StateEnding
	}
	return StateHeld
}

// leaseDuration returns the length of the holder's lease, which may be another one than this deployer's.
func (h Holder) leaseDuration(otherwise time.Duration) time.Duration {
	if h.Expires.IsZero() {
		return otherwise
	}
	return max(0, h.Expires.Sub(h.Heartbeat))
}

// checkOwner returns a *LostError unless the lock that was found, nil if it is free, is the one of the holder with the ID, and
// was not released by another process.
func checkOwner(environment string, found *Holder, id string) error {
	switch {
	case found == nil, found.ID == id && !found.Expires.IsZero() && found.leaseDuration(0) == 0:
		return newLostError(environment, nil)
	case found.ID != id:
		return newLostError(environment, found)
	}
	return nil
}

// crashedHolder returns the holder from which the next process has to take the lock over, so that it repairs what that one left: a
// former holder whose damage was not repaired, or this one where its engine was killed because it lost the lock; nil where the
// lock becomes free.
func crashedHolder(me Holder, previous *Holder, repaired, lost bool) *Holder {
	switch {
	case previous != nil && !repaired:
		return previous
	case lost:
		return &me
	}
	return nil
}

// A permit is the time for which its owner may write the state.
type permit struct {
	// start is the start of the last successful renewal or read of the lock, left the rest of the lease at that time.
	start time.Time
	left  time.Duration
	// suspended is when the owner noticed that its machine had slept: it writes nothing until the lock is renewed. Zero if it has not.
	suspended time.Time
}

// timestampError is by how much an age is wrong that is the difference of two times of S3, which are whole seconds.
const timestampError = time.Second

// permitOf returns the permit of a lock that was found with an age, by a read that began at the given time.
func permitOf(found *lockObject, start time.Time, defaultLease time.Duration) permit {
	return permit{start: start, left: found.Holder.leaseDuration(defaultLease) - found.SinceHeartbeat - timestampError}
}

// over reports whether the owner must not write, since the time has passed by one of the clocks.
func (p permit) over(now time.Time) bool {
	return !p.suspended.IsZero() || elapsed(p.start, now) >= p.left
}

// suspend returns the permit of a machine that may have slept.
func (p permit) suspend(now time.Time) permit {
	if p.suspended.IsZero() && p.over(now) {
		p.suspended = now
	}
	return p
}

// after returns the permit after a read of the lock. A lock that has expired, and that no one took over, gives no time: its holder
// has slept and renews it, or its permit ends.
func (p permit) after(found permit, now time.Time) permit {
	if !found.over(now) {
		return found
	}
	if p.suspended.IsZero() {
		p.suspended = now
	}
	return p
}

// untilLost returns the time until the lock counts as lost: until the permit is over by the monotonic clock, which is the one of a
// machine that has not slept. After a sleep, its owner has as long as the grace to renew the lock: the fence protects the state.
func (p permit) untilLost(now time.Time, grace time.Duration) time.Duration {
	left := p.left - now.Sub(p.start)
	if !p.suspended.IsZero() {
		left = min(left, grace-now.Sub(p.suspended))
	}
	return left
}

// An object is a version of an object of the state: its ETag, and the ID of the lock's holder that wrote it. The zero value is a
// missing object.
type object struct{ etag, holder string }

// A view is the version on which the next write of a holder is based: the ETag of its own last write; "" for an object that does
// not exist. What other processes wrote never becomes a part of it.
type view struct{ etag string }

// condition returns the header with which a write fails unless the object is still the one of the view.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (v view) condition() (header, value string) {
	if v.etag == "" {
		return "If-None-Match", "*"
	}
	return "If-Match", v.etag
}

// A phase is the next step of an exchange.
type phase int

const (
	// readObject reads the object of the state.
	readObject phase = iota
	// readLock reads the lock.
	readLock
	// write writes the object under the condition of the view.
	write
	// examine reads the object after a write was refused: the response to an earlier one may have been lost.
	examine
	// done ends an exchange that succeeded; base is its view.
	done
	// failed ends an exchange whose outcome is unknown; the engine tries it again.
	failed
	// lost ends an exchange because another process has the lock or wrote the state.
	lost
)

// An exchange is a sequence of calls of S3 that ends with a write of the state by the holder of the lock.
//
// The first one of a holder is a fence: it reads the object, then the lock, and then replaces the object by the same state in
// other bytes, so that it gets another ETag. If another process took the lock over after this read of the lock, its own fence
// comes later than the read of the object here, so that one of the two writes fails. From then on no write of an earlier holder
// succeeds, as none of them has that ETag, however late it arrives; no clock is involved.
//
// An object that does not exist has no version that a fence could change. A holder that creates it reads the lock before, and
// once more after: if it was still the holder then, every later one finds the object, and fences it.
type exchange struct {
	phase phase
	// then is the phase after readLock.
	then  phase
	fence bool
	// create is set until the object exists, remove where it is deleted.
	create, remove bool
	base           view
	// holder is the ID of the lock's holder.
	holder string
}

// newFence returns the first exchange of a holder.
func newFence(holder string) exchange {
	return exchange{phase: readObject, then: write, fence: true, holder: holder}
}

// newWrite returns an exchange that writes what the engine has sent.
func newWrite(base view, holder string) exchange {
	if base.etag == "" {
		return exchange{phase: readLock, then: write, create: true, holder: holder}
	}
	return exchange{phase: write, base: base, holder: holder}
}

// afterRead continues with the object that was found.
func (e exchange) afterRead(found object) exchange {
	e.base, e.phase = view{found.etag}, readLock
	return e
}

// afterLock continues with the result of checkOwner. There is nothing to fence where the object does not exist.
func (e exchange) afterLock(notOwned error) exchange {
	switch {
	case notOwned != nil:
		e.phase = lost
	case e.fence && e.base.etag == "":
		e.phase = done
	default:
		e.phase = e.then
	}
	return e
}

// afterWrite continues with the response to a write, and the new ETag where it succeeded.
func (e exchange) afterWrite(status int, etag string) exchange {
	switch {
	case status/100 == 2 && e.create && etag != "":
		e.base, e.phase, e.then, e.create = view{etag}, readLock, done, false
	case status/100 == 2:
		e.base, e.phase = view{etag}, done
	case !isRefusal(status):
		e.phase = failed
	case e.fence:
		e.phase = readObject
	default:
		e.phase = examine
	}
	return e
}

// isRefusal reports whether S3 refuses a write because of its condition, or of a concurrent write.
func isRefusal(status int) bool {
	return status == http.StatusPreconditionFailed || status == http.StatusConflict || status == http.StatusNotFound
}

// afterExamine continues with the object that refused the write. If this holder wrote it, the response was lost, and the write
// is repeated on top of it.
func (e exchange) afterExamine(found object) exchange {
	switch {
	case e.remove && found.etag == "": // the response to an earlier request was lost
		e.base, e.phase = view{}, done
	case found.etag == e.base.etag: // the conflict has passed
		e.phase = failed
	case found.holder == e.holder && e.create:
		e.base, e.phase, e.then, e.create = view{found.etag}, readLock, write, false
	case found.holder == e.holder:
		e.base, e.phase = view{found.etag}, write
	default:
		e.phase = lost
	}
	return e
}
