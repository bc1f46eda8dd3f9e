package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The directories below the state directory that stand for something only as long as a command runs: an empty stack, and a copy of
// the simulated account.
const (
	previewPrefix = "preview-"
	trialPrefix   = "trial-"
)

// temporary is a directory that lives as long as its process wants it, and is swept by a later command where that was killed.
type temporary struct {
	path string
	// held is open and locked while the process lives, however it ends.
	held *os.File
}

// newTemporary makes a directory below the state directory.
func (s settings) newTemporary(prefix string) (*temporary, error) {
	// Until it is locked, sweep would take it for one that nobody wants.
	gate, err := lockFile(filepath.Join(s.stateDir, "temporary.lock"), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	path, err := os.MkdirTemp(s.stateDir, prefix)
	if err != nil {
		return nil, err
	}
	held, err := lockFile(holding(path), unix.LOCK_EX)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &temporary{path, held}, nil
}

// remove ends its life.
func (t *temporary) remove() error { return errors.Join(os.RemoveAll(t.path), t.held.Close()) }

// sweep removes the temporary directories of processes that were killed. One that cannot be removed does no harm.
func (s settings) sweep() {
	var all []string
	for _, prefix := range []string{previewPrefix, trialPrefix} {
		found, _ := filepath.Glob(filepath.Join(s.stateDir, prefix+"*")) // the only error is a malformed pattern
		all = append(all, found...)
	}
	if len(all) == 0 {
		return
	}
	gate, err := lockFile(filepath.Join(s.stateDir, "temporary.lock"), unix.LOCK_EX)
	if err != nil {
		return
	}
	defer gate.Close()
	for _, path := range all {
		held, err := lockFile(holding(path), unix.LOCK_EX|unix.LOCK_NB)
		if err != nil {
			continue // it is in use, or has just been removed
		}
		_ = os.RemoveAll(path)
		_ = held.Close()
	}
}

// holding is the file by whose lock a temporary directory is in use.
func holding(dir string) string { return filepath.Join(dir, "in-use.lock") }

// lockFile opens and locks a file, in the way that flock(2) has it.
func lockFile(path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), how); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}
