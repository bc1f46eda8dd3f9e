package engine

import (
	"context"
	"errors"
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

// maxInterruptDelay bounds how long an interrupt waits for an engine that has not said anything yet. Between taking the stack's
// lock and listening to signals the engine reads the state; a signal in that time would leave the lock behind.
const maxInterruptDelay = 5 * time.Second

// exitSignaled is the exit code of a process that a signal ended.
const exitSignaled = -1

// exitNotRun is the Automation API's exit code of a command that could not be run.
const exitNotRun = -2

// process is the Automation API's PulumiCommand for one run of the engine. The API's own leaves the engine within reach
// of the terminal's signals, kills it ten seconds after a cancellation, and ties it to this process by pipes.
type process struct {
	engine *Engine
	// listening is closed once the engine reacts to signals.
	listening <-chan struct{}
	// stderr is what the last command said, code its exit code, and end how it failed.
	stderr, failure string
	code            int
	// runningPID is the process that was not waited for to its end; 0 where it has ended.
	runningPID int
}

// abandonKey is where a context carries how long engines are waited for.
type abandonKey struct{}

// WithAbandon returns a context in which an engine that was asked to stop, and has not ended when the channel is
// closed, is left to itself: the run then returns an InterruptedError that names it.
func WithAbandon(ctx context.Context, ended <-chan struct{}) context.Context {
	return context.WithValue(ctx, abandonKey{}, ended)
}

// abandoned is closed when an engine is not waited for any longer; nil, which never is, without WithPatience.
func abandoned(ctx context.Context) <-chan struct{} {
	ended, _ := ctx.Value(abandonKey{}).(<-chan struct{})
	return ended
}

// errStillRunning says that the engine has not ended.
var errStillRunning = errors.New("the engine is still ending")

var _ auto.PulumiCommand = (*process)(nil)

// Version is the engine's.
func (c *process) Version() semver.Version { return c.engine.version }

// cannedResponses are what the Automation API asks besides the run itself. Nobody reads them here: the stack is known to be
// there, and outputs are read from the state. Each answer saves the start of a process, a quarter of a second.
var cannedResponses = map[string]string{
	"stack select":  "",
	"stack output":  "{}",
	"stack history": "[]",
}

// Run runs the engine until it ends. It returns what the engine wrote, its exit code, and an error where that is not 0.
// When ctx ends first, the engine gets one SIGINT and its end is waited for.
func (c *process) Run(ctx context.Context, dir string, stdin io.Reader, stdout, stderr []io.Writer, env []string,
	args ...string) (string, string, int, error) {
	if response, known := cannedResponses[strings.Join(args[:min(2, len(args))], " ")]; known {
		return response, "", 0, nil
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
		c.failure = err.Error()
	}
	return out, c.stderr, c.code, err
}

// execute starts the command, waits for its end and returns its standard output.
func (c *process) execute(ctx context.Context, cmd *exec.Cmd, stdout, stderr []io.Writer) (string, error) {
	c.code = exitNotRun
	if err := ctx.Err(); err != nil {
		return "", err
	}
	out, err := newOutputFile(stdout)
	if err != nil {
		return "", err
	}
	defer out.Close()
	errs, err := newOutputFile(stderr)
	if err != nil {
		return "", err
	}
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out.File, errs.File
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended, asked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(asked)
		interruptOnce(ctx, cmd.Process, c.listening, ended)
	}()
	var failed error
	go func() {
		defer close(ended)
		failed = cmd.Wait()
	}()
	select {
	case <-ended:
	case <-givenUp(ctx, asked):
		c.runningPID = cmd.Process.Pid
		c.stderr = errs.read()
		return out.read(), errStillRunning
	}
	c.stderr, c.code = errs.read(), cmd.ProcessState.ExitCode()
	return out.read(), failed
}

// givenUp is closed when an engine that was asked to stop is given up waiting for.
func givenUp(ctx context.Context, asked <-chan struct{}) <-chan struct{} {
	done := make(chan struct{})
	if abandoned(ctx) == nil {
		return done
	}
	go func() {
		<-asked
		if ctx.Err() == nil {
			return // it has ended by itself
		}
		<-abandoned(ctx)
		close(done)
	}()
	return done
}

// interruptOnce sends the process one SIGINT when ctx ends, as soon as it listens.
func interruptOnce(ctx context.Context, proc *os.Process, listening, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(maxInterruptDelay)
	defer timer.Stop()
	select {
	case <-ended:
		return
	case <-listening:
	case <-timer.C:
	case <-abandoned(ctx):
	}
	// A process that has just ended needs no signal: the error says nothing else.
	_ = proc.Signal(os.Interrupt)
}
