package lock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/procs"
)

// The environment variables of the processes below.
const (
	testEndpoint = "LOCK_TEST_ENDPOINT"
	testHolder   = "LOCK_TEST_HOLDER"
	testParent   = "LOCK_TEST_PARENT"
)

// bucketAt returns the store of the test's other processes.
func bucketAt(endpoint string) Bucket {
	return Bucket{Name: "state", Prefix: "a/b", Clock: clock.Real(), LeaseDuration: shortLease, Client: s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), UsePathStyle: true, HTTPClient: &serialClient{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})}
}

// process returns this test binary as another process, which runs one test.
func process(test string, variables ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), variables...)
	return cmd
}

// A deployer is killed, and its engine lives for longer than the lease: no other deployer may take the lock meanwhile, and the
// next one takes it over as soon as the engine has ended.
func TestTheLockOfABucketLastsAsLongAsTheEngine(t *testing.T) {
	store := bucket(t)
	deployer := process("TestDeployerWithEngine", testEndpoint+"="+*store.Client.Options().BaseEndpoint)
	out, err := deployer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, deployer.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var engine, keeper int
	_, err = fmt.Sscanf(line, "engine %d keeper %d", &engine, &keeper)
	require.NoError(t, err, line)
	t.Cleanup(func() { _ = unix.Kill(engine, unix.SIGKILL) })
	require.NoError(t, deployer.Process.Kill())
	require.Error(t, deployer.Wait())

	require.NoError(t, store.Clock.Wait(t.Context(), 2*shortLease))
	require.True(t, procs.Alive(engine))
	_, _, err = store.TryAcquire(t.Context(), holder("bob"))
	var held *HeldError
	require.ErrorAs(t, err, &held, "two engines would write the state")
	require.Equal(t, StateEnding, held.State)
	require.Equal(t, "alice", held.Holder.By)
	require.Equal(t, "provision", held.Holder.Phase)

	require.NoError(t, unix.Kill(engine, unix.SIGKILL))
	killed := time.Now()
	require.Eventually(t, func() bool {
		_, previous, err := store.TryAcquire(t.Context(), holder("bob"))
		return err == nil && previous != nil && previous.By == "alice"
	}, 20*time.Second, 50*time.Millisecond)
	t.Logf("taken over %s after the engine's end", time.Since(killed))
	require.Eventually(t, func() bool { return !procs.Alive(keeper) }, 10*time.Second, 10*time.Millisecond)
}

// TestDeployerWithEngine runs the deployer of TestTheLockOfABucketLastsAsLongAsTheEngine.
func TestDeployerWithEngine(t *testing.T) {
	endpoint, asked := os.LookupEnv(testEndpoint)
	if !asked || os.Getenv(testHolder) != "" {
		t.Skip("another test runs it")
	}
	me := holder("alice")
	me.Phase, me.PID = "provision", os.Getpid()
	_, _, err := bucketAt(endpoint).TryAcquire(t.Context(), me)
	require.NoError(t, err)
	keeper, err := StartKeeper(t.Context(), process("TestKeeperOfEngine", testEndpoint+"="+endpoint, testHolder+"="+me.ID, testParent+"="+strconv.Itoa(os.Getpid())),
		func(err error) { panic(err) })
	require.NoError(t, err)
	engine := exec.Command("sleep", "300")
	require.NoError(t, engine.Start())
	_, _ = fmt.Fprintf(os.Stdout, "engine %d keeper %d\n", engine.Process.Pid, keeper.cmd.Process.Pid)
	_ = engine.Wait()
}

// TestKeeperOfEngine runs the keeper of TestTheLockOfABucketLastsAsLongAsTheEngine.
func TestKeeperOfEngine(t *testing.T) {
	id, asked := os.LookupEnv(testHolder)
	if !asked {
		t.Skip("another test runs it")
	}
	parent, err := strconv.Atoi(os.Getenv(testParent))
	require.NoError(t, err)
	ended, kill := ReadDeployer(os.Stdin)
	require.NoError(t, bucketAt(os.Getenv(testEndpoint)).Keep(t.Context(), KeepOptions{
		Stack: "staging", ID: id, Orphaned: OrphanOf(parent), Ended: ended, KillEngine: kill,
		Publish: func(endpoint string) error {
			_, err := fmt.Fprintln(os.Stdout, endpoint)
			return err
		},
	}))
}

// A keeper that ends by itself is reported at once, not when the lock has expired.
func TestKeeperThatEnds(t *testing.T) {
	ended := make(chan error, 1)
	onEnd := func(err error) { ended <- err }
	for script, reason := range map[string]string{
		"exit 3": "the lock's keeper has ended: exit status 3", "exit 0": "the lock's keeper has ended: exit status 0",
		"echo it was released; exit 1": "it was released",
	} {
		keeper, err := StartKeeper(t.Context(), exec.Command("sh", "-c", "echo http://127.0.0.1:1/x; "+script), onEnd)
		require.NoError(t, err)
		require.Equal(t, "http://127.0.0.1:1/x", keeper.Endpoint())
		require.EqualError(t, <-ended, reason)
		keeper.EngineStarted(1)
		keeper.Stop()
	}
	stopped, err := StartKeeper(t.Context(), exec.Command("sh", "-c", "echo http://127.0.0.1:1/x; exec cat"), onEnd)
	require.NoError(t, err)
	stopped.Stop()
	_, err = StartKeeper(t.Context(), exec.Command("sh", "-c", "exit 3"), onEnd)
	require.EqualError(t, err, "start the lock's keeper: it ended early")
	_, err = StartKeeper(t.Context(), exec.Command("sh", "-c", "printf 'first\ndeployer: no credentials\nhint: log in\n' >&2; exit 3"), onEnd)
	require.EqualError(t, err, "start the lock's keeper: no credentials")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { interrupt(errors.New("interrupted")) })
	_, err = StartKeeper(interrupted, exec.Command("sh", "-c", "exec cat"), onEnd)
	require.EqualError(t, err, "start the lock's keeper: interrupted", "a keeper that never publishes its address")
	var none *Keeper
	require.Empty(t, none.Endpoint())
	none.EngineStarted(1)
	require.Empty(t, ended, "Stop is no failure")
}

// releaseOf releases the lock of a holder, as that does itself.
func releaseOf(t *testing.T, b Bucket, id string) error {
	found, err := b.getHeldBy(t.Context(), "staging", id)
	require.NoError(t, err)
	return b.remove(t.Context(), "staging", found.etag)
}

// A keeper never touches a lock that its holder has released, that was released for it, or that another holder has.
func TestKeepLeavesOtherLocksAlone(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	for name, change := range map[string]func(*testing.T, Bucket, string){
		"released": func(t *testing.T, b Bucket, id string) {
			require.NoError(t, releaseOf(t, b, id))
		},
		"expired": func(t *testing.T, b Bucket, id string) { require.NoError(t, b.Expire(t.Context(), "staging", id)) },
		"another's": func(t *testing.T, b Bucket, id string) {
			require.NoError(t, b.Expire(t.Context(), "staging", id))
			_, _, err := b.TryAcquire(t.Context(), holder("bob"))
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, alice := bucket(t), holder("alice")
			_, _, err := store.TryAcquire(t.Context(), alice)
			require.NoError(t, err)
			change(t, store, alice.ID)
			before, err := store.read(t.Context(), "staging")
			require.NoError(t, err)
			killed := false
			o := KeepOptions{Stack: "staging", ID: alice.ID, Orphaned: func() bool { return true }, KillEngine: func() { killed = true }}
			require.True(t, isLost(store.Keep(t.Context(), o)), "it ends by itself")
			require.True(t, killed)
			after, err := store.read(t.Context(), "staging")
			require.NoError(t, err)
			if before == nil {
				require.Nil(t, after)
			} else {
				require.Equal(t, before.Holder, after.Holder)
			}
			o.Ended = ended
			require.True(t, isLost(store.Keep(t.Context(), o)))
			if status, err := store.Get(t.Context(), "staging"); name == "another's" {
				require.NoError(t, err)
				require.Equal(t, StateHeld, status.State)
			}
		})
	}
}

// While the deployer runs, its own heartbeats count: a deployer that hangs, or was stopped, loses the lock, and its engine ends
// before another deployer can take the lock over.
func TestKeepDoesNotReplaceTheHeartbeatsOfARunningDeployer(t *testing.T) {
	store, alice := bucket(t), holder("alice")
	_, _, err := store.TryAcquire(t.Context(), alice)
	require.NoError(t, err)
	before, err := store.read(t.Context(), "staging")
	require.NoError(t, err)
	killed := false
	require.EqualError(t, store.Keep(t.Context(), KeepOptions{
		Stack: "staging", ID: alice.ID, Orphaned: func() bool { return false }, KillEngine: func() { killed = true },
	}), "the lock of staging was lost: the lock was not renewed in time: the state may be another process's")
	require.True(t, killed)
	after, err := store.read(t.Context(), "staging")
	require.NoError(t, err)
	require.Equal(t, before.etag, after.etag)
	require.Equal(t, StateHeld, after.State, "it is not another's yet")
	require.True(t, strings.HasPrefix(after.Holder.By, "alice"))
}
