package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that the first SIGINT or SIGTERM ends, so that everything can end in an orderly way.
// A second SIGINT leaves at once; a SIGTERM after the first signal is not a second one, because CI systems send both.
func interruptible(parent context.Context, log io.Writer, exit func(int)) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for s := range signals {
			switch {
			case ctx.Err() == nil:
				_, _ = fmt.Fprintln(log, "\ndeployer: stopping; what is under way may end first (Ctrl-C again leaves at once)")
				cancel(errInterrupted)
			case s == syscall.SIGINT:
				_, _ = fmt.Fprintln(log, "\ndeployer: left at once: the engine may still be ending by itself; run the same command again to go on")
				exit(codeInterrupted)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
