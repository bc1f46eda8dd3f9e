package engine

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// settle bounds how long an interrupt waits for an engine that has not said anything yet. Between taking the stack's
// lock and listening to signals the engine reads the state; a signal in that time would leave the lock behind.
const settle = 5 * time.Second

// notRun is the Automation API's exit code of a command that could not be run.
const notRun = -2

// child is the Automation API's PulumiCommand for one run of the engine. The API's own leaves the engine within reach
// of the terminal's signals, kills it ten seconds after a cancellation, and ties it to this process by pipes.
type child struct {
	engine *Engine
	// listening is closed once the engine reacts to signals.
	listening <-chan struct{}
	// stderr is what the last command said, code its exit code, and end how it failed.
	stderr, end string
	code        int
}

var _ auto.PulumiCommand = (*child)(nil)

// Version is the engine's.
func (c *child) Version() semver.Version { return c.engine.version }

// answers are what the Automation API asks besides the run itself. Nobody reads them here: the stack is known to be
// there, and outputs are read from the state. Each answer saves the start of a process, a quarter of a second.
var answers = map[string]string{
	"stack select":  "",
	"stack output":  "{}",
	"stack history": "[]",
}

// Run runs the engine until it ends. It returns what the engine wrote, its exit code, and an error where that is not 0.
// When ctx ends first, the engine gets one SIGINT and its end is waited for.
func (c *child) Run(ctx context.Context, dir string, stdin io.Reader, stdout, stderr []io.Writer, env []string,
	args ...string) (string, string, int, error) {
	if answer, known := answers[strings.Join(args[:min(2, len(args))], " ")]; known {
		return answer, "", 0, nil
	}
	if !slices.Contains(args, "--non-interactive") {
		args = append([]string{"--non-interactive"}, args...)
	}
	cmd := exec.Command(c.engine.path, args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = slices.Concat(os.Environ(), env, []string{"PULUMI_AUTOMATION_API=true"})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // away from the terminal's signals
	out, err := c.execute(ctx, cmd, stdout, stderr)
	if err != nil {
		c.end = err.Error()
	}
	return out, c.stderr, c.code, err
}

// execute starts the command, waits for its end and returns its standard output.
func (c *child) execute(ctx context.Context, cmd *exec.Cmd, stdout, stderr []io.Writer) (string, error) {
	c.code = notRun
	if err := ctx.Err(); err != nil {
		return "", err
	}
	out, err := newOutput(stdout)
	if err != nil {
		return "", err
	}
	defer out.Close()
	errs, err := newOutput(stderr)
	if err != nil {
		return "", err
	}
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out.File, errs.File
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go interruptOnce(ctx, cmd.Process, c.listening, ended)
	err = cmd.Wait()
	close(ended)
	c.stderr, c.code = errs.read(), cmd.ProcessState.ExitCode()
	return out.read(), err
}

// interruptOnce sends the process one SIGINT when ctx ends, as soon as it listens.
func interruptOnce(ctx context.Context, process *os.Process, listening, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	patience := time.NewTimer(settle)
	defer patience.Stop()
	select {
	case <-ended:
		return
	case <-listening:
	case <-patience.C:
	}
	// A process that has just ended needs no signal: the error says nothing else.
	_ = process.Signal(os.Interrupt)
}
