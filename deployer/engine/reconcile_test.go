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

func mine(ImportCandidate, map[string]any) bool { return true }

// killEngine kills the engine that holds the stack's lock.
func (l lab) killEngine(t *testing.T) {
	t.Helper()
	held := l.locks(t)
	require.Len(t, held, 1)
	var lock struct{ Pid int }
	require.NoError(t, json.Unmarshal([]byte(read(t, held[0])), &lock))
	require.NoError(t, unix.Kill(lock.Pid, unix.SIGKILL))
}

// A create of which the engine does not live to see the end is found, and not repeated.
func TestSettleAfterAKilledEngine(t *testing.T) {
	l := newLab(t, pair(valueMap("a"), with(valueMap("b"), "slow", pulumi.Bool(true))))
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
	close(l.release) // the provider does not know, and makes it
	var made []string
	require.Eventually(t, func() bool { made = append(made, l.done()...); return len(made) == 2 }, 20*time.Second, 20*time.Millisecond)

	plan, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Len(t, plan.NewResources, 1)
	found := []ImportCandidate{{plan.NewResources[0], "two"}}
	_, err = h.Reconcile(t.Context(), found, false, mine)
	var busy *ConcurrentUpdateError
	require.ErrorAs(t, err, &busy, "the engine has left its lock")
	require.Len(t, busy.Holders, 1)
	require.NoError(t, h.Unlock(t.Context()))

	settled, err := h.Reconcile(t.Context(), found, false, mine)
	require.NoError(t, err)
	require.Equal(t, found, settled.Imported)
	require.Equal(t, failed.Pending, settled.Resolved)
	done, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Zero(t, done.Changed())
	require.Empty(t, l.done(), "nothing is made again")
	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Pending)
}

// A delete whose answer was lost leaves a resource in the state that the account has not: only reading everything tells.
func TestSettleAsAWholeForgetsWhatIsGone(t *testing.T) {
	l := newLab(t, pair(valueMap("a"), valueMap("b")))
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
	_, err = h.Reconcile(t.Context(), nil, false, mine)
	require.NoError(t, err)
	require.Equal(t, before, known())
	_, err = h.Reconcile(t.Context(), nil, true, mine)
	require.NoError(t, err)
	require.Equal(t, []string{"one"}, known())
}

// What is not there, is somebody else's, or cannot be read leaves no trace in the state.
func TestSettleLeavesTheRestAlone(t *testing.T) {
	one := func(ctx *pulumi.Context) error {
		_, err := newThing(ctx, "one", valueMap("a"))
		return err
	}
	l := newLab(t, one)
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	before, err := h.State(t.Context())
	require.NoError(t, err)
	plan, err := h.Preview(t.Context(), Update{Program: pair(valueMap("a"), valueMap("b"))}, nil)
	require.NoError(t, err)
	require.Len(t, plan.NewResources, 1)
	require.Equal(t, map[string]any{"value": "b"}, plan.NewResources[0].Inputs)

	settled, err := h.Reconcile(t.Context(), []ImportCandidate{{plan.NewResources[0], "absent"}}, false, mine)
	require.NoError(t, err)
	require.Equal(t, ReconcileResult{}, settled)

	l.set("two", map[string]any{"value": "theirs"})
	found := []ImportCandidate{{plan.NewResources[0], "two"}}
	settled, err = h.Reconcile(t.Context(), found, false, func(_ ImportCandidate, outputs map[string]any) bool { return outputs["value"] != "theirs" })
	require.NoError(t, err)
	require.Equal(t, ReconcileResult{Foreign: found}, settled)

	l.set("two", map[string]any{"unreadable": true})
	_, err = h.Reconcile(t.Context(), found, false, mine)
	require.ErrorContains(t, err, "no right to read two")

	after, err := h.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Resources, after.Resources)
}

// An engine that is killed between making a state's attributes and writing them leaves a whole state that the backend does not read.
func TestCutAttributesAreNoDamage(t *testing.T) {
	l := newLab(t, func(ctx *pulumi.Context) error {
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
	require.ErrorContains(t, err, "EOF", "the backend reads it after all")

	state, err := l.open(t).State(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, state.Resources)
}

func TestSweepRemovesHalfWrittenFilesOfTheStackAlone(t *testing.T) {
	dir := t.TempDir()
	h := &Handle{stack: Stack{Name: "dev", BackendURL: "file://" + dir}}
	below := func(name string) string { return filepath.Join(dir, ".pulumi", filepath.FromSlash(name)) }
	for path, left := range map[string]bool{
		"stacks/proj/dev.json": true, "stacks/proj/dev.json.18a.tmp": false, "stacks/proj/staging.json.18a.tmp": true,
		"history/proj/dev/dev-1.history.json.18a.tmp": false, "locks/organization/proj/staging/x.json.18a.tmp": true,
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
