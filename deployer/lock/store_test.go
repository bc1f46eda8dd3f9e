package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// shortLease is short enough to wait for; S3 returns times in whole seconds.
const shortLease = 3 * time.Second

// stores runs a test against each kind of store.
func stores(t *testing.T, test func(*testing.T, Store)) {
	t.Run("directory", func(t *testing.T) { test(t, Directory{Dir: t.TempDir(), Clock: clock.Real()}) })
	t.Run("bucket", func(t *testing.T) { test(t, bucket(t)) })
}

// serialClient sends one request at a time: moto evaluates a condition and writes in two steps, S3 in one.
type serialClient struct{ sync.Mutex }

func (c *serialClient) Do(r *http.Request) (*http.Response, error) {
	c.Lock()
	defer c.Unlock()
	return http.DefaultClient.Do(r)
}

func bucket(t *testing.T) Bucket {
	client := s3.NewFromConfig(moto.Config(t, "us-east-1"), func(o *s3.Options) { o.UsePathStyle, o.HTTPClient = true, &serialClient{} })
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("state")})
	require.NoError(t, err)
	return Bucket{Client: client, Name: "state", Prefix: "a/b", Clock: clock.Real(), LeaseDuration: shortLease}
}

func holder(name string) Holder {
	return Holder{ID: name + rand.Text(), Environment: "staging", Stack: "staging", Command: "up", By: name, Host: name + "-host", PID: 1}
}

func TestAcquireIsExclusive(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		alice := holder("alice")
		lease, previous, err := store.TryAcquire(t.Context(), alice)
		require.NoError(t, err)
		require.Nil(t, previous, "the lock was free")

		_, _, err = store.TryAcquire(t.Context(), holder("bob"))
		var held *HeldError
		require.ErrorAs(t, err, &held)
		require.Equal(t, alice.ID, held.Holder.ID)
		require.Equal(t, StateHeld, held.State)

		alice.Phase = "rollout"
		require.NoError(t, lease.Renew(t.Context(), alice))
		status, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Equal(t, "rollout", status.Holder.Phase)
		require.Equal(t, StateHeld, status.State)
		require.Less(t, status.SinceHeartbeat, 2*time.Second)

		other, err := store.Get(t.Context(), "production")
		require.NoError(t, err)
		require.Nil(t, other, "the lock of another stack")

		require.NoError(t, lease.Release(t.Context()))
		status, err = store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Nil(t, status)
		lease, previous, err = store.TryAcquire(t.Context(), holder("bob"))
		require.NoError(t, err)
		require.Nil(t, previous)
		require.NoError(t, lease.Release(t.Context()))
	})
}

func TestConcurrentAcquireHasOneWinner(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		var all sync.WaitGroup
		won := make(chan Lease, 8)
		for range 8 {
			all.Go(func() {
				lease, _, err := store.TryAcquire(t.Context(), holder("one"))
				if err == nil {
					won <- lease
					return
				}
				var held *HeldError
				require.ErrorAs(t, err, &held)
			})
		}
		all.Wait()
		require.Len(t, won, 1)
		require.NoError(t, (<-won).Release(t.Context()))
	})
}

// The next holder is logged of an expired one: something may have to be repaired.
func TestAnExpiredLockIsTakenOverAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		alice, bob := holder("alice"), holder("bob")
		first, _, err := store.TryAcquire(t.Context(), alice)
		require.NoError(t, err)
		require.True(t, isLost(store.Expire(t.Context(), "staging", "another's ID")), "a lock of another holder stays")
		require.NoError(t, store.Expire(t.Context(), "staging", alice.ID))
		status, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Equal(t, StateExpired, status.State)
		require.Equal(t, alice.ID, status.Holder.ID)
		require.EqualError(t, first.Renew(t.Context(), alice), "the lock of staging was lost: another process released it", "it is still running")
		require.NoError(t, store.Expire(t.Context(), "staging", alice.ID), "expiring it again changes nothing")

		second, previous, err := store.TryAcquire(t.Context(), bob)
		require.NoError(t, err)
		require.Equal(t, alice.ID, previous.ID)
		require.NoError(t, first.Release(t.Context()), "nothing is left to release")
		require.NoError(t, second.Renew(t.Context(), bob), "the lock of the other holder stays")
		require.NoError(t, second.Release(t.Context()))
		require.NoError(t, store.Expire(t.Context(), "staging", bob.ID), "a free lock stays free")
		status, err = store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Nil(t, status)
	})
}

// A crashed holder is handed on until its damage is repaired.
func TestACrashIsKnownUntilItIsRepaired(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		o := Options{Clock: clock.Real(), Log: func(text string) { t.Error(text) }}
		_, _, err := store.TryAcquire(t.Context(), holder("alice"))
		require.NoError(t, err)
		status, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.NoError(t, store.Expire(t.Context(), "staging", status.Holder.ID))
		for _, deployment := range []struct {
			by                 string
			takesOver, repairs bool
		}{{"bob", true, false}, {"carol", true, true}, {"dave", false, false}} {
			held, err := Acquire(t.Context(), store, holder(deployment.by), o)
			require.NoError(t, err)
			require.Equal(t, deployment.takesOver, held.TakenOver(), deployment.by)
			require.NoError(t, held.Run(t.Context(), func(context.Context) error {
				if deployment.repairs {
					held.MarkRepaired()
				}
				return nil
			}))
			status, err := store.Get(t.Context(), "staging")
			require.NoError(t, err)
			if deployment.takesOver && !deployment.repairs {
				require.Equal(t, StateExpired, status.State)
				require.Equal(t, "alice", status.Holder.By)
			} else {
				require.Nil(t, status)
			}
		}
		var none *Held
		require.False(t, none.TakenOver())
		none.MarkRepaired()
	})
}

// steppingClock advances by its waits alone.
type steppingClock struct{ now time.Time }

func (c *steppingClock) Now() time.Time { return c.now }

func (c *steppingClock) Wait(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

// A wait ends when the credentials would expire before what follows it could end; without a limit it continues.
func TestAWaitEndsAtTheLastStart(t *testing.T) {
	store := Directory{Dir: t.TempDir(), Clock: clock.Real()}
	lease, _, err := store.TryAcquire(t.Context(), holder("alice"))
	require.NoError(t, err)
	start := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		last time.Time
		want time.Duration
	}{
		"in ten seconds": {start.Add(10 * time.Second), 10*time.Second + retryInterval},
		"already passed": {start.Add(-time.Minute), 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := &steppingClock{start}
			_, err := Acquire(t.Context(), store, holder("bob"), Options{Clock: c, Wait: true, LastStart: test.last, Log: func(string) {}})
			var held *HeldError
			require.ErrorAs(t, err, &held)
			require.Equal(t, "alice", held.Holder.By)
			require.ErrorContains(t, err, "stopped waiting, nothing was changed: the credentials expire too soon; ")
			var late *TooLateError
			require.ErrorAs(t, err, &late)
			require.Equal(t, "renew the credentials, then run the same command again", late.Hint())
			require.Equal(t, test.want, c.now.Sub(start))
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	c := &steppingClock{start}
	_, err = Acquire(ctx, store, holder("bob"), Options{Clock: c, Wait: true, Log: func(string) {
		if c.now.Sub(start) >= reportInterval {
			stop()
		}
	}})
	var interrupted *WaitInterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.NoError(t, lease.Release(t.Context()))
}

func TestAnExpiredLeaseHasOneSuccessor(t *testing.T) {
	store := bucket(t)
	alice := holder("alice")
	_, _, err := store.TryAcquire(t.Context(), alice)
	require.NoError(t, err)
	require.NoError(t, store.Clock.Wait(t.Context(), shortLease+2*time.Second))
	status, err := store.Get(t.Context(), "staging")
	require.NoError(t, err)
	require.Equal(t, StateExpired, status.State)

	var all sync.WaitGroup
	won := make(chan *Holder, 4)
	for range 4 {
		all.Go(func() {
			_, previous, err := store.TryAcquire(t.Context(), holder("bob"))
			if held := (*HeldError)(nil); errors.As(err, &held) {
				return
			}
			require.NoError(t, err)
			won <- previous
		})
	}
	all.Wait()
	require.Len(t, won, 1)
	require.Equal(t, alice.ID, (<-won).ID)
}

// outage responds like S3 until it is closed.
func outage(t *testing.T, lease time.Duration) (Bucket, *httptest.Server) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"1"`) }))
	t.Cleanup(server.Close)
	return at(server, lease), server
}

// at returns a bucket at a server, without retries.
func at(server *httptest.Server, lease time.Duration) Bucket {
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{},
	})
	return Bucket{Client: client, Name: "state", Clock: clock.Real(), LeaseDuration: lease}
}

func TestAHolderWithoutNetworkStopsBeforeItsLeaseEnds(t *testing.T) {
	const lease = 3 * time.Second
	store, server := outage(t, lease)
	var logged []string
	held, err := Acquire(t.Context(), store, holder("alice"), Options{Clock: clock.Real(), Log: func(s string) { logged = append(logged, s) }})
	require.NoError(t, err)
	acquired := time.Now()
	err = held.Run(t.Context(), func(ctx context.Context) error {
		server.Close()
		<-ctx.Done()
		require.Less(t, time.Since(acquired), lease-lease/renewalsPerLease, "the rest of the lease is left for an orderly end")
		require.True(t, isLost(context.Cause(ctx)))
		return context.Cause(ctx)
	})
	require.ErrorContains(t, err, "the lock of staging was lost: no heartbeat has reached the bucket state for ")
	require.Len(t, logged, 2, "one warning of the heartbeat, one of the release")
	require.Contains(t, logged[0], "warning: the lock's heartbeat failed: renew the lock of staging in the bucket state: ")
}

// A lock that is released between the attempt and the read is acquired, and has no previous holder.
func TestALockReleasedMeanwhileIsAcquired(t *testing.T) {
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method)
		switch len(requests) {
		case 1:
			w.WriteHeader(http.StatusPreconditionFailed)
		case 2:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", `"1"`)
		}
	}))
	t.Cleanup(server.Close)
	lease, previous, err := at(server, DefaultLeaseDuration).TryAcquire(t.Context(), holder("alice"))
	require.NoError(t, err)
	require.NotNil(t, lease)
	require.Nil(t, previous)
	require.Equal(t, []string{"PUT", "GET", "PUT"}, requests)
}

func TestTempFilesOfAKilledHolderAreRemoved(t *testing.T) {
	store := Directory{Dir: t.TempDir(), Clock: clock.Real()}
	left, other := filepath.Join(store.Dir, ".staging.json123"), filepath.Join(store.Dir, ".dev.json123")
	for _, file := range []string{left, other} {
		require.NoError(t, os.WriteFile(file, []byte(`{"id":`), 0o600))
	}
	lease, previous, err := store.TryAcquire(t.Context(), holder("alice"))
	require.NoError(t, err)
	require.Nil(t, previous)
	require.NoFileExists(t, left)
	require.FileExists(t, other)
	require.NoError(t, lease.Release(t.Context()))
}

func TestTheHolderIsHarmlessText(t *testing.T) {
	holder := decodeHolder([]byte(`{"id": "1", "stack": "dev", "by": "\u001b[2J::error::x", "phase": "##[error]"}`), "dev")
	require.Equal(t, ": :error::x", holder.By)
	require.Equal(t, "# #[error]", holder.Phase)
}
