package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
)

// The exit codes, as the README's table says.
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
	// warned is how often something was warned of; nil where nobody counts.
	warned *atomic.Int64
}

// verdict is an exit code whose reason has been printed already, as part of a report.
type verdict int

func (v verdict) Error() string { return fmt.Sprintf("exit code %d", int(v)) }

// failure marks an error as one that happened after something was changed or tried: code 1 instead of 3.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// tried makes a failure of what went wrong in a run of the engine that was to change something. An engine that never
// began, because the stack is locked or the backend cannot be reached, has tried nothing.
func tried(err error) error {
	var failed *engine.FailedError
	var stopped *engine.InterruptedError
	if errors.As(err, &failed) || errors.As(err, &stopped) {
		return failure{err}
	}
	return err
}

// run is the whole program: it parses, runs, prints what went wrong once, and returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	app := application(s)
	err := app.RunContext(ctx, permute(app, args))
	for _, reason := range untold(err) {
		printError(s.err, reason)
	}
	return exitCode(err)
}

// untold is what has to be said of an error: all of it, but of joined errors not the verdicts, whose reasons stand in
// a report.
func untold(err error) []error {
	var told verdict
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &told):
		return []error{err}
	}
	if joined, several := err.(interface{ Unwrap() []error }); several {
		var reasons []error
		for _, one := range joined.Unwrap() {
			reasons = append(reasons, untold(one)...)
		}
		return reasons
	}
	return untold(errors.Unwrap(err))
}

// exitCode is the one place where an error becomes a number.
func exitCode(err error) int {
	var told verdict
	var stopped *release.InterruptedError
	var notStarted *release.NotStartedError
	var failedRelease *release.FailedError
	var failed failure
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &told):
		return int(told)
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return codeInterrupted
	case errors.As(err, &notStarted), errors.As(err, &stopped) && stopped.Phase == release.Preflight:
		return codeNotRun
	case errors.As(err, &failedRelease), errors.As(err, &stopped), errors.As(err, &failed):
		return codeFailed
	}
	return codeNotRun
}

// printError prints an error once, and its hint apart from it.
func printError(w io.Writer, err error) {
	_, _ = fmt.Fprintf(w, "deployer: %s\n", strings.TrimRight(err.Error(), "\n"))
	if hint := hint.Of(err); hint != "" {
		_, _ = fmt.Fprintf(w, "hint: %s\n", suggestion)
	}
}

// warn says what went wrong beside a command, and changes nothing of its result.
func (s streams) warn(err error) {
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "deployer: warning: %s\n", strings.TrimRight(err.Error(), "\n"))
		s.count(1)
	}
}

// count remembers warnings, for --strict.
func (s streams) count(warnings int) {
	if s.warned != nil {
		s.warned.Add(int64(warnings))
	}
}

// application is the command line interface: every verb of the table, each with the global flags.
func application(s streams) *cli.App {
	app := &cli.App{
		Name:                 "deployer",
		Usage:                "deploys the Balancer V3 GraphQL API to AWS, and says how it is",
		Description:          introduction,
		Version:              version,
		HideVersion:          true,
		Writer:               s.out,
		ErrWriter:            s.err,
		Reader:               s.in,
		EnableBashCompletion: true,
		Suggest:              true,
		ExitErrHandler:       func(*cli.Context, error) {},
		OnUsageError:         usageError,
		CommandNotFound:      func(*cli.Context, string) {},
		Action:               helpOrUnknown,
	}
	for _, v := range verbs() {
		app.Commands = append(app.Commands, v.command(s))
	}
	return app
}

const introduction = `Try it without an AWS account:
   deployer up --env staging --image-tag 1.41.8-abc123def --local

Exit codes: 0 done or healthy, 1 failed or errors, 2 warnings or changes, 3 could not run, 130 interrupted.
Every flag has an environment variable: --image-tag is DEPLOYER_IMAGE_TAG; only and skip have the command's name in
theirs: DEPLOYER_UP_SKIP, DEPLOYER_STATUS_SKIP.`

// helpOrUnknown is what a command that only groups others does.
func helpOrUnknown(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowSubcommandHelp(c)
	}
	name := c.Args().First()
	suggestion := "`deployer --help` lists the commands"
	// Nobody is led to a command that deletes by a slip of the finger.
	harmless := slices.DeleteFunc(slices.Clone(c.Command.Subcommands), func(c *cli.Command) bool { return c.Name == "destroy" })
	if similar := cli.SuggestCommand(harmless, name); similar != "" {
		suggestion = strings.TrimSuffix(similar, "?") + "? " + suggestion
	}
	return hint.With(fmt.Errorf("there is no command %q", name), suggestion)
}

func usageError(c *cli.Context, err error, _ bool) error {
	name := strings.TrimSpace(c.Command.HelpName)
	return hint.With(err, fmt.Sprintf("`%s --help` lists the flags", name))
}

// permute moves a command's flags between its name and its arguments, where the flag library looks for them: people write
// `secrets set KEY --env staging` and `--env staging status`.
func permute(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	head, rest := args[:1:1], args[1:]
	commands, flags, global := app.Commands, app.Flags, globalFlags([]string{"text"})
	var early []string
	for len(rest) > 0 {
		next := find(commands, rest[0])
		switch {
		case next == nil && len(commands) > 0 && flagOf(global, rest[0]) != nil:
			length := 1
			if takesValue(global, rest[0]) {
				length = min(2, len(rest))
			}
			early, rest = append(early, rest[:length]...), rest[length:]
			continue
		case next == nil && len(commands) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] != "help":
			// Its flags cannot be known; the name alone is what there is to complain about.
			return append(head, rest[0])
		case next == nil && len(commands) > 0:
			return append(head, rest...) // help, or what completion asks: no command's flags are meant
		case next == nil:
			return append(head, sortArguments(flags, slices.Concat(early, rest))...)
		}
		head, rest = append(head, rest[0]), rest[1:]
		commands, flags = next.Subcommands, next.Flags
	}
	if len(commands) > 0 {
		return head // no command was named: the help lists them
	}
	return append(head, sortArguments(flags, early)...)
}

// sortArguments puts options before arguments. What stands behind -- stays as it is.
func sortArguments(flags []cli.Flag, rest []string) []string {
	var options, arguments []string
	for i := 0; i < len(rest); i++ {
		switch arg := rest[i]; {
		case arg == "--":
			return slices.Concat(options, arguments, rest[i:])
		case !strings.HasPrefix(arg, "-") || arg == "-":
			arguments = append(arguments, arg)
		default:
			options = append(options, arg)
			if takesValue(flags, arg) && i+1 < len(rest) {
				i++
				options = append(options, rest[i])
			}
		}
	}
	return slices.Concat(options, arguments)
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue reports whether the flag is followed by its value.
func takesValue(flags []cli.Flag, arg string) bool {
	known := flagOf(flags, arg)
	_, isBool := known.(*cli.BoolFlag)
	return known != nil && !isBool && !strings.Contains(arg, "=")
}

// flagOf is the flag that an argument is; nil where it is none of them.
func flagOf(flags []cli.Flag, arg string) cli.Flag {
	if !strings.HasPrefix(arg, "-") {
		return nil
	}
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// isTerminal reports whether a stream is one that a person looks at.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && terminal(file)
}
