package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"
)

// OrphanKeeper marks a Store whose locks expire with their heartbeats, and not with the engine: a process beside the deployer has to
// keep them where an engine outlives it.
type OrphanKeeper interface {
	// Keep renews the lock of the holder with the ID from the time that orphaned returns true, as a lock of StateEnding. When ended
	// is closed it marks the lock as expired. It returns as soon as the holder has released or lost the lock, and when ctx ends.
	Keep(ctx context.Context, stack, id string, orphaned func() bool, ended <-chan struct{}) error
}

var errEndedEarly = errors.New("exit status 0")

// Keeper represents the process that keeps a lock while the engine outlives this process.
type Keeper struct {
	cmd *exec.Cmd
	// alive is the end of a pipe that this process and its engines hold open: the kernel closes it when all of them have ended.
	alive *os.File
	// stopping is set by Stop, ended is closed when the process has ended.
	stopping atomic.Bool
	ended    chan struct{}
}

// StartKeeper starts a process that calls OrphanKeeper.Keep. Its standard input ends with this process and with every child that is
// started from now on. It is in a session of its own, so that the signals of a terminal do not reach it. Where it ends before Stop, onEnd
// gets the reason.
func StartKeeper(cmd *exec.Cmd, onEnd func(error)) (*Keeper, error) {
	ends, alive, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the lock's keeper: %w", err)
	}
	cmd.Stdin, cmd.SysProcAttr = ends, &syscall.SysProcAttr{Setsid: true}
	if err := errors.Join(cmd.Start(), ends.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the lock's keeper: %w", err), alive.Close())
	}
	k := &Keeper{cmd: cmd, alive: alive, ended: make(chan struct{})}
	go func() {
		defer close(k.ended)
		if err := cmd.Wait(); !k.stopping.Load() {
			onEnd(fmt.Errorf("the lock's keeper has ended: %w", cmp.Or(err, errEndedEarly)))
		}
	}()
	if err := makeInheritable(alive); err != nil {
		k.Stop()
		return nil, fmt.Errorf("start the lock's keeper: %w", err)
	}
	return k, nil
}

// Stop ends the process: the lock was released.
func (k *Keeper) Stop() {
	k.stopping.Store(true)
	_ = k.cmd.Process.Kill() // the only error is that it has ended
	<-k.ended
	_ = k.alive.Close()
}

// Ended returns a channel that is closed at the end of a keeper's standard input.
func Ended(stdin io.Reader) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	return ended
}

// OrphanOf returns a function that reports whether the process with the ID, which started this one, has ended.
func OrphanOf(parent int) func() bool { return func() bool { return unix.Getppid() != parent } }

// Keep implements OrphanKeeper.
func (b Bucket) Keep(ctx context.Context, stack, id string, orphaned func() bool, ended <-chan struct{}) error {
	for {
		wait, done := context.WithCancel(ctx)
		go func() {
			select {
			case <-ended:
				done()
			case <-wait.Done():
			}
		}()
		_ = b.Clock.Wait(wait, b.leaseDuration()/renewalsPerLease)
		done()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ended:
			return b.expireOrphan(ctx, stack, id)
		default:
		}
		if !orphaned() {
			continue
		}
		// Errors pass, or the lease ends.
		if kept, err := b.renewOrphan(ctx, stack, id); err == nil && !kept {
			return nil
		}
	}
}

// renewOrphan renews the lock of a holder that has ended, and reports whether it is still there.
func (b Bucket) renewOrphan(ctx context.Context, stack, id string) (bool, error) {
	found, err := b.read(ctx, stack)
	if err != nil || found == nil || found.Holder.ID != id || found.Holder.leaseDuration(b.leaseDuration()) == 0 {
		return false, err
	}
	me := found.Holder
	me.Ending, me.Heartbeat = true, b.Clock.Now().UTC()
	me.Expires = me.Heartbeat.Add(b.leaseDuration())
	_, err = b.write(ctx, me, &s3.PutObjectInput{IfMatch: &found.etag})
	return err == nil, err
}

// expireTimeout bounds the attempts to mark a lock as expired. Its lease ends soon after.
const expireTimeout = time.Minute

// expireOrphan marks the lock of a holder that has ended with its engine as expired, unless it was released.
func (b Bucket) expireOrphan(ctx context.Context, stack, id string) error {
	ctx, done := context.WithTimeout(ctx, expireTimeout)
	defer done()
	err := b.Expire(ctx, stack, id)
	if isLost(err) {
		return nil
	}
	return err
}
