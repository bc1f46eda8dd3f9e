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
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// Bucket keeps locks in S3, as leases: an object for each, which its holder renews, and which others may replace if it was
// not renewed for the length of the lease. Conditional writes let one of several processes win.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
//
// The age of an object is by the clock of S3, so that the clocks of machines do not matter.
type Bucket struct {
	Client *s3.Client
	Name   string
	// Prefix goes before the keys, without slashes around it.
	Prefix string
	Clock  clock.Clock
	// LeaseDuration is how long a lock outlives its last heartbeat; 0 means DefaultLeaseDuration.
	LeaseDuration time.Duration
	// Unguarded is why a keeper cannot guard the state, so that no one acquires a lock; nil where it can.
	Unguarded error
}

// DefaultLeaseDuration is six heartbeats: long enough for the retries of a throttled or interrupted network, and short
// enough for others to wait after a crash.
const DefaultLeaseDuration = 2 * time.Minute

// renewalsPerLease is the number of heartbeats in a lease.
const renewalsPerLease = 6

// maxMissedRenewals is the number of heartbeats that may fail. The rest of the lease is for an orderly end before another
// deployment may take the lock over.
const maxMissedRenewals = 4

// maxCreateAttempts bounds the attempts to create a lock that others release in between.
const maxCreateAttempts = 2

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
	if b.Unguarded != nil {
		return nil, nil, b.Unguarded
	}
	lease := &bucketLease{Bucket: b, me: me}
	for range maxCreateAttempts {
		acquired, found, err := lease.attempt(ctx, me, &s3.PutObjectInput{IfNoneMatch: aws.String("*")})
		switch {
		case err != nil:
			return nil, nil, b.wrapError("acquire", me.Stack, err)
		case acquired:
			return lease, nil, nil
		case found == nil: // it was released in between
			continue
		case found.State != StateExpired:
			return nil, nil, &HeldError{found.Status}
		}
		acquired, winner, err := lease.attempt(ctx, me, &s3.PutObjectInput{IfMatch: &found.etag})
		switch {
		case err != nil:
			return nil, nil, b.wrapError("take over", me.Stack, err)
		case acquired:
			return lease, &found.Holder, nil
		case winner != nil:
			return nil, nil, &HeldError{winner.Status}
		}
	}
	return nil, nil, &HeldError{Status{Holder: Holder{Stack: me.Stack, Environment: me.Environment}, State: StateHeld}}
}

// Get implements Store.
func (b Bucket) Get(ctx context.Context, stack string) (*Status, error) {
	found, err := b.read(ctx, stack)
	if err != nil {
		return nil, b.wrapError("read", stack, err)
	}
	if found == nil {
		return nil, nil
	}
	return &found.Status, nil
}

// Expire implements Store: it shortens the lease to nothing.
func (b Bucket) Expire(ctx context.Context, stack, id string) error {
	found, err := b.getHeldBy(ctx, stack, id)
	if err != nil || found == nil {
		return err
	}
	return b.markExpired(ctx, found.Holder, found.etag)
}

// markExpired replaces the lock with the ETag by an expired one of a crashed holder.
func (b Bucket) markExpired(ctx context.Context, crashed Holder, etag string) error {
	if crashed.Heartbeat.IsZero() { // its description cannot be read
		crashed.Heartbeat = b.Clock.Now().UTC()
	}
	crashed.Expires = crashed.Heartbeat
	if _, err := b.write(ctx, crashed, &s3.PutObjectInput{IfMatch: &etag}); err != nil {
		return b.wrapError("release", crashed.Stack, err)
	}
	return nil
}

// getHeldBy returns the lock of the holder with the ID, or nil if it is free. The error is a *LostError if it has another holder.
func (b Bucket) getHeldBy(ctx context.Context, stack, id string) (*lockObject, error) {
	found, err := b.read(ctx, stack)
	switch {
	case err != nil:
		return nil, b.wrapError("release", stack, err)
	case found != nil && found.Holder.ID != id:
		return nil, newLostError(stack, &found.Holder)
	}
	return found, nil
}

// write writes a lock under the condition of the input, and returns the object's ETag.
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

// remove deletes the object if it still has the ETag.
func (b Bucket) remove(ctx context.Context, stack, etag string) error {
	_, err := b.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Name, Key: b.key(stack), IfMatch: &etag})
	if err != nil && httpStatus(err) != http.StatusNotFound {
		return b.wrapError("release", stack, err)
	}
	return nil
}

// lockObject is a lock in the bucket.
type lockObject struct {
	Status
	etag string
}

// read returns a lock, or nil if it is free.
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
	age := max(0, now.Sub(aws.ToTime(out.LastModified)))
	found := &lockObject{Status{Holder: *decodeHolder(body, stack), SinceHeartbeat: age}, aws.ToString(out.ETag)}
	found.State = stateOf(found.Holder, age, b.leaseDuration())
	return found, nil
}

// holder returns the holder of a lock that was read; nil if it is free.
func (l *lockObject) holder() *Holder {
	if l == nil {
		return nil
	}
	return &l.Holder
}

func (b Bucket) wrapError(operation, stack string, err error) error {
	if noBucket(err) {
		return &NoBucketError{Operation: operation, Stack: stack, Bucket: b.Name, cause: err}
	}
	return fmt.Errorf("%s the lock of %s in the bucket %s: %w", operation, stack, b.Name, err)
}

// NoBucketError reports that the bucket for the locks does not exist: the account was not bootstrapped.
type NoBucketError struct {
	Operation, Stack, Bucket string
	cause                    error
}

func (e *NoBucketError) Error() string {
	return fmt.Sprintf("%s the lock of %s: the bucket %s does not exist", e.Operation, e.Stack, e.Bucket)
}

func (e *NoBucketError) Unwrap() error { return e.cause }

// Hint returns how to create it.
func (e *NoBucketError) Hint() string {
	return "run `deployer bootstrap` first, once for each account; create a bucket that PULUMI_BACKEND_URL names manually"
}

func noBucket(err error) bool { return awsx.HasCode(err, "NoSuchBucket") }

// conditionFailed reports whether S3 refused a write because of its condition, or because of a concurrent write.
func conditionFailed(err error) bool {
	code := httpStatus(err)
	return code == http.StatusPreconditionFailed || code == http.StatusConflict || code == http.StatusNotFound && !noBucket(err)
}

// httpStatus returns the HTTP status of a failed call, or 0 if there was no response.
func httpStatus(err error) int {
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return response.HTTPStatusCode()
	}
	return 0
}

// bucketLease is a lock in a bucket that this process holds.
type bucketLease struct {
	Bucket
	me   Holder
	etag string

	// mu protects allowed, which a timer reads beside the heartbeats.
	mu sync.Mutex
	// allowed counts from the start of the last heartbeat that succeeded: S3 counts from a time after it.
	allowed permit
}

// RenewInterval implements Lease.
func (g *bucketLease) RenewInterval() time.Duration { return g.leaseDuration() / renewalsPerLease }

// permit returns how long this process may act as the holder, and notices a sleep.
func (g *bucketLease) permit(now time.Time) permit {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allowed = g.allowed.suspend(now)
	return g.allowed
}

// setRenewed sets the lock that this process has written, with the begin of the write.
func (g *bucketLease) setRenewed(etag string, started time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.etag, g.allowed = etag, permit{start: started, left: maxMissedRenewals * g.RenewInterval()}
}

// put writes the lock under the condition of the input.
func (g *bucketLease) put(ctx context.Context, me Holder, input *s3.PutObjectInput) error {
	started := g.Clock.Now()
	me.Heartbeat = started.UTC()
	me.Expires = me.Heartbeat.Add(g.leaseDuration())
	etag, err := g.write(ctx, me, input)
	if err == nil {
		g.setRenewed(etag, started)
	}
	return err
}

// attempt writes the lock under the condition of the input. If the condition fails, it returns the lock that is there, nil
// if it is free.
func (g *bucketLease) attempt(ctx context.Context, me Holder, input *s3.PutObjectInput) (acquired bool, now *lockObject, err error) {
	started := g.Clock.Now()
	err = g.put(ctx, me, input)
	if err == nil || !conditionFailed(err) {
		return err == nil, nil, err
	}
	now, err = g.read(ctx, me.Stack)
	if err == nil && now != nil && now.Holder.ID == me.ID { // the response was lost, and the SDK repeated the call
		g.setRenewed(now.etag, started)
		return true, nil, nil
	}
	return false, now, err
}

// Renew implements Lease. It takes at most the time between two heartbeats. After a sleep it may fail for as long.
func (g *bucketLease) Renew(ctx context.Context, me Holder) error {
	bounded, done := context.WithTimeout(ctx, g.RenewInterval())
	defer done()
	err := g.put(bounded, me, &s3.PutObjectInput{IfMatch: &g.etag})
	if err != nil && conditionFailed(err) { // the response to an earlier one may have been lost
		if err = g.updateETag(bounded); err == nil {
			err = g.put(bounded, me, &s3.PutObjectInput{IfMatch: &g.etag})
		}
	}
	switch {
	case err == nil, isLost(err):
		return err
	}
	if now := g.Clock.Now(); g.permit(now).untilLost(now, g.RenewInterval()) <= 0 {
		return g.unreachable(err)
	}
	return g.wrapError("renew", g.me.Stack, err)
}

// unreachable returns the error of a lock whose heartbeats have not reached the bucket for too long. The cause is nil if the
// last one has not returned.
func (g *bucketLease) unreachable(cause error) *LostError {
	now := g.Clock.Now()
	silent := elapsed(g.permit(now).start, now)
	reason := fmt.Sprintf("no heartbeat has reached the bucket %s for %s", g.Name, silent.Round(time.Second))
	if cause != nil {
		reason += fmt.Sprintf(" (%v)", cause)
	}
	return &LostError{g.me.Environment, reason}
}

// updateETag reads the lock after a write of it was refused. The error is a *LostError if it is no longer this holder's.
func (g *bucketLease) updateETag(ctx context.Context) error {
	found, err := g.read(ctx, g.me.Stack)
	if err != nil {
		return g.wrapError("renew", g.me.Stack, err)
	}
	if err := checkOwner(g.me.Environment, found.holder(), g.me.ID); err != nil {
		return err
	}
	g.etag = found.etag
	return nil
}

// Release implements Lease.
func (g *bucketLease) Release(ctx context.Context) error {
	return g.giveUp(ctx, func(etag string) error { return g.remove(ctx, g.me.Stack, etag) })
}

// ReturnTo implements Lease.
func (g *bucketLease) ReturnTo(ctx context.Context, previous Holder) error {
	return g.giveUp(ctx, func(etag string) error { return g.markExpired(ctx, previous, etag) })
}

// giveUp gives the lock away, and tries again where the response to the last heartbeat was lost.
func (g *bucketLease) giveUp(ctx context.Context, give func(etag string) error) error {
	err := give(g.etag)
	if err == nil || !conditionFailed(err) {
		return err
	}
	if err := g.updateETag(ctx); err != nil {
		if isLost(err) {
			return nil
		}
		return err
	}
	return give(g.etag)
}
