package command

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// clearScreen clears a terminal and its scrollback.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// footerLines is how many lines of the screen follow a report: a blank one, when the next report comes, and the cursor's. The first may
// be wrapped in a narrow terminal.
const footerLines = 4

// watchEnvironments repeats the report until it is interrupted, which is its end as that of any command, or until the limited context ends:
// then it returns the exit code of the last report. Where the first report failed for every environment, it does not retry.
func (o statusOptions) watchEnvironments(ctx, limited context.Context, e *environments) error {
	const ended = exitStatus(codeInterrupted)
	for first := true; ; first = false {
		err := o.report(ctx, e, func(result []byte) (err error) {
			e.appended, err = o.showAgain(result)
			return err
		})
		reported := err == nil || errors.As(err, new(exitStatus))
		switch {
		case errors.Is(err, errInterrupted):
			return ended
		case first && e.failed():
			return err
		case !reported && !e.failed():
			return err // the output failed
		case !reported:
			printError(o.terminal.err, err)
			err = exitStatus(codeNotRun)
		}
		if isTerminal(o.terminal.err) {
			_, _ = fmt.Fprintf(o.terminal.err, "\n%s; next report in %s, press Ctrl-C to end\n", e.verdict, o.watch)
		}
		switch waitErr := o.clock.Wait(limited, o.watch); {
		case ctx.Err() != nil:
			return ended
		case waitErr != nil:
			return err
		}
	}
}

// showAgain replaces the previous result in the file or on the terminal's screen; elsewhere it appends, and returns that the
// previous one stays.
func (o statusOptions) showAgain(result []byte) (stays bool, err error) {
	if o.output != "" {
		if err := writeFileAtomic(o.output, result); err != nil {
			return false, fmt.Errorf("write the result: %w", err)
		}
		return false, nil
	}
	if o.redraws() {
		result = append([]byte(clearScreen), result...)
	}
	_, err = o.terminal.out.Write(result)
	return !o.redraws(), err
}

// redraws reports whether each report of a watch replaces the previous one on the terminal's screen.
func (o statusOptions) redraws() bool {
	return o.watch > 0 && o.output == "" && isTerminal(o.terminal.out) && os.Getenv("TERM") != "dumb"
}
