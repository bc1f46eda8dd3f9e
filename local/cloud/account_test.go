package cloud

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

const (
	testAccount = "123456789012"
	testRegion  = "us-east-1"
)

// open opens the account at path as a process does; on its clock an hour takes less than a millisecond.
func open(t *testing.T, path string, faults ...string) *Account {
	t.Helper()
	const speed = 10_000_000
	a, err := Open(path, Options{AccountID: testAccount, Region: testRegion, Clock: clock.Fast(speed), Speed: speed, Faults: faults})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

func TestAccountIsSharedByProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "local", "account.json")
	one, other := open(t, path), open(t, path)
	require.NoError(t, one.Update(func(s *State) error {
		s.Objects["bucket"] = []string{"first"}
		return nil
	}))
	require.NoError(t, other.Update(func(s *State) error {
		require.Equal(t, []string{"first"}, s.Objects["bucket"], "a change must include the others' changes")
		s.Objects["bucket"] = append(s.Objects["bucket"], "second")
		return nil
	}))
	require.NoError(t, one.View(func(s *State) error {
		require.Equal(t, []string{"first", "second"}, s.Objects["bucket"])
		return nil
	}))
}

func TestAccountLosesNoChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	const processes, changes = 4, 25
	var all sync.WaitGroup
	for range processes {
		a := open(t, path)
		all.Go(func() {
			for range changes {
				if err := a.Update(func(s *State) error { s.Serial++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, open(t, path).View(func(s *State) error {
		require.Equal(t, processes*changes, s.Serial)
		return nil
	}))
}

// What a change puts, removes and edits is found by the next read, also after an earlier one.
func TestReadsFollowChanges(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "account.json"))
	requireQueues := func(want ...string) {
		t.Helper()
		require.NoError(t, a.View(func(s *State) error {
			var found []string
			for _, r := range s.ByType(typeQueue) {
				found = append(found, r.ID)
			}
			require.Equal(t, want, found)
			return nil
		}))
	}
	queue := func(id string) *Resource { return &Resource{Type: typeQueue, ID: id, Outputs: map[string]any{}} }
	requireQueues()
	require.NoError(t, a.Update(func(s *State) error {
		s.put(queue("b"))
		require.Len(t, s.ByType(typeQueue), 1)
		s.put(queue("a"))
		require.Len(t, s.ByType(typeQueue), 2, "in the same change, too")
		return nil
	}))
	requireQueues("a", "b")
	require.NoError(t, a.Update(func(s *State) error {
		s.remove(s.Get(typeQueue, "a"))
		require.Len(t, s.ByType(typeQueue), 1)
		return nil
	}))
	requireQueues("b")

	// The state machines act in reads, and the index has to follow them.
	require.NoError(t, a.View(func(s *State) error {
		s.remove(s.Get(typeQueue, "b"))
		require.Empty(t, s.ByType(typeQueue))
		s.put(queue("b"))
		require.Len(t, s.ByType(typeQueue), 1)
		return nil
	}))
}

// A service whose properties change after a read is deployed again.
func TestServicesAreComparedAfterEachChange(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "account.json"))
	set := func(platform string) {
		require.NoError(t, a.Update(func(s *State) error {
			properties := values{"name": "api", "cluster": "cluster", "taskDefinition": "api:1", "platformVersion": platform}
			s.put(&Resource{Type: typeService, ID: "arn:api", Inputs: properties, Outputs: properties})
			return nil
		}))
	}
	fingerprint := func() (found string) {
		require.NoError(t, a.View(func(s *State) error {
			found = s.ECS.Services["arn:api"].Fingerprint
			return nil
		}))
		return found
	}
	set("1.4.0")
	first := fingerprint()
	require.Contains(t, first, "1.4.0")
	set("LATEST")
	require.Contains(t, fingerprint(), "LATEST")
}

// Of two faults that act on the same task, one would be ignored.
func TestFaultsThatExcludeEachOther(t *testing.T) {
	_, err := newFaultSet([]string{"api-throttled", "slow-start", "late-errors"})
	require.EqualError(t, err, "the faults slow-start and late-errors both act on the tasks of a new version, and a task has only one")
	_, err = newFaultSet([]string{"late-errors", "api-throttled", "late-errors"})
	require.NoError(t, err)
}

func TestFailedChangeIsDiscarded(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "account.json"))
	refused := errors.New("refused")
	require.ErrorIs(t, a.Update(func(s *State) error {
		s.Objects["bucket"] = []string{"half done"}
		return refused
	}), refused)
	require.NoError(t, a.View(func(s *State) error {
		require.Empty(t, s.Objects)
		return nil
	}))
}

func TestOpenErrors(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, dir string) (path string)
		options Options
		message string
		hint    string
	}{
		"a corrupt file": {
			prepare: func(t *testing.T, dir string) string { return write(t, dir, `{"id":"1234`) },
			options: Options{AccountID: testAccount, Region: testRegion},
			message: "the file is corrupt: unexpected end of JSON input",
			hint:    "delete the account and start over: `deployer local reset`",
		},
		"a file without an account": {
			prepare: func(t *testing.T, dir string) string { return write(t, dir, `{}`) },
			options: Options{AccountID: testAccount, Region: testRegion},
			message: "the file is corrupt: it contains no account",
			hint:    "delete the account and start over: `deployer local reset`",
		},
		"another account": {
			prepare: func(t *testing.T, dir string) string {
				path := filepath.Join(dir, "account.json")
				open(t, path)
				return path
			},
			options: Options{AccountID: "210987654321", Region: testRegion},
			message: "it contains account 123456789012 in us-east-1, not account 210987654321 in us-east-1",
			hint:    "use the account and region that it was created with, or delete it: `deployer local reset`",
		},
		"a directory that is a file": {
			prepare: func(t *testing.T, dir string) string { return filepath.Join(write(t, dir, "x"), "account.json") },
			options: Options{AccountID: testAccount, Region: testRegion},
			message: "not a directory",
			hint:    "a writable directory",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Open(test.prepare(t, t.TempDir()), test.options)
			var state *StateError
			require.ErrorAs(t, err, &state)
			require.ErrorContains(t, err, test.message)
			require.Contains(t, state.Hint(), test.hint)
		})
	}
}

func write(t *testing.T, dir, content string) string {
	t.Helper()
	path := filepath.Join(dir, "account.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
