package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// A killed deployer ends the program and, here, the provider. Its engine must notice that, write the state and remove its
// lock.
func TestKilledDeployer(t *testing.T) {
	l := newHarness(t, nil)
	h := l.open(t)
	deployer := exec.Command(os.Args[0], "-test.run=^TestDeployerToBeKilled$")
	// Killed, it removes nothing that it has written.
	deployer.Env = append(os.Environ(), "ENGINE_TEST_PROJECT="+l.stack.Project, "TMPDIR="+t.TempDir())
	out, err := deployer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, deployer.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "creating one\n", line)
	require.Len(t, l.locks(t), 1)
	require.NoError(t, deployer.Process.Kill())
	require.Error(t, deployer.Wait())
	require.Eventually(t, func() bool { return len(l.locks(t)) == 0 }, 20*time.Second, 20*time.Millisecond)
	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Pending)
}

// TestDeployerToBeKilled runs the other process of TestKilledDeployer.
func TestDeployerToBeKilled(t *testing.T) {
	dir, asked := os.LookupEnv("ENGINE_TEST_PROJECT")
	if !asked {
		t.Skip("TestKilledDeployer runs it")
	}
	l := newHarnessIn(t, dir, pair(with(valueMap("a"), "slow", pulumi.Bool(true)), valueMap("b")))
	h := l.open(t)
	go func() { _, _ = os.Stdout.WriteString("creating " + <-l.creating + "\n") }()
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err, "it was not killed")
}

// takenError ends a context after which another process may write the state.
type takenError struct{ error }

func (takenError) StateTaken() {}

// When another process may have taken the stack over, the engine is killed at once: it may not write its state once more, and nothing
// removes a lock that may be the other engine's.
func TestAnEngineIsKilledWhenItsStateIsTaken(t *testing.T) {
	l := newHarness(t, pair(with(valueMap("a"), "slow", pulumi.Bool(true)), valueMap("b")))
	h := l.open(t)
	ctx, lose := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := h.Up(ctx, Update{}, nil)
		failed <- err
	}()
	require.Equal(t, "one", <-l.creating)
	before := read(t, l.stateFile())
	lose(fmt.Errorf("lost: %w", takenError{errors.New("bob has the lock")}))
	var interrupted *InterruptedError
	select {
	case err := <-failed:
		require.ErrorAs(t, err, &interrupted)
	case <-time.After(20 * time.Second):
		require.FailNow(t, "the engine waits for its operation, and writes its state after that")
	}
	close(l.release)
	require.False(t, interrupted.Killed, "its lock is not removed")
	require.Len(t, interrupted.Pending, 1)
	require.Contains(t, interrupted.Hint(), "is unknown")
	require.Equal(t, before, read(t, l.stateFile()))
	require.Len(t, l.locks(t), 1)
}
