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
	// Lease is how long a lock outlives its last heartbeat; 0 means DefaultLease.
	Lease time.Duration
}

// DefaultLease is six heartbeats: a deployment outlives the retries of a throttled or briefly absent network, and after
// the death of a deployer nobody waits for long.
const DefaultLease = 2 * time.Minute

// beatsALease is how many heartbeats there are in a lease.
const beatsALease = 6

// missedBeats is how many heartbeats may be missed. The rest of the lease is for ending in an orderly way before another
// deployment may take the lock.
const missedBeats = 4

// putsOfAFreeLock is how often a lock is asked for that is found to be free after all.
const putsOfAFreeLock = 2

// locksPrefix is where the locks lie in the bucket.
const locksPrefix = "locks"

func (b Bucket) lease() time.Duration {
	if b.Lease == 0 {
		return DefaultLease
	}
	return b.Lease
}

func (b Bucket) key(stack string) *string {
	return aws.String(path.Join(b.Prefix, locksPrefix, stack+".json"))
}

// Take implements Store.
func (b Bucket) Take(ctx context.Context, me Holder) (Grip, *Holder, error) {
	grip := &bucketGrip{Bucket: b, me: me}
	var found *object
	for range putsOfAFreeLock {
		err := grip.put(ctx, me, &s3.PutObjectInput{IfNoneMatch: aws.String("*")})
		if err == nil {
			return grip, nil, nil
		}
		if !refused(err) {
			return nil, nil, b.failed("take", me.Stack, err)
		}
		if found, err = b.read(ctx, me.Stack); err != nil {
			return nil, nil, b.failed("take", me.Stack, err)
		}
		if found != nil {
			break
		} // else it was released in between, and is free to be had
	}
	switch {
	case found == nil: // taken and released again; whoever waits asks again
		return nil, nil, &HeldError{Standing{Holder: Holder{Stack: me.Stack, Environment: me.Environment}, Condition: Alive}}
	case found.Holder.ID == me.ID: // an answer was lost, and the call repeated
		grip.hold(found.etag)
		return grip, nil, nil
	case found.Condition != Dead:
		return nil, nil, &HeldError{found.Standing}
	}
	err := grip.put(ctx, me, &s3.PutObjectInput{IfMatch: &found.etag})
	if err == nil {
		return grip, &found.Holder, nil
	}
	if !refused(err) {
		return nil, nil, b.failed("take over", me.Stack, err)
	}
	winner, err := b.read(ctx, me.Stack)
	switch {
	case err != nil:
		return nil, nil, b.failed("take over", me.Stack, err)
	case winner == nil:
		winner = &object{Standing: Standing{Holder: Holder{Stack: me.Stack, Environment: me.Environment}, Condition: Alive}}
	case winner.Holder.ID == me.ID:
		grip.hold(winner.etag)
		return grip, &found.Holder, nil
	}
	return nil, nil, &HeldError{winner.Standing}
}

// Look implements Store.
func (b Bucket) Look(ctx context.Context, stack string) (*Standing, error) {
	found, err := b.read(ctx, stack)
	if err != nil {
		return nil, b.failed("look at", stack, err)
	}
	if found == nil {
		return nil, nil
	}
	return &found.Standing, nil
}

// Break implements Store.
func (b Bucket) Break(ctx context.Context, stack, id string) error {
	found, err := b.heldBy(ctx, stack, id)
	if err != nil || found == nil {
		return err
	}
	return b.remove(ctx, stack, found.etag)
}

// Expire implements Store: a lease of no time has ended.
func (b Bucket) Expire(ctx context.Context, stack, id string) error {
	found, err := b.heldBy(ctx, stack, id)
	if err != nil || found == nil {
		return err
	}
	return b.bury(ctx, found.Holder, found.etag)
}

// bury puts a holder that is gone into the place of the lock with the tag.
func (b Bucket) bury(ctx context.Context, gone Holder, etag string) error {
	if gone.Heartbeat.IsZero() { // what it wrote cannot be read
		gone.Heartbeat = b.Clock.Now().UTC()
	}
	gone.Expires = gone.Heartbeat
	if _, err := b.write(ctx, gone, &s3.PutObjectInput{IfMatch: &etag}); err != nil {
		return b.failed("release", gone.Stack, err)
	}
	return nil
}

// heldBy is the lock that the holder with the ID holds, or held; nil where it is free.
func (b Bucket) heldBy(ctx context.Context, stack, id string) (*object, error) {
	found, err := b.read(ctx, stack)
	switch {
	case err != nil:
		return nil, b.failed("release", stack, err)
	case found != nil && found.Holder.ID != id:
		return nil, &LostError{stack, "now it is held by " + found.Holder.Who()}
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
	if err != nil && status(err) != http.StatusNotFound {
		return b.failed("release", stack, err)
	}
	return nil
}

// object is a lock as it lies in the bucket.
type object struct {
	Standing
	etag string
}

// read reads a lock; nil where there is none.
func (b Bucket) read(ctx context.Context, stack string) (*object, error) {
	out, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: b.key(stack)})
	if status(err) == http.StatusNotFound && !noBucket(err) {
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
	now, told := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !told {
		now = b.Clock.Now()
	}
	found := &object{Standing{Holder: *holderFrom(body, stack), Condition: Alive, Silence: max(0, now.Sub(aws.ToTime(out.LastModified)))}, aws.ToString(out.ETag)}
	if found.Silence >= found.Holder.lease(b.lease()) {
		found.Condition = Dead
	}
	return found, nil
}

// lease is how long the holder said that its lock outlives a heartbeat, whatever this deployer's own would.
func (h Holder) lease(otherwise time.Duration) time.Duration {
	if h.Expires.IsZero() {
		return otherwise
	}
	return max(0, h.Expires.Sub(h.Heartbeat))
}

func (b Bucket) failed(doing, stack string, err error) error {
	if noBucket(err) {
		return &NoBucketError{Doing: doing, Stack: stack, Bucket: b.Name, cause: err}
	}
	return fmt.Errorf("%s the lock of %s in the bucket %s: %w", doing, stack, b.Name, err)
}

// NoBucketError says that there is no bucket for locks to lie in: the account was not bootstrapped.
type NoBucketError struct {
	Doing, Stack, Bucket string
	cause                error
}

func (e *NoBucketError) Error() string {
	return fmt.Sprintf("%s the lock of %s: there is no bucket %s", e.Doing, e.Stack, e.Bucket)
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

// refused reports whether a write did not happen because its condition did not hold, or because another write of the
// object was under way.
func refused(err error) bool {
	code := status(err)
	return code == http.StatusPreconditionFailed || code == http.StatusConflict || code == http.StatusNotFound && !noBucket(err)
}

// status is the HTTP status of a failed call; 0 where there was no answer.
func status(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// bucketGrip is a lock in a bucket that this process holds.
type bucketGrip struct {
	Bucket
	me   Holder
	etag string
	// renewed is when the lock was last known to be this process's.
	renewed time.Time
}

// Pulse implements Grip.
func (g *bucketGrip) Pulse() time.Duration { return g.lease() / beatsALease }

// hold remembers that the object with the tag is this process's.
func (g *bucketGrip) hold(etag string) { g.etag, g.renewed = etag, g.Clock.Now() }

// put writes the lock under the condition that the input has.
func (g *bucketGrip) put(ctx context.Context, me Holder, input *s3.PutObjectInput) error {
	me.Heartbeat = g.Clock.Now().UTC()
	me.Expires = me.Heartbeat.Add(g.lease())
	etag, err := g.write(ctx, me, input)
	if err == nil {
		g.hold(etag)
	}
	return err
}

// Beat implements Grip.
func (g *bucketGrip) Beat(ctx context.Context, me Holder) error {
	bounded, done := context.WithTimeout(ctx, g.Pulse())
	defer done()
	err := g.put(bounded, me, &s3.PutObjectInput{IfMatch: &g.etag})
	if err == nil {
		return nil
	}
	if refused(err) {
		return g.compare(ctx)
	}
	if silent := g.Clock.Now().Sub(g.renewed); silent >= missedBeats*g.Pulse() {
		return &LostError{g.me.Environment, fmt.Sprintf("no heartbeat has reached the bucket %s for %s (%v)", g.Name, silent.Round(time.Second), err)}
	}
	return g.failed("renew", g.me.Stack, err)
}

// compare looks whose the lock is after a heartbeat was refused: the answer to an earlier one may have been lost.
func (g *bucketGrip) compare(ctx context.Context) error {
	found, err := g.read(ctx, g.me.Stack)
	switch {
	case err != nil:
		return g.failed("renew", g.me.Stack, err)
	case found == nil, found.Holder.ID == g.me.ID && found.Holder.lease(g.lease()) == 0:
		return lost(g.me, nil)
	case found.Holder.ID != g.me.ID:
		return lost(g.me, &found.Standing)
	}
	g.hold(found.etag)
	return nil
}

// Release implements Grip.
func (g *bucketGrip) Release(ctx context.Context) error {
	return g.yield(ctx, func(etag string) error { return g.remove(ctx, g.me.Stack, etag) })
}

// Return implements Grip.
func (g *bucketGrip) Return(ctx context.Context, died Holder) error {
	return g.yield(ctx, func(etag string) error { return g.bury(ctx, died, etag) })
}

// yield gives the lock away, once more where the answer to the last heartbeat was lost.
func (g *bucketGrip) yield(ctx context.Context, give func(etag string) error) error {
	err := give(g.etag)
	if err == nil || status(err) != http.StatusPreconditionFailed {
		return err
	}
	if err := g.compare(ctx); err != nil {
		if isLost(err) {
			return nil
		}
		return err
	}
	return give(g.etag)
}
