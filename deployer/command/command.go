// Package command is the deployer's command line: the table of commands, their flags, and one file for each command.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// The exit codes, as in the README's table.
const (
	codeDone        = 0
	codeFailed      = 1
	codeWarnings    = 2
	codeNotRun      = 3
	codeInterrupted = 130
)

// streams are what a command reads and writes. Results go to out; progress, logs and errors go to err.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	// self is this program's file, to start it once more; "" where it cannot be, as in a test that calls run.
	self string
	// flags are those that printed commands get, once they are known; nil before.
	flags *flagsInForce
	// changing reports that a change may be under way, which an interruption ends in an orderly way; nil where no signal is handled.
	changing *atomic.Bool
}

// setChanging sets whether a change may be under way, and returns what it was.
func (s streams) setChanging(changing bool) (before bool) {
	return s.changing != nil && s.changing.Swap(changing)
}

// exitStatus is an exit code whose reason has been printed already, as part of a report.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// partialFailure marks an error that happened after something was changed or attempted: code 1 instead of 3.
type partialFailure struct{ error }

func (f partialFailure) Unwrap() error { return f.error }

// markAttempted marks an error as a partial failure; nil stays nil.
func markAttempted(err error) error {
	if err == nil {
		return nil
	}
	return partialFailure{err}
}

// markRun marks the error of an engine that ran as a partial failure. An engine that did not start, because the stack is locked
// or the backend cannot be reached, has attempted nothing.
func markRun(err error) error {
	var failed *engine.FailedError
	var stopped *engine.InterruptedError
	if errors.As(err, &failed) || errors.As(err, &stopped) {
		return partialFailure{err}
	}
	return err
}

// unchangedError marks the error of a command that changes something, and did not start to.
type unchangedError struct{ error }

func (e unchangedError) Unwrap() error { return e.error }

// Main runs the program on the process's streams and returns its exit code. Exit ends the process at once, when a signal leaves
// no time for anything else.
func Main(version string, args []string, exit func(int)) int {
	return mainOn(version, args, exit, os.Stdout, os.Stderr)
}

// mainOn runs the program on streams for its output.
func mainOn(version string, args []string, exit func(int), out, errs io.Writer) int {
	var changing atomic.Bool
	ctx, stop := interruptible(context.Background(), os.Stderr, &changing, exit)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		self = "" // without the lock's keeper, a lock in a bucket ends two minutes after this process
	}
	return run(ctx, version, args, streams{in: os.Stdin, out: out, err: errs, self: self, changing: &changing})
}

// run parses the arguments, runs the command, prints its errors once, and returns the exit code.
func run(ctx context.Context, version string, args []string, s streams) int {
	s.flags = &flagsInForce{}
	if !symbols(s.err) {
		s.err = asciiWriter{s.err}
	}
	s.err = flaggedWriter{s.err, s.flags}
	if len(args) > 1 && args[1] == completeWord {
		printChoices(s.out, args[2:])
		return codeDone
	}
	*s.flags = scanFlagsInForce(args)
	app := application(version, s)
	args, err := permute(app, args)
	if err == nil {
		if path, asked := helpRequest(app, args); asked {
			err = printHelp(s.out, path)
		} else {
			err = app.RunContext(ctx, args)
		}
	}
	for _, reason := range unreportedErrors(err) {
		printError(s.err, reason)
		if os.Getenv("GITHUB_ACTIONS") == "true" && !annotated(reason) {
			_, _ = fmt.Fprintln(s.err, ui.ErrorAnnotation(sanitize.Text(strings.TrimRight(reason.Error(), "\n"))))
		}
	}
	if unchanged := (unchangedError{}); errors.As(err, &unchanged) && !strings.Contains(err.Error(), "nothing was ") {
		_, _ = fmt.Fprintln(s.err, "deployer: nothing was changed")
	}
	return exitCode(err)
}

// unreportedErrors returns what of an error has to be printed: of joined errors not the exit statuses, whose reasons are in a
// report.
func unreportedErrors(err error) []error {
	var reported exitStatus
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &reported):
		return []error{err}
	}
	if joined, several := err.(interface{ Unwrap() []error }); several {
		var reasons []error
		for _, one := range joined.Unwrap() {
			reasons = append(reasons, unreportedErrors(one)...)
		}
		return reasons
	}
	return unreportedErrors(errors.Unwrap(err))
}

// annotated reports whether an error is a deployment's, whose phases have annotated it already.
func annotated(err error) bool {
	var failed *release.FailedError
	var notStarted *release.NotStartedError
	var stopped *release.InterruptedError
	return errors.As(err, &failed) || errors.As(err, &notStarted) || errors.As(err, &stopped)
}

// exitCode returns the exit code of an error. Nothing else maps errors to exit codes.
func exitCode(err error) int {
	var status exitStatus
	var stopped *release.InterruptedError
	var notStarted *release.NotStartedError
	var failedRelease *release.FailedError
	var failed partialFailure
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return codeInterrupted
	case errors.As(err, &notStarted), errors.As(err, &stopped) && stopped.Phase == release.Preflight:
		return codeNotRun
	case errors.As(err, &failedRelease), errors.As(err, &stopped), errors.As(err, &failed):
		return codeFailed
	}
	return codeNotRun
}

// printError prints an error once, and its hint on a line of its own. An error may quote a text that nothing has sanitized, such as a name
// server's answer.
func printError(w io.Writer, err error) {
	_, _ = fmt.Fprintln(w, wrapMessage(w, "deployer: "+sanitize.Text(strings.TrimRight(err.Error(), "\n"))))
	if remedy := hint.Of(err); remedy != "" {
		_, _ = fmt.Fprintln(w, wrapMessage(w, "hint: "+sanitize.Text(remedy)))
	}
}

// application returns the command line: every verb of the table, each with the global flags.
func application(version string, s streams) *cli.App {
	app := &cli.App{
		Name:            "deployer",
		Version:         version,
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          s.out,
		ErrWriter:       s.err,
		Reader:          s.in,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    usageError,
		CommandNotFound: func(*cli.Context, string) {},
		Action:          rejectCommand,
	}
	for _, v := range verbs() {
		app.Commands = append(app.Commands, v.command(s))
	}
	return app
}

const introduction = `Try it without an AWS account:
   deployer up --env staging --image-tag 1.41.8-abc123def --local

Exit codes: 0 done or healthy, 1 failed or errors, 2 warnings or changes, 3 could not run, 130 interrupted.
Every flag has an environment variable: --image-tag is DEPLOYER_IMAGE_TAG; those of --only and --skip contain the
command: DEPLOYER_UP_SKIP, DEPLOYER_STATUS_SKIP.`

// rejectCommand rejects an unknown command below one that only groups others.
func rejectCommand(c *cli.Context) error {
	return unknownCommand(strings.TrimSpace(c.Command.HelpName), c.Args().First(), c.Command.Subcommands)
}

func usageError(c *cli.Context, err error, _ bool) error {
	path, flags := strings.TrimSpace(c.Command.HelpName), c.Command.Flags
	if path == c.App.Name {
		flags = append(flagsOfAll(nil), &cli.BoolFlag{Name: versionFlag})
	}
	return flagError(path, flags, err)
}
