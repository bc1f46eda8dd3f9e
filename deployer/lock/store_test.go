package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// shortLease makes expiry something that a test can wait for; S3 tells times in whole seconds.
const shortLease = 3 * time.Second

// stores are all that there is; each test of the contract runs against every one.
func stores(t *testing.T, test func(*testing.T, Store)) {
	t.Run("directory", func(t *testing.T) { test(t, Directory{Dir: t.TempDir(), Clock: clock.Real()}) })
	t.Run("bucket", func(t *testing.T) { test(t, bucket(t)) })
}

func bucket(t *testing.T) Bucket {
	client := s3.NewFromConfig(moto.Config(t, "us-east-1"), func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("state")})
	require.NoError(t, err)
	return Bucket{Client: client, Name: "state", Prefix: "a/b", Clock: clock.Real(), LeaseDuration: shortLease}
}

func holder(name string) Holder {
	return Holder{ID: name + rand.Text(), Environment: "staging", Stack: "staging", Command: "up", By: name, Host: name + "-host", PID: 1}
}

func TestOneHoldsALock(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		alice := holder("alice")
		grip, died, err := store.TryAcquire(t.Context(), alice)
		require.NoError(t, err)
		require.Nil(t, died, "the lock was free")

		_, _, err = store.TryAcquire(t.Context(), holder("bob"))
		var held *HeldError
		require.ErrorAs(t, err, &held)
		require.Equal(t, alice.ID, held.Holder.ID)
		require.Equal(t, StateHeld, held.State)

		alice.Phase = "rollout"
		require.NoError(t, grip.Renew(t.Context(), alice))
		standing, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Equal(t, "rollout", standing.Holder.Phase)
		require.Equal(t, StateHeld, standing.State)
		require.Less(t, standing.SinceHeartbeat, 2*time.Second)

		other, err := store.Get(t.Context(), "production")
		require.NoError(t, err)
		require.Nil(t, other, "the lock of another stack")

		require.NoError(t, grip.Release(t.Context()))
		standing, err = store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Nil(t, standing)
		grip, died, err = store.TryAcquire(t.Context(), holder("bob"))
		require.NoError(t, err)
		require.Nil(t, died)
		require.NoError(t, grip.Release(t.Context()))
	})
}

func TestOfManyOneWins(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		var all sync.WaitGroup
		won := make(chan Lease, 8)
		for range 8 {
			all.Go(func() {
				grip, _, err := store.TryAcquire(t.Context(), holder("one"))
				if err == nil {
					won <- grip
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

func TestABrokenLockIsLost(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		alice, bob := holder("alice"), holder("bob")
		first, _, err := store.TryAcquire(t.Context(), alice)
		require.NoError(t, err)

		require.True(t, isLost(store.ForceRelease(t.Context(), "staging", "another's ID")), "another lock than the one that was looked at stays")
		require.NoError(t, store.ForceRelease(t.Context(), "staging", alice.ID))
		require.EqualError(t, first.Renew(t.Context(), alice), "the lock of staging was lost: another process released it")

		second, died, err := store.TryAcquire(t.Context(), bob)
		require.NoError(t, err)
		require.Nil(t, died, "it was released, whoever did it")
		require.EqualError(t, first.Renew(t.Context(), alice), "the lock of staging was lost: it is now held by bob on bob-host (process 1)")
		require.NoError(t, first.Release(t.Context()), "nothing is left to release")
		require.NoError(t, second.Renew(t.Context(), bob), "and the other's is untouched")
		require.NoError(t, second.Release(t.Context()))
		require.NoError(t, store.ForceRelease(t.Context(), "staging", bob.ID), "what is free stays free")
	})
}

// Whoever comes after a holder that was said to be gone knows that something may have to be put right.
func TestAHolderThatIsGoneIsTakenOverAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		alice, bob := holder("alice"), holder("bob")
		first, _, err := store.TryAcquire(t.Context(), alice)
		require.NoError(t, err)
		require.True(t, isLost(store.Expire(t.Context(), "staging", "another's ID")), "another lock than the one that was looked at stays")
		require.NoError(t, store.Expire(t.Context(), "staging", alice.ID))
		standing, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Equal(t, StateExpired, standing.State)
		require.Equal(t, alice.ID, standing.Holder.ID)
		require.EqualError(t, first.Renew(t.Context(), alice), "the lock of staging was lost: another process released it", "it was not gone")
		require.NoError(t, store.Expire(t.Context(), "staging", alice.ID), "it is said twice")

		second, died, err := store.TryAcquire(t.Context(), bob)
		require.NoError(t, err)
		require.Equal(t, alice.ID, died.ID)
		require.NoError(t, first.Release(t.Context()), "nothing is left to release")
		require.NoError(t, second.Renew(t.Context(), bob), "and the other's is untouched")
		require.NoError(t, second.Release(t.Context()))
		require.NoError(t, store.Expire(t.Context(), "staging", bob.ID), "what is free stays free")
		standing, err = store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.Nil(t, standing)
	})
}

// What a dead holder left is handed on until somebody has put it right.
func TestADeathIsKnownUntilItIsRepaired(t *testing.T) {
	stores(t, func(t *testing.T, store Store) {
		o := Options{Clock: clock.Real(), Log: func(text string) { t.Error(text) }}
		_, _, err := store.TryAcquire(t.Context(), holder("alice"))
		require.NoError(t, err)
		standing, err := store.Get(t.Context(), "staging")
		require.NoError(t, err)
		require.NoError(t, store.Expire(t.Context(), "staging", standing.Holder.ID))
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
			standing, err := store.Get(t.Context(), "staging")
			require.NoError(t, err)
			if deployment.takesOver && !deployment.repairs {
				require.Equal(t, StateExpired, standing.State)
				require.Equal(t, "alice", standing.Holder.By)
			} else {
				require.Nil(t, standing)
			}
		}
		var nobodys *Held
		require.False(t, nobodys.TakenOver())
		nobodys.MarkRepaired()
	})
}

func TestAnExpiredLeaseIsTakenOverByOne(t *testing.T) {
	store := bucket(t)
	alice := holder("alice")
	_, _, err := store.TryAcquire(t.Context(), alice)
	require.NoError(t, err)
	require.NoError(t, store.Clock.Wait(t.Context(), shortLease+2*time.Second))
	standing, err := store.Get(t.Context(), "staging")
	require.NoError(t, err)
	require.Equal(t, StateExpired, standing.State)

	var all sync.WaitGroup
	won := make(chan *Holder, 4)
	for range 4 {
		all.Go(func() {
			_, died, err := store.TryAcquire(t.Context(), holder("bob"))
			if held := (*HeldError)(nil); errors.As(err, &held) {
				return
			}
			require.NoError(t, err)
			won <- died
		})
	}
	all.Wait()
	require.Len(t, won, 1)
	require.Equal(t, alice.ID, (<-won).ID)
}

// outage answers like S3, until it goes away.
func outage(t *testing.T, lease time.Duration) (Bucket, *httptest.Server) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"1"`) }))
	t.Cleanup(server.Close)
	return at(server, lease), server
}

// at is a bucket of a server of one's own, which is asked once.
func at(server *httptest.Server, lease time.Duration) Bucket {
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{},
	})
	return Bucket{Client: client, Name: "state", Clock: clock.Real(), LeaseDuration: lease}
}

func TestAHolderOutOfReachStopsBeforeItsLeaseEnds(t *testing.T) {
	const lease = 3 * time.Second
	store, server := outage(t, lease)
	var told []string
	held, err := Acquire(t.Context(), store, holder("alice"), Options{Clock: clock.Real(), Log: func(s string) { told = append(told, s) }})
	require.NoError(t, err)
	taken := time.Now()
	err = held.Run(t.Context(), func(ctx context.Context) error {
		server.Close()
		<-ctx.Done()
		require.Less(t, time.Since(taken), lease-lease/renewalsPerLease, "time is left to end in an orderly way")
		require.True(t, isLost(context.Cause(ctx)))
		return context.Cause(ctx)
	})
	require.ErrorContains(t, err, "the lock of staging was lost: no heartbeat has reached the bucket state for ")
	require.Len(t, told, 2, "it was warned of once, and the lock could not be released")
	require.Contains(t, told[0], "warning: the lock's heartbeat failed: renew the lock of staging in the bucket state: ")
}

// Whoever is refused by a lock that is released in that moment has it, and need not be told of a holder that nobody knows.
func TestALockReleasedInBetweenIsTaken(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method)
		switch len(asked) {
		case 1:
			w.WriteHeader(http.StatusPreconditionFailed)
		case 2:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", `"1"`)
		}
	}))
	t.Cleanup(server.Close)
	grip, died, err := at(server, DefaultLeaseDuration).TryAcquire(t.Context(), holder("alice"))
	require.NoError(t, err)
	require.NotNil(t, grip)
	require.Nil(t, died)
	require.Equal(t, []string{"PUT", "GET", "PUT"}, asked)
}
