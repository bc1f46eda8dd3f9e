package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func acceptAll(ImportCandidate, map[string]any) bool { return true }

// killEngine kills the engine that holds the stack's lock.
func (l harness) killEngine(t *testing.T) {
	t.Helper()
	held := l.locks(t)
	require.Len(t, held, 1)
	var lock struct{ Pid int }
	require.NoError(t, json.Unmarshal([]byte(read(t, held[0])), &lock))
	require.NoError(t, unix.Kill(lock.Pid, unix.SIGKILL))
}

// A create whose engine was killed is found, and not repeated.
func TestReconcileAfterAKilledEngine(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), with(valueMap("b"), "slow", pulumi.Bool(true))))
	h := l.open(t)
	ended := make(chan error, 1)
	go func() {
		_, err := h.Up(t.Context(), Update{}, nil)
		ended <- err
	}()
	require.Equal(t, "two", <-l.creating)
	l.killEngine(t)
	var failed *FailedError
	require.ErrorAs(t, <-ended, &failed)
	require.True(t, failed.Killed)
	require.Len(t, failed.Pending, 1)
	close(l.release) // the provider still creates it
	var made []string
	require.Eventually(t, func() bool { made = append(made, l.done()...); return len(made) == 2 }, 20*time.Second, 20*time.Millisecond)

	plan, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Len(t, plan.NewResources, 1)
	candidates := []ImportCandidate{{plan.NewResources[0], "two"}}
	_, err = h.Reconcile(t.Context(), candidates, false, acceptAll)
	var locked *ConcurrentUpdateError
	require.ErrorAs(t, err, &locked, "the engine has left its lock")
	require.Len(t, locked.Holders, 1)
	require.NoError(t, h.Unlock(t.Context()))

	result, err := h.Reconcile(t.Context(), candidates, false, acceptAll)
	require.NoError(t, err)
	require.Equal(t, candidates, result.Imported)
	require.Equal(t, failed.Pending, result.Resolved)
	done, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Zero(t, done.Changed())
	require.Empty(t, l.done(), "nothing is created again")
	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Pending)
}

// A delete whose response was lost leaves a resource in the state that no longer exists: only a whole refresh shows that.
func TestReconcileRefreshAllRemovesWhatIsGone(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	known := func() (names []string) {
		state, err := h.State(t.Context())
		require.NoError(t, err)
		for _, r := range state.Resources {
			if isProgramType(r.Type) {
				names = append(names, r.Name)
			}
		}
		return names
	}
	before := known()
	l.set("two", nil)
	_, err = h.Reconcile(t.Context(), nil, false, acceptAll)
	require.NoError(t, err)
	require.Equal(t, before, known())
	_, err = h.Reconcile(t.Context(), nil, true, acceptAll)
	require.NoError(t, err)
	require.Equal(t, []string{"one"}, known())
}

// A candidate that does not exist, is refused, or cannot be read is not in the state afterwards.
func TestReconcileChangesNothingElse(t *testing.T) {
	one := func(ctx *pulumi.Context) error {
		_, err := newThing(ctx, "one", valueMap("a"))
		return err
	}
	l := newHarness(t, one)
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	before, err := h.State(t.Context())
	require.NoError(t, err)
	plan, err := h.Preview(t.Context(), Update{Program: pair(valueMap("a"), valueMap("b"))}, nil)
	require.NoError(t, err)
	require.Len(t, plan.NewResources, 1)
	require.Equal(t, map[string]any{"value": "b"}, plan.NewResources[0].Inputs)

	result, err := h.Reconcile(t.Context(), []ImportCandidate{{plan.NewResources[0], "absent"}}, false, acceptAll)
	require.NoError(t, err)
	require.Equal(t, ReconcileResult{}, result)

	l.set("two", map[string]any{"value": "theirs"})
	candidates := []ImportCandidate{{plan.NewResources[0], "two"}}
	result, err = h.Reconcile(t.Context(), candidates, false, func(_ ImportCandidate, outputs map[string]any) bool { return outputs["value"] != "theirs" })
	require.NoError(t, err)
	require.Equal(t, ReconcileResult{Foreign: candidates}, result)

	l.set("two", map[string]any{"unreadable": true})
	_, err = h.Reconcile(t.Context(), candidates, false, acceptAll)
	require.ErrorContains(t, err, "no right to read two")

	after, err := h.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Resources, after.Resources)
}

// An engine that is killed while it writes a state's attributes leaves a complete state that the backend cannot read.
func TestCorruptAttributesAreRemoved(t *testing.T) {
	l := newHarness(t, func(ctx *pulumi.Context) error {
		_, err := newThing(ctx, "one", valueMap("a"))
		return err
	})
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	attributes := l.stateFile() + ".attrs"
	require.FileExists(t, attributes)
	write(t, attributes, "")
	_, err = h.State(t.Context())
	require.ErrorContains(t, err, "EOF", "the backend can read it")

	state, err := l.open(t).State(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, state.Resources)
}

func TestRemoveTempFilesOfTheStackOnly(t *testing.T) {
	dir := t.TempDir()
	h := &Handle{stack: Stack{Name: "dev", BackendURL: "file://" + dir}}
	below := func(name string) string { return filepath.Join(dir, ".pulumi", filepath.FromSlash(name)) }
	for path, left := range map[string]bool{
		"stacks/proj/dev.json": true, "stacks/proj/dev.json.18a.tmp": false, "stacks/proj/staging.json.18a.tmp": true,
		"history/proj/dev/dev-1.history.json.18a.tmp": false, "locks/organization/proj/staging/x.json.18a.tmp": true,
		"stacks/proj/.dev.json123": false, "stacks/proj/.staging.json123": true,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(below(path)), 0o700))
		write(t, below(path), "{")
		defer func() {
			if left {
				require.FileExists(t, below(path))
				return
			}
			require.NoFileExists(t, below(path))
		}()
	}
	h.removeTempFiles()
}
