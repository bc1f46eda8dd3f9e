// Entrypoint starts the application in its container: it fetches the application's variables from Secrets Manager, or
// reads them from .env, checks them, and replaces itself with the application. docs/configuration.md describes the
// rules.
//
// It is part of the application's image, so it stays small: it depends neither on Pulumi nor on the deployer, nor on
// any service of AWS but Secrets Manager.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/balancer/v3-backend-infra/clock"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code, unless the application has replaced this process.
func run(args []string) int {
	o, err := parse(args)
	if err != nil {
		return fail(err)
	}
	switch {
	case o.help:
		_, _ = fmt.Fprint(os.Stdout, usage)
		return 0
	case o.version:
		_, _ = fmt.Fprintln(os.Stdout, "entrypoint", version)
		return 0
	}
	discardLogs()
	ctx, stop := signalContext()
	defer stop()
	l := launcher{options: o, environment: os.Environ(), log: printLine, clock: clock.Real()}
	p, err := l.prepare(ctx)
	var interrupted signalError
	if errors.As(context.Cause(ctx), &interrupted) {
		printLine("stopped by " + interrupted.Error() + " before the application was started")
		return interrupted.code()
	}
	if err != nil {
		return fail(err)
	}
	if o.check {
		p.describe(os.Stdout)
		return 0
	}
	// The application starts with the default signal handling.
	stop()
	return fail(execCommand(p.path, o.command, p.environment))
}

// printLine prints one line to stderr, where the application's own lines follow.
func printLine(line string) { _, _ = fmt.Fprintln(os.Stderr, "entrypoint: "+line) }

// fail prints every line of an error and returns its exit code.
func fail(err error) int {
	for _, line := range errorLines(err) {
		printLine(line)
	}
	var f exitError
	if errors.As(err, &f) {
		return f.code
	}
	return exitConfiguration
}

// signalError is the signal that came before the application was started.
type signalError struct{ signal syscall.Signal }

func (i signalError) Error() string { return i.signal.String() }

// code returns the exit code with which shells and ECS report a process that a signal ended.
func (i signalError) code() int { return 128 + int(i.signal) }

// signalContext returns a context that ends with SIGINT or SIGTERM: by default, the first process of a container
// ignores both.
func signalContext() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case got := <-signals:
			if number, ok := got.(syscall.Signal); ok {
				cancel(signalError{number})
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
