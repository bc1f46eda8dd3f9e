package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
)

func TestExitCode(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"done":                          {nil, 0},
		"a report with warnings":        {exitStatus(codeWarnings), 2},
		"a report with errors":          {fmt.Errorf("wrapped: %w", exitStatus(codeFailed)), 1},
		"a phase failed":                {&release.FailedError{Phase: "rollout", Cause: errors.New("x")}, 1},
		"something failed half-way":     {partialFailure{errors.New("x")}, 1},
		"preflight":                     {&release.NotStartedError{}, 3},
		"bad arguments":                 {errors.New("x"), 3},
		"interrupted":                   {&release.InterruptedError{Phase: "rollout", Cause: errInterrupted}, 130},
		"out of time, half-way":         {&release.InterruptedError{Phase: "rollout", Cause: context.DeadlineExceeded}, 1},
		"out of time in preflight":      {&release.InterruptedError{Phase: "preflight", Cause: context.DeadlineExceeded}, 3},
		"the engine was interrupted":    {partialFailure{&engine.InterruptedError{Cause: errInterrupted}}, 130},
		"the engine was out of time":    {partialFailure{&engine.InterruptedError{Cause: context.DeadlineExceeded}}, 1},
		"a preview was out of time":     {&engine.InterruptedError{Cause: context.DeadlineExceeded}, 3},
		"a destroy that failed":         {markRun(&engine.FailedError{}), 1},
		"a destroy that did not start":  {markRun(&engine.ConcurrentUpdateError{}), 3},
		"interrupted outside a release": {fmt.Errorf("look at it: %w", context.Canceled), 130},
		"interrupted, and no record":    {errors.Join(&release.InterruptedError{Cause: errInterrupted}, errors.New("keep the record")), 130},
		"out of time":                   {context.DeadlineExceeded, 3},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, exitCode(test.err)) })
	}
}

func TestFlagsAfterArguments(t *testing.T) {
	app := application("development", streams{})
	for args, want := range map[string]string{
		"local push 1.2.3 --quiet":          "local push --quiet 1.2.3",
		"local push 1.2.3 --state-dir x":    "local push --state-dir x 1.2.3",
		"local push --state-dir=x 1.2.3 -q": "local push --state-dir=x -q 1.2.3",
		"local push --quiet 1.2.3":          "local push --quiet 1.2.3",
		"local push -- --odd":               "local push -- --odd",
		"up --env dev --image-tag latest":   "up --env dev --image-tag latest",
		"--env dev --local status --json":   "status --env dev --local --json",
		"-e=dev local --quiet push 1.2.3":   "local push -e=dev --quiet 1.2.3",
		"--image-tag latest up":             "--image-tag latest up",
		"--env dev":                         "",
		"--env dev --help":                  "--help",
		"--env dev help":                    "help",
		"--local snapshot --help":           "snapshot --help",
		"--version":                         "version",
		"-version --format json":            "version --format json",
		"--local --version":                 "version --local",
		"up --version":                      "up --version",
		"--format json version":             "version --format json",
		"-f json history --env dev":         "history -f json --env dev",
		"--quiet local":                     "local",
		"nonsense --env dev":                "nonsense",
		"local nonsense --env dev":          "local nonsense",
		"help up":                           "help up",
		"--help":                            "--help",
	} {
		t.Run(args, func(t *testing.T) {
			got, err := permute(app, append([]string{"deployer"}, strings.Fields(args)...))
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace("deployer "+want), strings.Join(got, " "))
		})
	}
}

// Every command has a usage and does something, and its first example is its own.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(path string, list []verb)
	walk = func(path string, list []verb) {
		for _, v := range list {
			name := path + " " + v.name
			require.NotEmpty(t, v.usage, name)
			require.Falsef(t, v.run == nil && len(v.verbs) == 0, "%s does nothing", name)
			if len(v.examples) > 0 {
				require.Contains(t, v.examples[0], name, "the first example is of the command")
			}
			walk(name, v.verbs)
		}
	}
	walk("deployer", verbs())
}

// With --strict every warning counts, of a command that succeeded.
func TestStrict(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		strict bool
		warn   func(*terminal)
		err    error
		want   int
	}{
		"done":                      {true, func(*terminal) {}, nil, codeDone},
		"a warning":                 {true, func(t *terminal) { t.warn(errors.New("it is old")) }, nil, codeWarnings},
		"a warning of the lock":     {true, func(t *terminal) { t.log("warning: the lock's heartbeat") }, nil, codeWarnings},
		"warnings of a deployment":  {true, func(t *terminal) { t.warnings.Add(2) }, nil, codeWarnings},
		"only a message":            {true, func(t *terminal) { t.log("waiting") }, nil, codeDone},
		"a warning, and not strict": {false, func(t *terminal) { t.warnings.Add(1) }, nil, codeDone},
		"it failed":                 {true, func(t *terminal) { t.warnings.Add(1) }, partialFailure{broken}, codeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			v := verb{name: "try", flags: []cli.Flag{strictFlag()}, run: func(_ context.Context, s *services, _ *cli.Context) error {
				test.warn(s.terminal)
				return test.err
			}}
			app := &cli.App{Commands: []*cli.Command{v.command(streams{err: io.Discard})}, ExitErrHandler: func(*cli.Context, error) {}}
			args := []string{"deployer", "try"}
			if test.strict {
				args = append(args, "--strict")
			}
			require.Equal(t, test.want, exitCode(app.RunContext(t.Context(), args)))
		})
	}
}

// A result that cannot be written is a failure of the command.
func TestUnwritableResult(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	var printed bytes.Buffer
	code := run(t.Context(), "development", []string{"deployer", "url", "--env", "staging", "--dir", projectRoot(t)}, streams{out: full, err: &printed})
	require.Equal(t, codeFailed, code)
	require.Contains(t, printed.String(), "write the result: write /dev/full: no space left on device")
}

// In GitHub Actions an error that no phase has annotated is shown on the run's page.
func TestErrorAnnotation(t *testing.T) {
	t.Setenv("DEPLOYER_DIR", projectRoot(t))
	_, _, errs := runLine(t, "up", "--env", "nowhere", "--image-tag", "x")
	require.NotContains(t, errs, "::error")
	t.Setenv("GITHUB_ACTIONS", "true")
	_, _, errs = runLine(t, "up", "--env", "nowhere", "--image-tag", "x")
	require.Contains(t, errs, "\n::error::there is no environment \"nowhere\": Pulumi.nowhere.yaml does not exist\n")
}
