package lock

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/s3sim"
)

const stateKey = "a/b/.pulumi/stacks/proj/staging.json"

// simulated returns a simulated bucket, and the store of its locks.
func simulated(t *testing.T) (*s3sim.Server, Bucket) {
	sim := &s3sim.Server{Bucket: "state"}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return sim, Bucket{Name: "state", Prefix: "a/b", Clock: clock.Real(), Client: s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("deployer", "test", ""),
	})}
}

// engineOf acquires the lock for a holder, and returns a client like its engine's: it sends its requests to the gate, without
// conditions.
func engineOf(t *testing.T, store Bucket, name string) (client *s3.Client, w *watch) {
	me := holder(name)
	_, _, err := store.TryAcquire(t.Context(), me)
	require.NoError(t, err)
	w = &watch{Bucket: store, stack: "staging", id: me.ID, lost: make(chan struct{})}
	require.NoError(t, w.update(t.Context(), false))
	endpoint, err := newGate(store, w).serve(t.Context())
	require.NoError(t, err)
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("engine", "any", ""),
	}), w
}

func putState(ctx context.Context, client *s3.Client, key, content string) error {
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("state"), Key: &key, Body: strings.NewReader(content)})
	return err
}

func getState(t *testing.T, client *s3.Client, key string) string {
	t.Helper()
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("state"), Key: &key})
	require.NoError(t, err)
	content, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	return strings.TrimSpace(string(content))
}

// buckets runs a test against the simulated bucket and, over the wire, against moto.
func buckets(t *testing.T, test func(*testing.T, Bucket)) {
	t.Run("simulated", func(t *testing.T) {
		_, store := simulated(t)
		test(t, store)
	})
	t.Run("moto", func(t *testing.T) {
		store := bucket(t)
		store.LeaseDuration = 0
		test(t, store)
	})
}

// The engine of a former holder has read the state, and continues. It has no chance once the new holder's engine has read it,
// whatever the former's own lock and clock are.
func TestAFormerHolderNeverWrites(t *testing.T) {
	buckets(t, func(t *testing.T, store Bucket) {
		require.NoError(t, putState(t.Context(), store.Client, stateKey, `{"n":1}`))
		alice, watched := engineOf(t, store, "alice")
		require.Equal(t, `{"n":1}`, getState(t, alice, stateKey))
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":2}`))
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":3}`))

		require.NoError(t, store.Expire(t.Context(), "staging", watched.id))
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":4}`), "alice's permit is not over, and the new holder has read nothing")
		bob, _ := engineOf(t, store, "bob")
		require.Equal(t, `{"n":4}`, getState(t, bob, stateKey))
		require.ErrorContains(t, putState(t.Context(), alice, stateKey, `{"n":4,"by":"alice"}`), "another process has written the state")
		require.True(t, isLost(watched.reason()))
		require.ErrorContains(t, putState(t.Context(), alice, "a/b/.pulumi/locks/x.json", "x"), "was lost", "nothing else either")
		require.NoError(t, putState(t.Context(), bob, stateKey, `{"n":5}`))
		require.Equal(t, `{"n":5}`, getState(t, bob, stateKey))
	})
}

// A former holder that has not read the state before does not fence the new one.
func TestAFormerHolderDoesNotFence(t *testing.T) {
	buckets(t, func(t *testing.T, store Bucket) {
		require.NoError(t, putState(t.Context(), store.Client, stateKey, `{"n":1}`))
		alice, watched := engineOf(t, store, "alice")
		require.NoError(t, store.Expire(t.Context(), "staging", watched.id))
		bob, _ := engineOf(t, store, "bob")
		require.Equal(t, `{"n":1}`, getState(t, bob, stateKey))
		key := stateKey
		_, err := alice.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("state"), Key: &key})
		require.ErrorContains(t, err, "it is now held by bob")
		require.NoError(t, putState(t.Context(), bob, stateKey, `{"n":2}`))
	})
}

// The state is created by one holder only, deleted by its holder only, and written beside the lock by no one unnoticed.
func TestCreateDeleteAndForeignWrites(t *testing.T) {
	buckets(t, func(t *testing.T, store Bucket) {
		alice, watched := engineOf(t, store, "alice")
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":1}`))
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":2}`))
		_, err := alice.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("state"), Key: aws.String(stateKey)})
		require.NoError(t, err)
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":3}`))
		_, err = alice.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: aws.String("state"), Key: aws.String(stateKey + ".bak"), CopySource: aws.String("state/" + stateKey),
		})
		require.NoError(t, err)
		require.Equal(t, `{"n":3}`, getState(t, alice, stateKey+".bak"))

		require.NoError(t, putState(t.Context(), store.Client, stateKey, `{"by":"pulumi"}`))
		require.ErrorContains(t, putState(t.Context(), alice, stateKey, `{"n":4}`), "another process has written the state")
		require.True(t, isLost(watched.reason()))
		require.Equal(t, `{"by":"pulumi"}`, getState(t, store.Client, stateKey))
	})
	t.Run("created meanwhile", func(t *testing.T) {
		_, store := simulated(t)
		alice, watched := engineOf(t, store, "alice")
		require.NoError(t, store.Expire(t.Context(), "staging", watched.id))
		engineOf(t, store, "bob")
		require.ErrorContains(t, putState(t.Context(), alice, stateKey, `{"by":"alice"}`), "it is now held by bob")
	})
}

// Where the response to a write is lost, the engine repeats it: it is the holder's own version that is in its way.
func TestALostResponseIsNoOtherWriter(t *testing.T) {
	sim, store := simulated(t)
	sim.Put(stateKey, []byte(`{"n":1}`))
	alice, watched := engineOf(t, store, "alice")
	require.Equal(t, `{"n":1}`, getState(t, alice, stateKey))
	lose := true
	sim.Intercept = func(w http.ResponseWriter, r *http.Request, acted bool) bool {
		if r.Method != http.MethodPut || !acted || !lose {
			return false
		}
		lose = false
		return closeConnection(w)
	}
	require.ErrorContains(t, putState(t.Context(), alice, stateKey, `{"n":2}`), "ServiceUnavailable")
	require.Contains(t, string(sim.Content(stateKey)), `{"n":2}`)
	require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":3}`))
	require.NoError(t, watched.reason())

	// An engine that reads after such a write sees it, and no late copy of the write replaces what it writes.
	lose = true
	require.Error(t, putState(t.Context(), alice, stateKey, `{"n":4}`))
	before := sim.Content(stateKey)
	require.Equal(t, `{"n":4}`, getState(t, alice, stateKey))
	require.NotEqual(t, before, sim.Content(stateKey), "it was fenced again")
}

// closeConnection ends a connection without a response.
func closeConnection(w http.ResponseWriter) bool {
	connection, _, err := w.(http.Hijacker).Hijack()
	return err == nil && connection.Close() == nil
}

// A machine that slept, or was disconnected, writes nothing until its lock is renewed.
func TestNothingIsWrittenAfterThePermit(t *testing.T) {
	sim, store := simulated(t)
	sim.Put(stateKey, []byte(`{"n":1}`))
	alice, watched := engineOf(t, store, "alice")
	require.Equal(t, `{"n":1}`, getState(t, alice, stateKey))
	var offline atomic.Bool
	offline.Store(true)
	sim.Intercept = func(w http.ResponseWriter, r *http.Request, _ bool) bool {
		return offline.Load() && strings.Contains(r.URL.Path, "/locks/") && closeConnection(w)
	}
	watched.allow(permit{start: time.Now().Add(-DefaultLeaseDuration), left: DefaultLeaseDuration})
	require.ErrorContains(t, putState(t.Context(), alice, stateKey, `{"n":2}`), "was not renewed in time")
	require.Contains(t, string(sim.Content(stateKey)), `{"n":1}`)
	offline.Store(false)
	require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":2}`), "it reads the lock again")
}

func TestOtherStacksAndUsersAreNotServed(t *testing.T) {
	sim, store := simulated(t)
	other := strings.Replace(stateKey, "staging", "dev", 1)
	sim.Put(other, []byte(`{"n":1}`))
	alice, watched := engineOf(t, store, "alice")
	require.Equal(t, `{"n":1}`, getState(t, alice, other))
	require.Equal(t, `{"n":1}`, string(sim.Content(other)), "another lock guards it")
	endpoint, err := newGate(store, watched).serve(t.Context())
	require.NoError(t, err)
	for _, path := range []string{endpoint + "/other/key", endpoint[:strings.LastIndex(endpoint, "/")] + "/guess/state/" + stateKey} {
		response, err := http.Get(path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusForbidden, response.StatusCode, path)
	}
}

// The mark changes the bytes of each write, and nothing of what they mean.
func TestMark(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, `{"n":1}`)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for name, content := range map[string][]byte{
		"JSON": []byte(`{"n":1}`), "gzip": packed.Bytes(), "zstd": {0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x38, 1, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := mark(content), mark(content)
			require.NotEqual(t, first, second)
			require.Equal(t, len(first), len(second))
			switch name {
			case "JSON":
				require.Len(t, mark(first), len(first), "a mark replaces the one before")
				require.JSONEq(t, string(content), string(first))
				var state struct{ N int }
				require.NoError(t, json.Unmarshal(first, &state))
			case "gzip":
				r, err := gzip.NewReader(bytes.NewReader(first))
				require.NoError(t, err)
				read, err := io.ReadAll(r)
				require.NoError(t, err)
				require.Equal(t, `{"n":1}`, string(read))
			case "zstd":
				require.Equal(t, append(content, 0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0), first[:len(content)+8])
			}
		})
	}
}

// The SDK sends a body in chunks where it adds a checksum to a stream.
func TestReadBody(t *testing.T) {
	chunked := func(body, length string) *http.Request {
		r := httptest.NewRequest(http.MethodPut, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		r.Header.Set("X-Amz-Decoded-Content-Length", length)
		return r
	}
	for name, test := range map[string]struct {
		r    *http.Request
		want string
		fail bool
	}{
		"plain":      {httptest.NewRequest(http.MethodPut, "/", strings.NewReader("5\r\nhello")), "5\r\nhello", false},
		"chunks":     {chunked("5\r\nhello\r\n6;chunk-signature=abc\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", "11"), "hello world", false},
		"empty":      {chunked("0\r\n\r\n", "0"), "", false},
		"truncated":  {chunked("5\r\nhel", "5"), "", true},
		"no end":     {chunked("5\r\nhello\r\n", "5"), "", true},
		"too little": {chunked("5\r\nhello\r\n0\r\n\r\n", "6"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := readBody(test.r)
			require.Equal(t, test.fail, err != nil, "%v", err)
			require.Equal(t, test.want, string(body))
		})
	}
}

// The engine escapes and cleans the prefix of the state in its own way: the state is fenced under any.
func TestTheStateIsFencedUnderAnyPrefix(t *testing.T) {
	for _, prefix := range []string{"plain", "team=a", "me@org", "a+b", "with space", "ü", "a/__0x2f__b", "a//b", "a/./b", "x/a%2Fb", ""} {
		t.Run(prefix, func(t *testing.T) {
			sim, store := simulated(t)
			store.Prefix = prefix
			key := strings.TrimPrefix(prefix+"/.pulumi/stacks/proj/staging.json", "/")
			require.NoError(t, putState(t.Context(), store.Client, key, `{"n":1}`))
			alice, watched := engineOf(t, store, "alice")
			require.Equal(t, `{"n":1}`, getState(t, alice, key))
			require.NoError(t, putState(t.Context(), alice, key, `{"n":2}`))
			require.NoError(t, store.Expire(t.Context(), "staging", watched.id))
			bob, _ := engineOf(t, store, "bob")
			require.Equal(t, `{"n":2}`, getState(t, bob, key))
			require.NoError(t, putState(t.Context(), bob, key, `{"n":3}`))
			require.ErrorContains(t, putState(t.Context(), alice, key, `{"n":4}`), "another process has written the state")
			require.Contains(t, string(sim.Content(key)), `{"n":3}`)
		})
	}
}

func TestIsState(t *testing.T) {
	g := newGate(Bucket{Client: s3.New(s3.Options{}), Name: "state", Prefix: "a"}, &watch{stack: "staging"})
	for key, want := range map[string]bool{
		".pulumi/stacks/staging.json":              true,
		".pulumi/stacks/proj/staging.json":         true,
		"a/.pulumi/stacks/proj/staging.json.gz":    true,
		"a/b/.pulumi/stacks/proj/staging.json.zst": true,
		"x/__0x2f__.pulumi/stacks/staging.json":    true,
		"a/.pulumi/stacks/proj/staging.json.bak":   false,
		"a/.pulumi/stacks/proj/staging2.json":      false,
		"a/.pulumi/stacks/proj/dev.json":           false,
		"a/.pulumi/stacks/proj/.json":              false,
		"a/.pulumi/stacks/proj/x/staging.json":     false,
		"a/.pulumi/locks/proj/staging.json":        false,
		"a/locks/staging.json":                     false,
	} {
		require.Equal(t, want, g.isState(key), key)
	}
}

// A bucket with Object Lock requires a checksum of every write. A copy has no body.
func TestWritesHaveAChecksum(t *testing.T) {
	sim, store := simulated(t)
	alice, _ := engineOf(t, store, "alice")
	sums := map[string]string{}
	sim.Intercept = func(_ http.ResponseWriter, r *http.Request, acted bool) bool {
		if r.Method == http.MethodPut && acted {
			sums[r.URL.Path] = r.Header.Get("X-Amz-Checksum-Sha256")
		}
		return false
	}
	require.NoError(t, putState(t.Context(), alice, "a/b/.pulumi/history/x.json", "x"))
	require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":1}`))
	_, err := alice.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String("state"), Key: aws.String(stateKey + ".bak"), CopySource: aws.String("state/" + stateKey),
	})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("x"))
	require.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), sums["/state/a/b/.pulumi/history/x.json"])
	sum = sha256.Sum256(sim.Content(stateKey))
	require.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), sums["/state/"+stateKey])
	require.Empty(t, sums["/state/"+stateKey+".bak"])
}

// A request that can never succeed is no failure of the service, which an engine would try again.
func TestRejectedRequests(t *testing.T) {
	_, store := simulated(t)
	alice, watched := engineOf(t, store, "alice")
	_, err := alice.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("state"), Key: aws.String(stateKey)})
	require.ErrorContains(t, err, "set PULUMI_DIY_BACKEND_GZIP=true")
	require.Equal(t, http.StatusBadRequest, httpStatus(err))
	_, err = alice.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("state"), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String(stateKey)}},
	}})
	require.Equal(t, http.StatusBadRequest, httpStatus(err), "it has no condition")
	require.NoError(t, watched.reason())
}

// Where the response to a deletion is lost, the engine repeats it: an object that is missing is deleted.
func TestARepeatedDeletion(t *testing.T) {
	sim, store := simulated(t)
	sim.Put(stateKey, []byte(`{"n":1}`))
	alice, watched := engineOf(t, store, "alice")
	require.Equal(t, `{"n":1}`, getState(t, alice, stateKey))
	remove := func() error {
		_, err := alice.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("state"), Key: aws.String(stateKey)})
		return err
	}
	lose := true
	sim.Intercept = func(w http.ResponseWriter, r *http.Request, acted bool) bool {
		if r.Method != http.MethodDelete || !acted || !lose {
			return false
		}
		lose = false
		return closeConnection(w)
	}
	require.ErrorContains(t, remove(), "ServiceUnavailable")
	require.Nil(t, sim.Content(stateKey))
	require.NoError(t, remove())
	require.NoError(t, remove())

	// The condition of a deletion fails because the object is missing: another path has deleted it.
	for _, status := range []int{http.StatusNotFound, http.StatusPreconditionFailed} {
		require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":2}`))
		sim.Intercept = func(w http.ResponseWriter, r *http.Request, acted bool) bool {
			if r.Method == http.MethodDelete && acted {
				w.WriteHeader(status)
			}
			return r.Method == http.MethodDelete && acted
		}
		require.NoError(t, remove())
		require.Nil(t, sim.Content(stateKey))
	}
	require.NoError(t, watched.reason())
	require.NoError(t, putState(t.Context(), alice, stateKey, `{"n":3}`))
}

// A large state gets the time that a slow uplink needs; no other time limit applies.
func TestTimeoutOf(t *testing.T) {
	require.Equal(t, gateTimeout, timeoutOf(0))
	require.Equal(t, gateTimeout+time.Second, timeoutOf(slowestRate))
	require.Equal(t, 94*time.Second, timeoutOf(maxState))
	limited := s3.New(s3.Options{HTTPClient: awshttp.NewBuildableClient().WithTimeout(time.Second)})
	require.Zero(t, newGate(Bucket{Client: limited}, &watch{}).http.(*awshttp.BuildableClient).GetTimeout())
}
