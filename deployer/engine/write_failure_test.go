package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// full makes every up of the engine fail as on a full disk: after its changes, the shell commands damage the state, $1, and the
// engine's message is printed.
func (l harness) full(t *testing.T, before, after string) harness {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pulumi")
	content := fmt.Sprintf("#!/bin/sh\nup() { case \" $* \" in *\" up \"*) ;; *) return 1 ;; esac; }\n"+
		"state() { set -- '%[2]s'; %[3]s; }\nended() { set -- '%[2]s'; %[4]s; }\n"+
		"up \"$@\" && state\n'%[1]s' \"$@\"\ncode=$?\nup \"$@\" || exit $code\nended\n"+
		"echo 'error: saving: An IO error occurred while writing the new snapshot file: blob (key \"dev.json\") (code=Unknown): no space left on device' >&2\n"+
		"exit 255\n", l.engine.path, l.stateFile(), before, after)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o700))
	l.engine = &Engine{path: path, version: l.engine.version}
	return l
}

// What the backend leaves on a full disk: a truncated state, and truncated copies of it by the run.
const (
	began  = `touch "$0.began"`
	halved = `find "$(dirname "$1")/../.." '(' -name '*.json' -o -name '*.bak' ')' -newer "$0.began" -size +0 -exec truncate -s 300 {} +`
)

// three declares a program in which one has changed, two has not, and three is new.
func three(ctx *pulumi.Context) error {
	if err := pair(valueMap("c"), valueMap("b"))(ctx); err != nil {
		return err
	}
	_, err := newThing(ctx, "three", valueMap("d"))
	return err
}

const urnThree = "urn:pulumi:dev::proj::test:index:Thing::three"

// A state that a full disk has truncated or left outdated is restored with pending operations, and the next run continues.
func TestAFailedWriteIsRecovered(t *testing.T) {
	for name, test := range map[string]struct {
		before, after string
		half          bool
	}{
		"truncated": {began, halved, true},
		"behind":    {`cp "$1" "$1.kept"`, `mv "$1.kept" "$1"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newHarness(t, pair(valueMap("a"), valueMap("b")))
			h := l.open(t)
			_, err := h.Up(t.Context(), Update{}, nil)
			require.NoError(t, err)
			l.done()
			before, err := os.Stat(l.stateFile())
			require.NoError(t, err)

			h, err = l.full(t, test.before, test.after).engine.Open(t.Context(), l.stack)
			require.NoError(t, err)
			_, err = h.Up(t.Context(), Update{Program: three}, nil)
			require.ElementsMatch(t, []string{"update one", "create three"}, l.done())
			var failed *FailedError
			require.ErrorAs(t, err, &failed)
			require.ErrorContains(t, err, "no space left on device")
			require.Equal(t, test.half, failed.StateWrite.Truncated)
			require.NoError(t, failed.StateWrite.RestoreErr)
			require.Equal(t, 2, failed.StateWrite.PendingAdded)
			require.Equal(t, failed.StateWrite.hint(), failed.Hint())
			require.ElementsMatch(t, []Pending{
				{URN: urnOne, Type: "test:index:Thing", Name: "one", Op: "updating"},
				{URN: urnThree, Type: "test:index:Thing", Name: "three", Op: "creating"},
			}, failed.Pending)
			after, err := os.Stat(l.stateFile())
			require.NoError(t, err)
			require.Equal(t, before.Mode(), after.Mode())
			left, err := filepath.Glob(filepath.Join(filepath.Dir(l.stateFile()), "*"))
			require.NoError(t, err)
			for _, file := range left {
				_, _, whole := readBackupFile(file)
				require.True(t, whole || strings.HasSuffix(file, ".attrs"), "%s is left", file)
			}

			h = l.open(t)
			plan, err := h.Preview(t.Context(), Update{Program: three}, nil)
			require.NoError(t, err)
			require.Len(t, plan.NewResources, 1)
			found := []ImportCandidate{{plan.NewResources[0], "three"}}
			result, err := h.Reconcile(t.Context(), found, false, acceptAll)
			require.NoError(t, err)
			require.Equal(t, found, result.Imported)
			require.Len(t, result.Resolved, 2)
			done, err := h.Up(t.Context(), Update{Program: three}, nil)
			require.NoError(t, err)
			require.Zero(t, done.Changed())
			require.Empty(t, l.done(), "nothing is created again")
		})
	}
}

// The first deployment has no backup: the error reports that, and nothing replaces the state.
func TestAFailedWriteWithoutABackup(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h, err := l.full(t, began, halved).engine.Open(t.Context(), l.stack)
	require.NoError(t, err)
	_, err = h.Up(t.Context(), Update{}, nil)
	var failed *FailedError
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.StateWrite.Backup)
	require.Contains(t, err.Error(), "the state file of stack dev is truncated ("+l.stateFile()+"), and there is no complete backup of it")
	require.Contains(t, failed.Hint(), "`deployer import --env dev --take`")
	require.Len(t, read(t, l.stateFile()), 300)
}

func TestStateWriteFailureTexts(t *testing.T) {
	at := time.Date(2026, 11, 26, 18, 3, 4, 0, time.UTC)
	for name, test := range map[string]struct {
		cut        StateWriteFailure
		want, hint string
	}{
		"put back": {
			StateWriteFailure{Truncated: true, Backup: "/s/copy", BackupTime: at, PendingAdded: 7},
			"the state file of stack dev is truncated; the backup of 2026-11-26 18:03:04 UTC was restored, " +
				"with 7 resources of this run recorded as of unknown outcome",
			"free some space on the disk of the state, and run the same command again: it first checks the recorded resources in the account",
		},
		"behind": {
			StateWriteFailure{Backup: "/s/dev.json", BackupTime: at, PendingAdded: 1},
			"the state of stack dev could not be written; the backup of 2026-11-26 18:03:04 UTC was restored, " +
				"with 1 resource of this run recorded as of unknown outcome",
			"free some space on the disk of the state, and run the same command again: it first checks the recorded resources in the account",
		},
		"put back, and nothing to note": {
			StateWriteFailure{Truncated: true, Backup: "/s/copy", BackupTime: at},
			"the state file of stack dev is truncated; the backup of 2026-11-26 18:03:04 UTC was restored, and this run had changed nothing",
			"free some space on the disk of the state, and run the same command again",
		},
		"not put back": {
			StateWriteFailure{Truncated: true, Backup: "/s/copy", BackupTime: at, RestoreErr: errors.New("no space")},
			"the state file of stack dev is truncated (/s/dev.json), and the backup of 2026-11-26 18:03:04 UTC could not be restored: no space",
			"free some space on the disk of the state and restore the last complete backup: cp \"/s/copy\" \"/s/dev.json\"; then " +
				"`deployer import --env dev --take` imports what it lacks",
		},
		"no copy": {
			StateWriteFailure{Truncated: true},
			"the state file of stack dev is truncated (/s/dev.json), and there is no complete backup of it",
			"free some space on the disk of the state and remove the file: rm \"/s/dev.json\"; then `deployer import --env dev --take` imports what " +
				"exists in the account into a new state",
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.cut.Stack, test.cut.File = "dev", "/s/dev.json"
			failure := Failure{Run: "up", Resources: []ResourceError{{Message: "full"}}, StateWrite: &test.cut}
			failed, stopped := &FailedError{failure}, &InterruptedError{Failure: failure, Cause: errors.New("interrupted")}
			require.EqualError(t, failed, "up: full; "+test.want)
			require.Equal(t, test.hint, failed.Hint())
			require.Contains(t, stopped.Error(), test.want)
			require.Equal(t, test.hint, stopped.Hint())
		})
	}
}
