package lock

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// OrphanKeeper marks a Store whose locks expire with their heartbeats, and not with the engine: a process beside the deployer
// has to keep them where an engine outlives it.
type OrphanKeeper interface {
	// Keep renews the lock from the time that Orphaned returns true, as a lock of StateEnding, and serves the engine's endpoint
	// of the state's bucket. When Ended is closed it marks the lock as expired. It returns a *LostError, after it has killed the
	// engine, as soon as the holder has released or lost the lock; and the cause of ctx when that ends.
	Keep(ctx context.Context, o KeepOptions) error
}

// KeepOptions configure OrphanKeeper.Keep.
type KeepOptions struct {
	// Stack is the lock, ID its holder.
	Stack, ID string
	// Orphaned reports whether the deployer has ended, Ended is closed when its engine has, too.
	Orphaned func() bool
	Ended    <-chan struct{}
	// KillEngine kills the engine that is running, if there is one.
	KillEngine func()
	// Publish receives the address of the endpoint; nil where there is no engine.
	Publish func(endpoint string) error
	// Lost receives why the lock is lost, before the engine is killed; nil if no one needs it.
	Lost func(reason string)
}

// killDelay is the time in which a deployer that runs kills its engine, and reports why, before the keeper does.
const killDelay = time.Second

// keeperStartTimeout bounds the start of a keeper, which reads the lock once: a lock must not be held by a deployer that hangs.
const keeperStartTimeout = time.Minute

var (
	errEndedEarly = errors.New("exit status 0")
	errNotReady   = fmt.Errorf("it was not ready after %s", keeperStartTimeout)
)

// Keeper represents the process that keeps a lock while the engine outlives this process, and through which the engine writes
// its state.
type Keeper struct {
	cmd *exec.Cmd
	// alive is the end of a pipe that this process and its engines hold open: the kernel closes it when all of them have ended.
	// This process writes to it which engine it has started.
	alive *os.File
	// endpoint is the address of the engine's endpoint.
	endpoint string
	// stopping is set by Stop, ended is closed when the process has ended.
	stopping atomic.Bool
	ended    chan struct{}
}

// StartKeeper starts a process that calls OrphanKeeper.Keep, and waits until its endpoint is ready, or until ctx or a time limit
// ends the start. Its standard input ends with this process and with every child that is started from now on. It is in a session
// of its own, so that the signals of a terminal do not reach it. Where it ends before Stop, the engine cannot write its state any
// more, and onEnd gets the reason.
func StartKeeper(ctx context.Context, cmd *exec.Cmd, onEnd func(error)) (*Keeper, error) {
	starting, started := context.WithTimeoutCause(ctx, keeperStartTimeout, errNotReady)
	defer started()
	ends, alive, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the lock's keeper: %w", err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the lock's keeper: %w", err), ends.Close(), alive.Close())
	}
	var reason lastLine
	cmd.Stdin, cmd.SysProcAttr = ends, &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = io.MultiWriter(&reason, cmp.Or[io.Writer](cmd.Stderr, io.Discard))
	if err := errors.Join(cmd.Start(), ends.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the lock's keeper: %w", err), alive.Close())
	}
	k := &Keeper{cmd: cmd, alive: alive, ended: make(chan struct{})}
	lines := bufio.NewScanner(output)
	ready := context.AfterFunc(starting, func() { _ = cmd.Process.Kill() }) // the only error is that it has ended
	if lines.Scan() && ready() {
		k.endpoint = lines.Text()
	}
	go func() {
		defer close(k.ended)
		lost := false
		for lines.Scan() {
			if lost = true; !k.stopping.Load() {
				onEnd(errors.New(lines.Text()))
			}
		}
		if err := cmd.Wait(); !k.stopping.Load() && k.endpoint != "" && !lost {
			onEnd(fmt.Errorf("the lock's keeper has ended: %w", cmp.Or(reason.err(), err, errEndedEarly)))
		}
	}()
	if err := makeInheritable(alive); err != nil || k.endpoint == "" {
		k.Stop()
		return nil, fmt.Errorf("start the lock's keeper: %w", cmp.Or(err, context.Cause(starting), reason.err(), errors.New("it ended early")))
	}
	return k, nil
}

// A lastLine is a writer that keeps the last line about an error, which is not its hint.
type lastLine struct {
	mu       sync.Mutex
	rest     []byte
	complete string
}

// maxLine bounds the line that a lastLine keeps.
const maxLine = 4 << 10

// Write implements io.Writer.
func (l *lastLine) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ends := bytes.Cut(l.rest, []byte("\n"))
		if !ends {
			l.rest = l.rest[:min(len(l.rest), maxLine)]
			return len(b), nil
		}
		if text := strings.TrimSpace(string(line)); text != "" && !strings.HasPrefix(text, "hint: ") {
			l.complete = strings.TrimPrefix(text, "deployer: ")
		}
		l.rest = rest
	}
}

// err returns the line as an error; nil where there is none.
func (l *lastLine) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.complete == "" {
		return nil
	}
	return errors.New(sanitize.Text(l.complete))
}

// Endpoint returns the address of the endpoint of S3 through which the engine reads and writes its state; "" for a nil Keeper.
func (k *Keeper) Endpoint() string {
	if k == nil {
		return ""
	}
	return k.endpoint
}

// EngineStarted notifies the keeper of the engine that is running, which it kills where the lock is lost; 0 means that it has
// ended.
func (k *Keeper) EngineStarted(pid int) {
	if k != nil {
		_, _ = fmt.Fprintf(k.alive, "%d\n", pid) // a keeper that has ended is reported by itself
	}
}

// Stop ends the process: the lock was released.
func (k *Keeper) Stop() {
	k.stopping.Store(true)
	_ = k.cmd.Process.Kill() // the only error is that it has ended
	<-k.ended
	_ = k.alive.Close()
}

// ReadDeployer reads a keeper's standard input, and returns a channel that is closed at its end, and a function that kills the
// engine which the deployer has started last, with its process group, unless that has ended.
func ReadDeployer(stdin io.Reader) (ended <-chan struct{}, killEngine func()) {
	end := make(chan struct{})
	var engine atomic.Int64
	go func() {
		defer close(end)
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			if pid, err := strconv.ParseInt(lines.Text(), 10, 32); err == nil {
				engine.Store(pid)
			}
		}
	}()
	return end, func() {
		if pid := int(engine.Load()); pid > 1 {
			_ = unix.Kill(-pid, unix.SIGKILL) // the only error is that it has ended
		}
	}
}

// OrphanOf returns a function that reports whether the process with the ID, which started this one, has ended.
func OrphanOf(parent int) func() bool { return func() bool { return unix.Getppid() != parent } }

// Keep implements OrphanKeeper.
func (b Bucket) Keep(ctx context.Context, o KeepOptions) error {
	w := &watch{Bucket: b, stack: o.Stack, id: o.ID, lost: make(chan struct{})}
	defer func() {
		lost, _ := errors.AsType[*LostError](w.reason())
		if lost == nil {
			return
		}
		if o.Lost != nil {
			o.Lost(lost.Reason)
		}
		if !o.Orphaned() && lost.Reason != errNotRenewed.Error() { // a deployer that sends no heartbeats is stopped
			_ = b.Clock.Wait(ctx, killDelay)
		}
		if o.KillEngine != nil {
			o.KillEngine()
		}
	}()
	if err := w.update(ctx, false); err != nil {
		return err
	}
	if o.Publish != nil {
		serving, stop := context.WithCancel(ctx)
		defer stop()
		endpoint, err := newGate(b, w).serve(serving)
		if err == nil {
			err = o.Publish(endpoint)
		}
		if err != nil {
			return err
		}
	}
	for {
		wait, done := context.WithCancel(ctx)
		go func() {
			defer done()
			select {
			case <-o.Ended:
			case <-w.lost:
			case <-wait.Done():
			}
		}()
		_ = b.Clock.Wait(wait, w.untilUpdate())
		done()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-o.Ended:
			return b.expireOrphan(ctx, o.Stack, o.ID)
		case <-w.lost:
			return w.reason()
		default:
		}
		if err := w.update(ctx, o.Orphaned()); isLost(err) {
			return err
		}
	}
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
