package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// How long a deployment has to end after a signal.
//
// A person at a terminal waits for as long as they like. A CI system does not: GitHub sends SIGINT, SIGTERM 7.5 s later
// and SIGKILL 2.5 s after that; docker stop and Kubernetes send SIGTERM and, after 10 or 30 s, SIGKILL.
const (
	// gracePeriod is how long after the first signal the engine may end, once a SIGTERM or SIGHUP shows that time is short.
	gracePeriod = 7 * time.Second
	// minGrace is the least that is left for that, where the SIGTERM comes late.
	minGrace = 500 * time.Millisecond
	// hardTimeout is the time after which a process that is leaving ends, even if something hangs.
	hardTimeout = 2500 * time.Millisecond
)

// signalAction is the reaction to a signal.
type signalAction struct {
	// stop asks everything to end in an orderly way.
	stop bool
	// leave is when an engine that has not ended is left to itself; zero where it is waited for.
	leave time.Time
	// exit ends the process at once.
	exit bool
	// message is printed where it is not "".
	message string
}

// signals records the signals received so far.
type signals struct {
	// changing reports that a change may be under way. Without one, the first signal needs no words: the command ends.
	changing bool
	first    time.Time
	leave    time.Time
}

// handle returns the reaction to one more signal. The first one is a request to stop. A second SIGINT comes from an impatient
// person; SIGTERM and SIGHUP come from systems that send several of them.
func (s *signals) handle(signal os.Signal, now time.Time) signalAction {
	var o signalAction
	again := !s.first.IsZero()
	if !again {
		s.first = now
		o.stop = true
		if s.changing {
			o.message = "stopping after the running operations; Ctrl-C again exits immediately"
		}
	}
	var leave time.Time
	switch {
	case signal != syscall.SIGINT:
		leave = s.first.Add(gracePeriod)
		if earliest := now.Add(minGrace); leave.Before(earliest) {
			leave = earliest
		}
	case again && !s.leave.IsZero() && !s.leave.After(now):
		o.exit = true
		o.message = "exiting: running operations may still finish in the background; run the same command again to continue"
		return o
	case again:
		leave = now
		o.message = "exiting immediately"
	}
	if !leave.IsZero() && (s.leave.IsZero() || leave.Before(s.leave)) {
		s.leave, o.leave = leave, leave
	}
	return o
}

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP ends, so that everything can end in an orderly
// way. When time is short, or on a second SIGINT, an engine that has not ended is left to itself.
func interruptible(parent context.Context, log io.Writer, changing *atomic.Bool, exit func(int)) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	hurry, hurried := context.WithCancel(context.Background())
	ctx = engine.WithAbandon(ctx, hurry.Done())
	coming := make(chan os.Signal, 4)
	signal.Notify(coming, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(coming, syscall.SIGHUP)
	}
	leave := func() {
		hurried()
		time.AfterFunc(hardTimeout, func() {
			_, _ = fmt.Fprintln(log, "deployer: no time is left; run the same command again to continue")
			exit(codeInterrupted)
		})
	}
	go func() {
		var got signals
		for s := range coming {
			got.changing = changing.Load()
			o := got.handle(s, time.Now())
			if o.message != "" {
				_, _ = fmt.Fprintln(log, "\ndeployer: "+o.message)
			}
			if o.stop {
				cancel(errInterrupted)
			}
			if o.exit {
				exit(codeInterrupted)
			}
			if !o.leave.IsZero() {
				time.AfterFunc(time.Until(o.leave), leave)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(coming)
		close(coming)
		cancel(nil)
	}
}

// ignoreSIGPIPE keeps the process alive when no process reads its output any more: its work has to be finished and recorded. A
// command that only reads ends by SIGPIPE, as is usual in a pipe.
func ignoreSIGPIPE() (restore func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}
