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

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/processes"
)

// Directory keeps locks in a directory, on this machine or shared by several.
//
// STACK.lock is locked with flock(2) and inherited by the engine: the kernel lets it go when the deployer and the engine
// have both ended, however they end, and not before. Nothing expires, so that a stopped or slow process keeps its lock.
// STACK.json says who it is; where it is left alone, its holder has died.
type Directory struct {
	Dir   string
	Clock clock.Clock
}

// directoryPulse is how often a holder looks whether the lock is still its own. It costs two system calls.
const directoryPulse = 2 * time.Second

// Another process that only looks holds the lock for an instant; a try is repeated before it counts.
const (
	tries   = 5
	between = 20 * time.Millisecond
)

// Take implements Store.
func (d Directory) Take(ctx context.Context, me Holder) (Grip, *Holder, error) {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w", me.Environment, err)
	}
	file, err := d.flock(ctx, me.Stack)
	if err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w", me.Environment, err)
	}
	if file == nil {
		return nil, nil, &HeldError{d.standing(me.Stack)}
	}
	grip := &directoryGrip{Directory: d, file: file, me: me}
	died, err := d.left(me.Stack)
	if err == nil {
		err = grip.write(me)
	}
	if err == nil {
		err = inherited(file)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("lock %s: %w", me.Environment, err), file.Close())
	}
	return grip, died, nil
}

// inherited lets the children of this process, the engine above all, hold the file open as well.
func inherited(file *os.File) error {
	_, err := unix.FcntlInt(file.Fd(), unix.F_SETFD, 0)
	return err
}

// flock opens and locks the stack's file; nil where another process has it locked.
func (d Directory) flock(ctx context.Context, stack string) (*os.File, error) {
	for range tries {
		file, err := os.OpenFile(d.lockFile(stack), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && d.same(file, stack) {
			return file, nil
		}
		// Locked by another, or the file of a lock that has been released since it was opened.
		if closing := file.Close(); closing != nil || err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, closing)
		}
		if err := d.Clock.Wait(ctx, between); err != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, nil
}

// same reports whether the open file is still the one that others find under its name.
func (d Directory) same(file *os.File, stack string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(d.lockFile(stack))
	return err == nil && os.SameFile(mine, found)
}

// left is who wrote the stack's description and did not remove it; nil where there is none.
func (d Directory) left(stack string) (*Holder, error) {
	body, err := os.ReadFile(d.description(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return holderFrom(body, stack), nil
}

// holderFrom reads what a holder wrote. What cannot be read is somebody unknown.
func holderFrom(body []byte, stack string) *Holder {
	var h Holder
	if json.Unmarshal(body, &h) != nil || h.ID == "" {
		return &Holder{Stack: stack}
	}
	return &h
}

// standing is how a lock stands that another process holds.
func (d Directory) standing(stack string) Standing {
	holder, err := d.left(stack)
	if err != nil || holder == nil { // taken this instant
		holder = &Holder{Stack: stack}
	}
	condition := Alive
	if host, err := os.Hostname(); err == nil && host == holder.Host && !processes.Alive(holder.PID) {
		condition = Ending
	}
	return Standing{Holder: *holder, Condition: condition, Silence: max(0, d.Clock.Now().Sub(holder.Heartbeat))}
}

// Look implements Store.
func (d Directory) Look(ctx context.Context, stack string) (*Standing, error) {
	file, err := os.Open(d.lockFile(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return d.abandoned(stack)
	}
	if err != nil {
		return nil, fmt.Errorf("look at the lock of %s: %w", stack, err)
	}
	defer func() { _ = file.Close() }()
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		standing := d.standing(stack)
		return &standing, nil
	case err != nil:
		return nil, fmt.Errorf("look at the lock of %s: %w", stack, err)
	}
	return d.abandoned(stack)
}

// abandoned is how a lock stands that no process holds.
func (d Directory) abandoned(stack string) (*Standing, error) {
	holder, err := d.left(stack)
	if err != nil || holder == nil {
		return nil, err
	}
	return &Standing{Holder: *holder, Condition: Dead, Silence: d.Clock.Now().Sub(holder.Heartbeat)}, nil
}

// Break implements Store: the next to come makes a file of its own, whoever still has this one open.
func (d Directory) Break(_ context.Context, stack, id string) error {
	if err := d.heldBy(stack, id); err != nil {
		return err
	}
	return d.remove(stack, d.description(stack), d.lockFile(stack))
}

// Expire implements Store: what describes the holder stays, beside a lock that nobody holds.
func (d Directory) Expire(_ context.Context, stack, id string) error {
	if err := d.heldBy(stack, id); err != nil {
		return err
	}
	return d.remove(stack, d.lockFile(stack))
}

// heldBy returns an error where another than the holder with the ID holds the lock.
func (d Directory) heldBy(stack, id string) error {
	holder, err := d.left(stack)
	if err != nil {
		return fmt.Errorf("release the lock of %s: %w", stack, err)
	}
	if holder != nil && holder.ID != id {
		return &LostError{stack, "now it is held by " + holder.Who()}
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

// directoryGrip is a lock in a directory that this process holds.
type directoryGrip struct {
	Directory
	file *os.File
	me   Holder
}

// Pulse implements Grip.
func (g *directoryGrip) Pulse() time.Duration { return directoryPulse }

// Beat implements Grip. A description that cannot be written, on a full disk, does not lose the lock.
func (g *directoryGrip) Beat(_ context.Context, me Holder) error {
	if !g.same(g.file, g.me.Stack) {
		now, err := g.left(g.me.Stack)
		if err != nil || now == nil || now.ID == g.me.ID {
			return lost(g.me, nil)
		}
		return lost(g.me, &Standing{Holder: *now})
	}
	return g.write(me)
}

// write replaces the description as a whole.
func (g *directoryGrip) write(me Holder) error {
	me.Heartbeat = g.Clock.Now().UTC()
	return g.describe(me)
}

// describe says who holds, or held, the lock.
func (g *directoryGrip) describe(h Holder) error {
	body, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	name := g.description(g.me.Stack)
	fresh := name + "." + g.me.ID + ".new"
	if err := os.WriteFile(fresh, body, 0o600); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return os.Rename(fresh, name)
}

// Release implements Grip.
func (g *directoryGrip) Release(context.Context) error {
	if !g.same(g.file, g.me.Stack) {
		return g.file.Close()
	}
	return errors.Join(g.remove(g.me.Stack, g.description(g.me.Stack), g.lockFile(g.me.Stack)), g.file.Close())
}

// Return implements Grip.
func (g *directoryGrip) Return(_ context.Context, died Holder) error {
	if !g.same(g.file, g.me.Stack) {
		return g.file.Close()
	}
	return errors.Join(g.describe(died), g.remove(g.me.Stack, g.lockFile(g.me.Stack)), g.file.Close())
}
