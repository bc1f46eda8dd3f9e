// Package cloud implements the simulated AWS account.
//
// The account has one source of truth: the resources that the Pulumi provider received. The answers of the AWS API are
// computed from them and from the little that changes on its own: tasks, deployments, target health, log lines.
//
// The account is a file that several processes can use at once. A reader sees a consistent state, a writer holds an
// exclusive lock, and a change is written completely or not at all.
package cloud

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
)

// Options configure the account.
type Options struct {
	// AccountID is the account's twelve digits, Region its own region: elsewhere it has only alarms and topics.
	AccountID, Region string
	// Clock is used to wait for as long as AWS would take. Speed is how many simulated seconds pass in a real one, for
	// changes that happen on their own; zero means one.
	Clock clock.Clock
	Speed int
	// Stacks are the environments for which a configuration secret and a moving image tag are created.
	Stacks []Stack
	// Faults are the names of the faults to inject. Those that persist change only Environment, the full name; "" means all.
	Faults      []string
	Environment string
	// Locked reports whether a deployment holds the lock of a stack; nil means that none does. The locks of the account are not in a bucket.
	Locked func(stack string) bool
}

// Stack is an environment of the account.
type Stack struct {
	Name string
	// SecretKeys are the keys of its first configuration secret.
	SecretKeys []string
}

// Account is the simulated account in a file. Its methods are safe for concurrent use, and several processes may have
// the same account open.
type Account struct {
	path    string
	options Options
	faults  faultSet
	opened  time.Time

	// calls counts the SDK's calls under the fault api-throttled.
	calls atomic.Int64

	mu    sync.Mutex
	state *State
	// file is the file that state was read from. It stays open so that its inode is not reused by a newer file.
	file *os.File
}

// StateError reports that the account's file cannot be used.
type StateError struct {
	Path string
	Err  error
	hint string
}

func (e *StateError) Error() string {
	return fmt.Sprintf("simulated account %s: %v", e.Path, e.Err)
}

func (e *StateError) Unwrap() error { return e.Err }

// Hint returns what to do about the error.
func (e *StateError) Hint() string { return e.hint }

// Open opens the account in the file at path, or creates it if there is none. Its errors are *StateError (a directory
// that cannot be written, a corrupt file, an account with another ID or region), *UnknownFaultError or *ConflictingFaultsError.
func Open(path string, o Options) (*Account, error) {
	faults, err := newFaultSet(o.Faults)
	if err != nil {
		return nil, err
	}
	a := &Account{path: path, options: o, faults: faults}
	if a.options.Clock == nil {
		a.options.Clock = clock.Real()
	}
	a.opened = a.options.Clock.Now().UTC()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, a.writeError(err)
	}
	if err := a.Update(a.seed); err != nil {
		return nil, err
	}
	return a, nil
}

// seed creates what no stack owns: images and configuration secrets. Under the fault drift it also changes resources outside the
// stack, and under others that persist something happens that has its own time in AWS, such as a rotation of the passwords.
// Faults that begin after the rollout begin also for what already runs and was not verified.
func (a *Account) seed(s *State) error {
	if s.Salt == "" {
		s.Salt = rand.Text()
	}
	m := a.model(s)
	if m.faults[faultDrift] {
		s.applyDrift(a.options.Environment)
	}
	if m.faults[faultPasswordRotated] {
		m.rotatePasswords()
	}
	for fault, what := range map[string]string{faultScheduleSleep: "sleep", faultScheduleWake: "wake"} {
		if m.faults[fault] {
			m.fireSchedules(a.options.Environment, what)
		}
	}
	if m.faults[faultStoppedTooLong] {
		m.restartStopped()
	}
	m.beginLateFaults(a.options.Environment)
	m.seedRegistry(a.options.Stacks)
	return m.seedSecrets(a.options.Stacks)
}

// model returns the account at the current time, under the faults that it was opened with.
func (a *Account) model(s *State) model {
	return model{State: s, home: s, now: a.options.Clock.Now().UTC(), faults: a.faults, speed: a.options.Speed, locked: a.options.Locked}
}

// Close closes the file. The account is kept.
func (a *Account) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.invalidate()
	return nil
}

// ID returns the account's twelve digits.
func (a *Account) ID() string { return a.options.AccountID }

// Region returns the account's own region.
func (a *Account) Region() string { return a.options.Region }

// Clock returns the account's clock.
func (a *Account) Clock() clock.Clock { return a.options.Clock }

// Fault reports whether the account was opened with the named fault.
func (a *Account) Fault(name string) bool { return a.faults[name] }

// View calls read with the current state. read must not keep or change any of it, and must not call View or Update. The
// error is read's or a *StateError.
func (a *Account) View(read func(*State) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.reload(); err != nil {
		return err
	}
	if a.state.byType == nil {
		a.state.index()
	}
	a.model(a.state).advance()
	a.state.reconciled = true
	return read(a.state)
}

// Update calls change with the current state under an exclusive lock, and writes the result if change returns nil. If
// it returns an error, nothing is changed. change must not call View or Update.
func (a *Account) Update(change func(*State) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	unlock, err := a.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.reload(); err != nil {
		return err
	}
	a.state.byType, a.state.reconciled = nil, false
	a.model(a.state).advance()
	if err := change(a.state); err != nil {
		a.invalidate()
		return err
	}
	a.model(a.state).advance()
	if err := a.save(); err != nil {
		a.invalidate()
		return a.writeError(err)
	}
	return nil
}

// Exclusive calls f under the account's lock. f must not call Update.
func (a *Account) Exclusive(f func() error) error {
	unlock, err := a.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// lock waits for the exclusive lock. The lock is a separate file because the account's file is replaced at every
// change.
func (a *Account) lock() (unlock func(), err error) {
	file, err := os.OpenFile(a.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, a.writeError(err)
	}
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, a.writeError(fmt.Errorf("lock: %w", err))
	}
	return func() { _ = file.Close() }, nil
}

// reload reads the file again if it was replaced since the state was read.
func (a *Account) reload() error {
	if info, err := os.Stat(a.path); err == nil && a.state != nil && a.file != nil && isFile(a.file, info) {
		return nil
	}
	file, err := os.Open(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		a.invalidate()
		a.state = newState(a.options.AccountID, a.options.Region)
		return nil
	}
	if err != nil {
		return a.writeError(err)
	}
	state, err := a.decode(file)
	if err != nil {
		_ = file.Close()
		return err
	}
	a.invalidate()
	a.state, a.file = state, file
	return nil
}

func isFile(f *os.File, info fs.FileInfo) bool {
	own, err := f.Stat()
	return err == nil && os.SameFile(own, info)
}

func (a *Account) decode(r io.Reader) (*State, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, a.corruptError(err)
	}
	state := newState("", "")
	if err := json.Unmarshal(content, state); err != nil {
		return nil, a.corruptError(fmt.Errorf("the file is corrupt: %w", err))
	}
	if state.ID == "" || state.Resources == nil {
		return nil, a.corruptError(errors.New("the file is corrupt: it contains no account"))
	}
	if state.ID != a.options.AccountID || state.Region != a.options.Region {
		return nil, &StateError{
			Path: a.path,
			Err: fmt.Errorf("it contains account %s in %s, not account %s in %s",
				state.ID, state.Region, a.options.AccountID, a.options.Region),
			hint: "use the account and region that it was created with, or delete it: `deployer local reset`",
		}
	}
	return state, nil
}

// save replaces the file atomically. The temporary file always has the same name: only the holder of the lock writes
// it, so what a killed process left is overwritten.
func (a *Account) save() error {
	content, err := json.Marshal(a.state)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(a.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = os.Rename(file.Name(), a.path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if a.file != nil {
		_ = a.file.Close()
	}
	a.file = file
	return nil
}

// invalidate drops the cached state, so that the file is read again.
func (a *Account) invalidate() {
	if a.file != nil {
		_ = a.file.Close()
	}
	a.state, a.file = nil, nil
}

func (a *Account) writeError(err error) error {
	hint := "make " + filepath.Dir(a.path) + " a writable directory"
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			hint = "free some space on its disk and run the same command again; the account was not changed"
		}
	}
	return &StateError{Path: a.path, Err: err, hint: hint}
}

func (a *Account) corruptError(err error) error {
	return &StateError{Path: a.path, Err: err, hint: "delete the account and start over: `deployer local reset`"}
}
