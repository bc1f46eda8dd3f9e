package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// clearScreen empties a terminal and what it remembers above.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// watchEstate looks again and again until it is interrupted, and ends with the code of the last report that was made.
// Where nothing could be looked at to begin with, it does not try again.
func (s status) watchEstate(ctx context.Context, e *estate) error {
	last := errInterrupted
	for first := true; ; first = false {
		err := s.look(ctx, e, func(result []byte) (err error) {
			e.later, err = s.showAgain(result)
			return err
		})
		told := err == nil || errors.As(err, new(verdict))
		switch {
		case errors.Is(err, errInterrupted):
			return last
		case first && e.failed():
			return err
		case !told && !e.failed():
			return err // it could not be shown
		case !told:
			printError(s.err, err)
			err = verdict(exitCode(err))
		}
		last = err
		if isTerminal(s.err) {
			_, _ = fmt.Fprintf(s.err, "\nagain in %s; Ctrl-C ends\n", s.watch)
		}
		if e.clock().Wait(ctx, s.watch) != nil {
			return last
		}
	}
}

// showAgain puts a result where the one before it was, in the file or on the terminal's screen; else behind it, and
// then stays says so.
func (s status) showAgain(result []byte) (stays bool, err error) {
	if s.output != "" {
		if err := replaceFile(s.output, result); err != nil {
			return false, fmt.Errorf("write the result: %w", err)
		}
		return false, nil
	}
	redrawn := isTerminal(s.out) && os.Getenv("TERM") != "dumb"
	if redrawn {
		result = append([]byte(clearScreen), result...)
	}
	_, err = s.out.Write(result)
	return !redrawn, err
}
