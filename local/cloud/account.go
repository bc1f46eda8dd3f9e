// Package cloud is the simulated AWS account.
//
// The account has one source of truth: the resources that the Pulumi provider was given. What the AWS API answers is
// a view of them, plus the little that moves by itself: tasks, deployments, target health, log lines.
//
// The account is a file that several processes may use at once. Whoever reads sees a whole state, whoever changes it
// is alone, and no change is half done.
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

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
)

// Options say which account is meant and how it behaves.
type Options struct {
	// AccountID is the twelve digits of the account, Region where everything in it lies.
	AccountID, Region string
	// Clock is waited on for as long as AWS would take. Speed is how many of its seconds pass in a real one, for what
	// moves by itself; zero means one.
	Clock clock.Clock
	Speed int
	// Stacks are those that have a configuration secret from when they are first heard of, and from the beginning a moving
	// image tag.
	Stacks []Stack
	// Faults are the names of what goes wrong.
	Faults []string
}

// Stack is an environment of the account.
type Stack struct {
	Name string
	// SecretKeys are what its configuration secret begins with.
	SecretKeys []string
}

// Account is the simulated account in a file. Its methods may be called from several goroutines, and several processes
// may have the same account open.
type Account struct {
	path    string
	options Options
	faults  faultSet

	// calls counts those that the SDK was asked for under the fault api-throttled.
	calls atomic.Int64

	mu    sync.Mutex
	state *State
	// file is what state was read from. It stays open, so that its inode is never given to a newer file.
	file *os.File
}

// StateError says that the file of the account cannot be used.
type StateError struct {
	Path string
	Err  error
	hint string
}

func (e *StateError) Error() string {
	return fmt.Sprintf("simulated account %s: %v", e.Path, e.Err)
}

func (e *StateError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *StateError) Hint() string { return e.hint }

// Open opens the account in the file at path, and makes it where there is none. Its errors are *StateError: a
// directory that cannot be written, a damaged file, an account of another ID or region; or *UnknownFaultError.
func Open(path string, o Options) (*Account, error) {
	faults, err := newFaultSet(o.Faults)
	if err != nil {
		return nil, err
	}
	a := &Account{path: path, options: o, faults: faults}
	if a.options.Clock == nil {
		a.options.Clock = clock.Real()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, a.writeError(err)
	}
	if err := a.Update(a.seed); err != nil {
		return nil, err
	}
	return a, nil
}

// seed makes what an account begins with: images and configuration secrets, which are people's and no stack's. What
// people do by hand under the fault drift is done here too.
func (a *Account) seed(s *State) error {
	if s.Salt == "" {
		s.Salt = rand.Text()
	}
	m := a.model(s)
	if m.faults[faultDrift] {
		s.applyDrift()
	}
	m.seedRegistry(a.options.Stacks)
	return m.seedSecrets(a.options.Stacks)
}

// model is the account now, under the faults that it was opened with.
func (a *Account) model(s *State) model {
	return model{State: s, now: a.options.Clock.Now().UTC(), faults: a.faults, speed: a.options.Speed}
}

// Close lets go of the file. The account stays.
func (a *Account) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.invalidate()
	return nil
}

// ID is the account's twelve digits.
func (a *Account) ID() string { return a.options.AccountID }

// Region is where everything in the account lies.
func (a *Account) Region() string { return a.options.Region }

// Clock is the account's time.
func (a *Account) Clock() clock.Clock { return a.options.Clock }

// Fault reports whether the account was opened with the fault of that name.
func (a *Account) Fault(name string) bool { return a.faults[name] }

// View calls look with the account as it is now. Nothing of it may be kept or changed, and look must not call View or
// Update. The error is look's, or a *StateError.
func (a *Account) View(read func(*State) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.reload(); err != nil {
		return err
	}
	a.model(a.state).advance()
	return read(a.state)
}

// Update calls change with the account as it is now, alone among all processes, and keeps what it did where it
// returned nil. Where it returned an error nothing has changed. change must not call View or Update.
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

// lock waits until no other process changes the account. The lock is a file of its own, because the account's is
// replaced with every change.
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

// reload reads the file where it is another one than the state came from.
func (a *Account) reload() error {
	file, err := os.Open(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		a.invalidate()
		a.state = newState(a.options.AccountID, a.options.Region)
		return nil
	}
	if err != nil {
		return a.writeError(err)
	}
	if a.state != nil && a.file != nil && sameFile(file, a.file) {
		return file.Close()
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

func sameFile(x, y *os.File) bool {
	xi, err := x.Stat()
	if err != nil {
		return false
	}
	yi, err := y.Stat()
	return err == nil && os.SameFile(xi, yi)
}

func (a *Account) decode(r io.Reader) (*State, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, a.corruptError(err)
	}
	state := newState("", "")
	if err := json.Unmarshal(content, state); err != nil {
		return nil, a.corruptError(fmt.Errorf("the file is damaged: %w", err))
	}
	if state.ID == "" || state.Resources == nil {
		return nil, a.corruptError(errors.New("the file is damaged: it holds no account"))
	}
	if state.ID != a.options.AccountID || state.Region != a.options.Region {
		return nil, &StateError{
			Path: a.path,
			Err: fmt.Errorf("it is account %s in %s, not account %s in %s",
				state.ID, state.Region, a.options.AccountID, a.options.Region),
			hint: "use the account and region that it was made with, or begin anew: deployer local reset",
		}
	}
	return state, nil
}

// save puts a new file in the old one's place in one step. The new one always has the same name, because only whoever holds
// the lock writes it: what a killed process left half written is written over.
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

// invalidate drops what is known of the file, so that it is read again.
func (a *Account) invalidate() {
	if a.file != nil {
		_ = a.file.Close()
	}
	a.state, a.file = nil, nil
}

func (a *Account) writeError(err error) error {
	hint := "make " + filepath.Dir(a.path) + " a directory that you can write"
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			hint = "free some space on its disk; the account is as it was before, and the same command goes on from there"
		}
	}
	return &StateError{Path: a.path, Err: err, hint: hint}
}

func (a *Account) corruptError(err error) error {
	return &StateError{Path: a.path, Err: err, hint: "begin anew: deployer local reset"}
}
