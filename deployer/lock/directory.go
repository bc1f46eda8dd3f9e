package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/procs"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// Directory keeps locks in a directory, on this machine or shared by several.
//
// STACK.lock is locked with flock(2) and inherited by the engine: the kernel releases it when the deployer and the engine
// have both ended, however they end, and not before. Nothing expires, so that a stopped or slow process keeps its lock.
// STACK.json describes the holder; if it exists without a lock, the holder crashed or was killed.
type Directory struct {
	Dir   string
	Clock clock.Clock
}

// directoryRenewInterval is short, as a heartbeat also checks whether the lock was lost.
const directoryRenewInterval = 2 * time.Second

// A process that only reads the lock holds it for an instant, so that an attempt is repeated before it counts.
const (
	flockAttempts      = 5
	flockRetryInterval = 20 * time.Millisecond
)

// TryAcquire implements Store.
func (d Directory) TryAcquire(ctx context.Context, me Holder) (Lease, *Holder, error) {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w", me.Environment, err)
	}
	file, err := d.flock(ctx, me.Stack)
	if err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w", me.Environment, err)
	}
	if file == nil {
		return nil, nil, &HeldError{d.status(me.Stack)}
	}
	d.removeTempFiles(me.Stack)
	lease := &directoryLease{Directory: d, file: file, me: me}
	previous, err := d.readHolder(me.Stack)
	if err == nil {
		err = lease.renewDescription(me)
	}
	if err == nil {
		err = makeInheritable(file)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("lock %s: %w", me.Environment, err), file.Close())
	}
	return lease, previous, nil
}

// removeTempFiles removes the files of a holder that was killed while it wrote its description.
func (d Directory) removeTempFiles(stack string) {
	files, _ := filepath.Glob(filepath.Join(d.Dir, "."+stack+".json*")) // the only error is a malformed pattern
	for _, file := range files {
		_ = os.Remove(file)
	}
}

// makeInheritable lets the children of this process, above all the engine, keep the file open.
func makeInheritable(file *os.File) error {
	_, err := unix.FcntlInt(file.Fd(), unix.F_SETFD, 0)
	return err
}

// flock opens and locks the stack's file. It returns nil if another process holds it.
func (d Directory) flock(ctx context.Context, stack string) (*os.File, error) {
	for range flockAttempts {
		file, err := os.OpenFile(d.lockFile(stack), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && d.isCurrentFile(file, stack) {
			return file, nil
		}
		// Another process holds it, or released and removed it since it was opened.
		if closing := file.Close(); closing != nil || err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, closing)
		}
		if err := d.Clock.Wait(ctx, flockRetryInterval); err != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, nil
}

// isCurrentFile reports whether the open file is still the one with its name.
func (d Directory) isCurrentFile(file *os.File, stack string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(d.lockFile(stack))
	return err == nil && os.SameFile(mine, found)
}

// readHolder reads the description of the stack's lock. It returns nil if there is none.
func (d Directory) readHolder(stack string) (*Holder, error) {
	body, err := os.ReadFile(d.description(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeHolder(body, stack), nil
}

// decodeHolder decodes a description. One that cannot be decoded is of an unknown holder, which has no ID.
func decodeHolder(body []byte, stack string) *Holder {
	var h Holder
	if json.Unmarshal(body, &h) != nil || h.ID == "" {
		return &Holder{Stack: stack}
	}
	sanitize.Value(&h)
	return &h
}

// status returns the status of a lock that another process holds.
func (d Directory) status(stack string) Status {
	holder, err := d.readHolder(stack)
	if err != nil || holder == nil { // it was acquired just now
		holder = &Holder{Stack: stack}
	}
	state := StateHeld
	if host, err := os.Hostname(); err == nil && host == holder.Host && !procs.Alive(holder.PID) {
		state = StateEnding
	}
	return Status{Holder: *holder, State: state, SinceHeartbeat: max(0, d.Clock.Now().Sub(holder.Heartbeat))}
}

// Get implements Store.
func (d Directory) Get(ctx context.Context, stack string) (*Status, error) {
	file, err := os.Open(d.lockFile(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return d.expiredStatus(stack)
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock of %s: %w", stack, err)
	}
	defer func() { _ = file.Close() }()
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		status := d.status(stack)
		return &status, nil
	case err != nil:
		return nil, fmt.Errorf("read the lock of %s: %w", stack, err)
	}
	return d.expiredStatus(stack)
}

// expiredStatus returns the status of a lock that no process holds, or nil if it is free.
func (d Directory) expiredStatus(stack string) (*Status, error) {
	holder, err := d.readHolder(stack)
	if err != nil || holder == nil {
		return nil, err
	}
	return &Status{Holder: *holder, State: StateExpired, SinceHeartbeat: d.Clock.Now().Sub(holder.Heartbeat)}, nil
}

// Expire implements Store: the description of the holder stays, without a lock. The next process creates a new file, even if another
// one keeps this one open.
func (d Directory) Expire(_ context.Context, stack, id string) error {
	if err := d.checkHeldBy(stack, id); err != nil {
		return err
	}
	return d.remove(stack, d.lockFile(stack))
}

// checkHeldBy returns a *LostError if another holder than the one with the ID has the lock.
func (d Directory) checkHeldBy(stack, id string) error {
	holder, err := d.readHolder(stack)
	if err != nil {
		return fmt.Errorf("release the lock of %s: %w", stack, err)
	}
	if holder != nil && holder.ID != id {
		return newLostError(stack, holder)
	}
	return nil
}

func (d Directory) remove(stack string, names ...string) error {
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("release the lock of %s: %w", stack, err)
		}
	}
	return nil
}

func (d Directory) lockFile(stack string) string    { return filepath.Join(d.Dir, stack+".lock") }
func (d Directory) description(stack string) string { return filepath.Join(d.Dir, stack+".json") }

// directoryLease is a lock in a directory that this process holds.
type directoryLease struct {
	Directory
	file *os.File
	me   Holder
}

// RenewInterval implements Lease.
func (g *directoryLease) RenewInterval() time.Duration { return directoryRenewInterval }

// Renew implements Lease. A description that cannot be written, on a full disk, does not lose the lock.
func (g *directoryLease) Renew(_ context.Context, me Holder) error {
	if !g.isCurrentFile(g.file, g.me.Stack) {
		now, err := g.readHolder(g.me.Stack)
		if err != nil || now != nil && now.ID == g.me.ID {
			now = nil
		}
		return newLostError(g.me.Environment, now)
	}
	return g.renewDescription(me)
}

func (g *directoryLease) renewDescription(me Holder) error {
	me.Heartbeat = g.Clock.Now().UTC()
	return g.writeDescription(me)
}

func (g *directoryLease) writeDescription(h Holder) error {
	body, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(g.description(g.me.Stack), body, 0o600, renameio.WithTempDir(g.Dir))
}

// Release implements Lease.
func (g *directoryLease) Release(context.Context) error {
	if !g.isCurrentFile(g.file, g.me.Stack) {
		return g.file.Close()
	}
	return errors.Join(g.remove(g.me.Stack, g.description(g.me.Stack), g.lockFile(g.me.Stack)), g.file.Close())
}

// ReturnTo implements Lease.
func (g *directoryLease) ReturnTo(_ context.Context, previous Holder) error {
	if !g.isCurrentFile(g.file, g.me.Stack) {
		return g.file.Close()
	}
	return errors.Join(g.writeDescription(previous), g.remove(g.me.Stack, g.lockFile(g.me.Stack)), g.file.Close())
}
