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

// maxInterruptDelay bounds the delay of an interrupt for an engine that has not emitted an event yet: after it acquires the
// stack's lock and before it handles signals, it reads the state, and a signal in that time would leave the lock behind.
const maxInterruptDelay = 5 * time.Second

// exitSignaled is the exit code of a process that was killed by a signal.
const exitSignaled = -1

// exitNotRun is the Automation API's exit code of a command that could not be started.
const exitNotRun = -2

// process is the Automation API's PulumiCommand for one run of the engine. The API's own implementation lets the terminal's
// signals reach the engine, kills it ten seconds after a cancellation, and connects it to this process by pipes.
type process struct {
	// find returns the engine, which is looked for once.
	find func() (*Engine, error)
	// onStart receives the ID of the process, and 0 when it has ended; nil if no one needs it.
	onStart func(pid int)
	// listening is closed once the engine handles signals; nil if it does from the start.
	listening <-chan struct{}
	// stderr is the output of the last command, code its exit code, and failure its error.
	stderr, failure string
	code            int
	// runningPID is the process that was abandoned while it was running; 0 if it has ended.
	runningPID int
}

// abandonKey is the key of WithAbandon's channel in a context.
type abandonKey struct{}

// WithAbandon returns a context in which an engine that was interrupted, and is still running when the channel is closed,
// is abandoned: the run then returns an InterruptedError with its process.
func WithAbandon(ctx context.Context, ended <-chan struct{}) context.Context {
	return context.WithValue(ctx, abandonKey{}, ended)
}

// abandoned returns WithAbandon's channel; nil, which is never closed, without it.
func abandoned(ctx context.Context) <-chan struct{} {
	ended, _ := ctx.Value(abandonKey{}).(<-chan struct{})
	return ended
}

// stateTaken reports whether the context has ended because another process may write the state from now on: the engine's next
// write would replace that process's, and is worse than an operation of unknown outcome.
func stateTaken(ctx context.Context) bool {
	var taken interface{ StateTaken() }
	return ctx.Err() != nil && errors.As(context.Cause(ctx), &taken)
}

var errStillRunning = errors.New("the engine is still running")

var _ auto.PulumiCommand = (*process)(nil)

// newProcess returns a run of the handle's engine.
func (h *Handle) newProcess() *process { return &process{find: h.find, onStart: h.stack.OnEngine} }

// Version returns the engine's version.
func (c *process) Version() semver.Version {
	engine, err := c.find()
	if err != nil {
		return semver.Version{} // Run returns the error
	}
	return engine.version
}

// cannedResponses answer the commands that the Automation API adds to a run: the stack is known to exist, and outputs are
// read from the state. Each saves the start of a process, a quarter of a second.
var cannedResponses = map[string]string{"stack select": "", "stack output": "{}", "stack history": "[]"}

// Run runs the engine until it ends. It returns the engine's output, its exit code, and an error if that is not 0. When ctx
// ends first, the engine gets one SIGINT, and Run waits for its end.
func (c *process) Run(ctx context.Context, dir string, stdin io.Reader, stdout, stderr []io.Writer, env []string,
	args ...string) (string, string, int, error) {
	if response, known := cannedResponses[strings.Join(args[:min(2, len(args))], " ")]; known {
		return response, "", 0, nil
	}
	if !slices.Contains(args, "--non-interactive") {
		args = append([]string{"--non-interactive"}, args...)
	}
	if len(args) > 2 && args[1] == "stack" && args[2] == "init" {
		args = append(args, "--no-select") // the selection is stored with the backend's URL, which may have a secret
	}
	engine, err := c.find()
	if err != nil {
		return "", "", exitNotRun, err
	}
	cmd := exec.Command(engine.path, args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = slices.Concat(os.Environ(), env, []string{"PULUMI_AUTOMATION_API=true"})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's signals do not reach it
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
	if c.onStart != nil {
		c.onStart(cmd.Process.Pid)
	}
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed = cmd.Wait()
		if c.onStart != nil {
			c.onStart(0)
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		if stateTaken(ctx) {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the only error is that it has just ended
		} else {
			c.interrupt(ctx, cmd.Process, ended)
		}
		select {
		case <-ended:
		case <-abandoned(ctx):
			c.runningPID, c.stderr = cmd.Process.Pid, errs.read()
			return out.read(), errStillRunning
		}
	}
	c.stderr, c.code = errs.read(), cmd.ProcessState.ExitCode()
	return out.read(), failed
}

// interrupt sends the process one SIGINT, as soon as the engine handles signals.
func (c *process) interrupt(ctx context.Context, proc *os.Process, ended <-chan struct{}) {
	if c.listening != nil {
		timer := time.NewTimer(maxInterruptDelay)
		defer timer.Stop()
		select {
		case <-ended:
			return
		case <-c.listening:
		case <-timer.C:
		case <-abandoned(ctx):
		}
	}
	// The only error is that the process has just ended.
	_ = proc.Signal(os.Interrupt)
}
