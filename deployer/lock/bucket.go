package lock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/balancer/v3-backend-infra/clock"
)

// Bucket keeps locks in S3, as leases: an object for each, which its holder renews, and which others may replace when
// it has not been renewed for the length of the lease. Conditional writes let one of several win.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
//
// How old an object is, S3 says itself, so that the clocks of machines do not matter.
type Bucket struct {
	Client *s3.Client
	Name   string
	// Prefix goes before the keys, without slashes around it.
	Prefix string
	Clock  clock.Clock
	// LeaseDuration is how long a lock outlives its last heartbeat; 0 means DefaultLease.
	LeaseDuration time.Duration
}

// DefaultLeaseDuration is six heartbeats: a deployment outlives the retries of a throttled or briefly absent network, and after
// the death of a deployer nobody waits for long.
const DefaultLeaseDuration = 2 * time.Minute

// renewalsPerLease is how many heartbeats there are in a lease.
const renewalsPerLease = 6

// maxMissedRenewals is how many heartbeats may be missed. The rest of the lease is for ending in an orderly way before another
// deployment may take the lock.
const maxMissedRenewals = 4

// maxCreateAttempts is how often a lock is asked for that is found to be free after all.
const maxCreateAttempts = 2

// locksPrefix is where the locks lie in the bucket.
const locksPrefix = "locks"

func (b Bucket) leaseDuration() time.Duration {
	if b.LeaseDuration == 0 {
		return DefaultLeaseDuration
	}
	return b.LeaseDuration
}

func (b Bucket) key(stack string) *string {
	return aws.String(path.Join(b.Prefix, locksPrefix, stack+".json"))
}

// TryAcquire implements Store.
func (b Bucket) TryAcquire(ctx context.Context, me Holder) (Lease, *Holder, error) {
	lease := &bucketLease{Bucket: b, me: me}
	var found *lockObject
	for range maxCreateAttempts {
		err := lease.put(ctx, me, &s3.PutObjectInput{IfNoneMatch: aws.String("*")})
		if err == nil {
			return lease, nil, nil
		}
		if !conditionFailed(err) {
			return nil, nil, b.wrapError("take", me.Stack, err)
		}
		if found, err = b.read(ctx, me.Stack); err != nil {
			return nil, nil, b.wrapError("take", me.Stack, err)
		}
		if found != nil {
			break
		} // else it was released in between, and is free to be had
	}
	switch {
	case found == nil: // taken and released again; whoever waits asks again
		return nil, nil, &HeldError{Status{Holder: Holder{Stack: me.Stack, Environment: me.Environment}, State: StateHeld}}
	case found.Holder.ID == me.ID: // an answer was lost, and the call repeated
		lease.updateETag(found.etag)
		return lease, nil, nil
	case found.State != StateExpired:
		return nil, nil, &HeldError{found.Status}
	}
	err := lease.put(ctx, me, &s3.PutObjectInput{IfMatch: &found.etag})
	if err == nil {
		return lease, &found.Holder, nil
	}
	if !conditionFailed(err) {
		return nil, nil, b.wrapError("take over", me.Stack, err)
	}
	winner, err := b.read(ctx, me.Stack)
	switch {
	case err != nil:
		return nil, nil, b.wrapError("take over", me.Stack, err)
	case winner == nil:
		winner = &lockObject{Status: Status{Holder: Holder{Stack: me.Stack, Environment: me.Environment}, State: StateHeld}}
	case winner.Holder.ID == me.ID:
		lease.updateETag(winner.etag)
		return lease, &found.Holder, nil
	}
	return nil, nil, &HeldError{winner.Status}
}

// Get implements Store.
func (b Bucket) Get(ctx context.Context, stack string) (*Status, error) {
	found, err := b.read(ctx, stack)
	if err != nil {
		return nil, b.wrapError("look at", stack, err)
	}
	if found == nil {
		return nil, nil
	}
	return &found.Status, nil
}

// ForceRelease implements Store.
func (b Bucket) ForceRelease(ctx context.Context, stack, id string) error {
	found, err := b.getHeldBy(ctx, stack, id)
	if err != nil || found == nil {
		return err
	}
	return b.remove(ctx, stack, found.etag)
}

// Expire implements Store: a lease of no time has ended.
func (b Bucket) Expire(ctx context.Context, stack, id string) error {
	found, err := b.getHeldBy(ctx, stack, id)
	if err != nil || found == nil {
		return err
	}
	return b.markExpired(ctx, found.Holder, found.etag)
}

// markExpired puts a holder that is gone into the place of the lock with the tag.
func (b Bucket) markExpired(ctx context.Context, gone Holder, etag string) error {
	if gone.Heartbeat.IsZero() { // what it wrote cannot be read
		gone.Heartbeat = b.Clock.Now().UTC()
	}
	gone.Expires = gone.Heartbeat
	if _, err := b.write(ctx, gone, &s3.PutObjectInput{IfMatch: &etag}); err != nil {
		return b.wrapError("release", gone.Stack, err)
	}
	return nil
}

// getHeldBy is the lock that the holder with the ID holds, or held; nil where it is free.
func (b Bucket) getHeldBy(ctx context.Context, stack, id string) (*lockObject, error) {
	found, err := b.read(ctx, stack)
	switch {
	case err != nil:
		return nil, b.wrapError("release", stack, err)
	case found != nil && found.Holder.ID != id:
		return nil, &LostError{stack, "now it is held by " + found.Holder.Identity()}
	}
	return found, nil
}

// write writes a lock under the condition that the input has, and returns the object's tag.
func (b Bucket) write(ctx context.Context, h Holder, input *s3.PutObjectInput) (etag string, err error) {
	body, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return "", err
	}
	input.Bucket, input.Key = &b.Name, b.key(h.Stack)
	input.Body, input.ContentType = bytes.NewReader(body), aws.String("application/json")
	written, err := b.Client.PutObject(ctx, input)
	if err != nil {
		return "", err
	}
	return aws.ToString(written.ETag), nil
}

// remove deletes the object if it is still the one with the tag.
func (b Bucket) remove(ctx context.Context, stack, etag string) error {
	_, err := b.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Name, Key: b.key(stack), IfMatch: &etag})
	if err != nil && httpStatus(err) != http.StatusNotFound {
		return b.wrapError("release", stack, err)
	}
	return nil
}

// lockObject is a lock as it lies in the bucket.
type lockObject struct {
	Status
	etag string
}

// read reads a lock; nil where there is none.
func (b Bucket) read(ctx context.Context, stack string) (*lockObject, error) {
	out, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: b.key(stack)})
	if httpStatus(err) == http.StatusNotFound && !noBucket(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Body.Close() }()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, err
	}
	now, known := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !known {
		now = b.Clock.Now()
	}
	found := &lockObject{Status{Holder: *decodeHolder(body, stack), State: StateHeld, SinceHeartbeat: max(0, now.Sub(aws.ToTime(out.LastModified)))}, aws.ToString(out.ETag)}
	if found.SinceHeartbeat >= found.Holder.leaseDuration(b.leaseDuration()) {
		found.State = StateExpired
	}
	return found, nil
}

// leaseDuration is how long the holder said that its lock outlives a heartbeat, whatever this deployer's own would.
func (h Holder) leaseDuration(otherwise time.Duration) time.Duration {
	if h.Expires.IsZero() {
		return otherwise
	}
	return max(0, h.Expires.Sub(h.Heartbeat))
}

func (b Bucket) wrapError(doing, stack string, err error) error {
	if noBucket(err) {
		return &NoBucketError{Operation: doing, Stack: stack, Bucket: b.Name, cause: err}
	}
	return fmt.Errorf("%s the lock of %s in the bucket %s: %w", doing, stack, b.Name, err)
}

// NoBucketError says that there is no bucket for locks to lie in: the account was not bootstrapped.
type NoBucketError struct {
	Operation, Stack, Bucket string
	cause                    error
}

func (e *NoBucketError) Error() string {
	return fmt.Sprintf("%s the lock of %s: there is no bucket %s", e.Operation, e.Stack, e.Bucket)
}

func (e *NoBucketError) Unwrap() error { return e.cause }

// Hint says what makes it.
func (e *NoBucketError) Hint() string {
	return "run `deployer bootstrap` first, once an account; a bucket that PULUMI_BACKEND_URL names is yours to make"
}

func noBucket(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket"
}

// conditionFailed reports whether a write did not happen because its condition did not hold, or because another write of the
// object was under way.
func conditionFailed(err error) bool {
	code := httpStatus(err)
	return code == http.StatusPreconditionFailed || code == http.StatusConflict || code == http.StatusNotFound && !noBucket(err)
}

// httpStatus is the HTTP status of a failed call; 0 where there was no answer.
func httpStatus(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// bucketLease is a lock in a bucket that this process holds.
type bucketLease struct {
	Bucket
	me   Holder
	etag string
	// renewed is when the lock was last known to be this process's.
	renewed time.Time
}

// RenewInterval implements Grip.
func (g *bucketLease) RenewInterval() time.Duration { return g.leaseDuration() / renewalsPerLease }

// updateETag remembers that the object with the tag is this process's.
func (g *bucketLease) updateETag(etag string) { g.etag, g.renewed = etag, g.Clock.Now() }

// put writes the lock under the condition that the input has.
func (g *bucketLease) put(ctx context.Context, me Holder, input *s3.PutObjectInput) error {
	me.Heartbeat = g.Clock.Now().UTC()
	me.Expires = me.Heartbeat.Add(g.leaseDuration())
	etag, err := g.write(ctx, me, input)
	if err == nil {
		g.updateETag(etag)
	}
	return err
}

// Renew implements Grip.
func (g *bucketLease) Renew(ctx context.Context, me Holder) error {
	bounded, done := context.WithTimeout(ctx, g.RenewInterval())
	defer done()
	err := g.put(bounded, me, &s3.PutObjectInput{IfMatch: &g.etag})
	if err == nil {
		return nil
	}
	if conditionFailed(err) {
		return g.resolveConflict(ctx)
	}
	if silent := g.Clock.Now().Sub(g.renewed); silent >= maxMissedRenewals*g.RenewInterval() {
		return &LostError{g.me.Environment, fmt.Sprintf("no heartbeat has reached the bucket %s for %s (%v)", g.Name, silent.Round(time.Second), err)}
	}
	return g.wrapError("renew", g.me.Stack, err)
}

// resolveConflict looks whose the lock is after a heartbeat was refused: the answer to an earlier one may have been lost.
func (g *bucketLease) resolveConflict(ctx context.Context) error {
	found, err := g.read(ctx, g.me.Stack)
	switch {
	case err != nil:
		return g.wrapError("renew", g.me.Stack, err)
	case found == nil, found.Holder.ID == g.me.ID && found.Holder.leaseDuration(g.leaseDuration()) == 0:
		return newLostError(g.me, nil)
	case found.Holder.ID != g.me.ID:
		return newLostError(g.me, &found.Status)
	}
	g.updateETag(found.etag)
	return nil
}

// Release implements Grip.
func (g *bucketLease) Release(ctx context.Context) error {
	return g.giveUp(ctx, func(etag string) error { return g.remove(ctx, g.me.Stack, etag) })
}

// ReturnTo implements Grip.
func (g *bucketLease) ReturnTo(ctx context.Context, died Holder) error {
	return g.giveUp(ctx, func(etag string) error { return g.markExpired(ctx, died, etag) })
}

// giveUp gives the lock away, once more where the answer to the last heartbeat was lost.
func (g *bucketLease) giveUp(ctx context.Context, give func(etag string) error) error {
	err := give(g.etag)
	if err == nil || httpStatus(err) != http.StatusPreconditionFailed {
		return err
	}
	if err := g.resolveConflict(ctx); err != nil {
		if isLost(err) {
			return nil
		}
		return err
	}
	return give(g.etag)
}
