package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/internal/s3sim"
)

// hold acquires the stack's lock in a bucket, and returns the stack as its holder opens it, and the holder's ID.
func (l harness) hold(t *testing.T, locks lock.Bucket, by string) (Stack, string) {
	t.Helper()
	me := lock.Holder{ID: by + rand.Text(), Stack: "dev", By: by}
	_, _, err := locks.TryAcquire(t.Context(), me)
	require.NoError(t, err)
	ctx, stop := context.WithCancelCause(context.Background())
	published, ended := make(chan string, 1), make(chan error, 1)
	started, pids := io.Pipe()
	_, kill := lock.ReadDeployer(started)
	go func() {
		ended <- locks.Keep(ctx, lock.KeepOptions{
			Stack: "dev", ID: me.ID, Orphaned: func() bool { return false }, KillEngine: kill, Publish: func(endpoint string) error {
				published <- endpoint
				return nil
			},
		})
	}()
	t.Cleanup(func() {
		stop(errors.New("done"))
		require.Error(t, <-ended)
	})
	s := l.stack
	s.OnEngine = func(pid int) { _, _ = fmt.Fprintln(pids, pid) }
	s.WorkDir = filepath.Join(s.WorkDir, by)
	s.GatedURL = "s3://state/a?hostname_immutable=true&region=us-east-1&use_path_style=true&endpoint=" + <-published
	return s, me.ID
}

// The real engine reads and writes its state in a bucket through the endpoint of the lock's keeper. An engine that continues
// after another process took the lock over cannot write, and is killed; the endpoint's address is in no message and no file.
func TestAFormerHoldersEngineCannotWriteItsState(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	sim := &s3sim.Server{Bucket: "state"}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	locks := lock.Bucket{Name: "state", Prefix: "a", Clock: clock.Real(), Client: s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("deployer", "test", ""),
	})}
	l.stack.BackendURL = "s3://state/a?region=us-east-1&use_path_style=true&endpoint=" + server.URL
	direct := 0
	sim.Written = func(w s3sim.Write) {
		if w.Client != "deployer" {
			direct++
		}
	}
	mine, id := l.hold(t, locks, "alice")
	alice, err := l.engine.Open(t.Context(), mine)
	require.NoError(t, err)
	_, err = alice.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Zero(t, direct)
	const key = "a/.pulumi/stacks/proj/dev.json"
	require.NotNil(t, sim.Content(key), sim.Keys())
	failed := make(chan error, 1)
	go func() {
		_, err := alice.Up(t.Context(), Update{Program: pair(with(valueMap("c"), "slow", pulumi.Bool(true)), valueMap("b"))}, nil)
		failed <- err
	}()
	require.Equal(t, "one", <-l.creating)

	require.NoError(t, locks.Expire(t.Context(), "dev", id))
	theirs, _ := l.hold(t, locks, "bob")
	theirs.Stale = func([]Holder) bool { return true }
	bob, err := l.engine.Open(t.Context(), theirs)
	require.NoError(t, err)
	require.Len(t, bob.Current().Resources, len(alice.Current().Resources))
	before := sim.Content(key)
	close(l.release)
	var killed *FailedError
	require.ErrorAs(t, <-failed, &killed)
	require.True(t, killed.Killed)
	require.Equal(t, before, sim.Content(key), "its write was refused, and the keeper killed it")
	require.NoError(t, bob.Unlock(t.Context()), "its own lock is left")

	_, err = alice.Up(t.Context(), Update{}, nil)
	require.Error(t, err)
	secret := mine.GatedURL[strings.LastIndex(mine.GatedURL, "/")+1:]
	require.NotContains(t, err.Error(), secret)
	require.ErrorContains(t, err, "the lock's keeper")
	_, err = bob.Up(t.Context(), Update{Program: pair(valueMap("d"), valueMap("b"))}, nil)
	require.NoError(t, err)
	plain := l.open(t)
	require.Equal(t, "d", plain.Current().Text("value"), "plain pulumi reads it")
	require.NoError(t, filepath.WalkDir(filepath.Join(l.stack.Project, ".deployer"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			require.NotContains(t, read(t, path), secret, path)
		}
		return err
	}))
}
