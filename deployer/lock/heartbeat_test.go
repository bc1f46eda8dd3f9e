package lock

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// network answers requests without a connection, so that a test has the time of its bubble.
type network func(r *http.Request) (*http.Response, error)

func (n network) Do(r *http.Request) (*http.Response, error) { return n(r) }

// respond returns a response of S3 after some time, or an error where the request ends before.
func respond(r *http.Request, after time.Duration, status int, body string) (*http.Response, error) {
	if err := clock.Real().Wait(r.Context(), after); err != nil {
		return nil, err
	}
	now := time.Now().UTC().Format(http.TimeFormat)
	return &http.Response{
		StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		Header: http.Header{"Etag": {`"1"`}, "Date": {now}, "Last-Modified": {now}},
	}, nil
}

// hang never responds.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// unreachable fails at once.
func unreachable(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }

const never = time.Duration(-1)

// A holder whose heartbeats fail stops 80 s after the start of the last that succeeded, at the latest, whatever the failing ones
// wait for: the lease ends 120 s after that, or later.
func TestWaysThatHeartbeatsFail(t *testing.T) {
	status := func(code int) network {
		return func(r *http.Request) (*http.Response, error) { return respond(r, 0, code, "") }
	}
	mine, taken := holder("alice"), holder("bob")
	lockOf := func(h Holder) string {
		h.Heartbeat = time.Now()
		h.Expires = h.Heartbeat.Add(DefaultLeaseDuration)
		body, err := json.Marshal(h)
		require.NoError(t, err)
		return string(body)
	}
	after := func(d time.Duration, body string) network {
		return func(r *http.Request) (*http.Response, error) { return respond(r, d, http.StatusOK, body) }
	}
	refusedThen := func(get network) network {
		return func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return get(r)
			}
			return respond(r, 0, http.StatusPreconditionFailed, "")
		}
	}
	const noHeartbeat = "no heartbeat has reached"
	const limit = maxMissedRenewals * DefaultLeaseDuration / renewalsPerLease
	interval := DefaultLeaseDuration / renewalsPerLease
	for name, test := range map[string]struct {
		heartbeats network
		lost       time.Duration
		want       string
	}{
		"no connection":                {unreachable, limit, noHeartbeat + " the bucket state for 1m20s"},
		"no response":                  {hang, limit, noHeartbeat},
		"a response too late":          {after(interval+time.Second, ""), limit, noHeartbeat},
		"slow":                         {after(interval-time.Second, ""), never, ""},
		"throttled":                    {status(http.StatusServiceUnavailable), limit, noHeartbeat},
		"expired credentials":          {status(http.StatusForbidden), limit, noHeartbeat},
		"refused, unreadable":          {refusedThen(status(http.StatusInternalServerError)), limit, noHeartbeat},
		"refused, no access":           {refusedThen(status(http.StatusForbidden)), limit, noHeartbeat},
		"refused, no response":         {refusedThen(hang), limit, noHeartbeat},
		"refused, the lock stays ours": {refusedThen(after(0, lockOf(mine))), limit, noHeartbeat},
		"refused, taken over":          {refusedThen(after(0, lockOf(taken))), interval, "it is now held by bob on bob-host (process 1)"},
		"refused, released":            {refusedThen(status(http.StatusNotFound)), interval, "another process released it"},
		"a body that does not end": {refusedThen(func(r *http.Request) (*http.Response, error) {
			response, err := respond(r, 0, 200, "")
			if err == nil {
				response.Body = io.NopCloser(endless{r.Context()})
			}
			return response, err
		}), limit, noHeartbeat},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				acquired := false
				store := Bucket{Name: "state", Clock: clock.Real(), Client: s3.New(s3.Options{
					Region: "us-east-1", Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{},
					HTTPClient: network(func(r *http.Request) (*http.Response, error) {
						if !acquired {
							acquired = true
							return respond(r, 5*time.Second, http.StatusOK, "")
						}
						if _, stops := r.Context().Deadline(); !stops {
							return nil, errors.New("a heartbeat without a time limit")
						}
						return test.heartbeats(r)
					}),
				})}
				held, err := Acquire(t.Context(), store, mine, Options{Clock: clock.Real(), Log: func(string) {}})
				require.NoError(t, err)
				var ended time.Time
				err = held.Run(t.Context(), func(ctx context.Context) error {
					_ = clock.Real().Wait(ctx, 10*DefaultLeaseDuration)
					ended = time.Now()
					return context.Cause(ctx)
				})
				if test.lost == never {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "the lock of staging was lost: "+test.want)
				var lost *LostError
				require.ErrorAs(t, err, &lost)
				if test.lost == limit {
					require.Equal(t, limit, ended.Sub(began), "it counts from the start of the acquisition, which took 5 s")
				} else {
					require.Equal(t, 5*time.Second+interval, ended.Sub(began))
				}
			})
		})
	}
}

// endless is a body that stays open until its request ends.
type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}
