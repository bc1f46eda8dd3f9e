package release

import (
	"cmp"
	"context"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// Problem is something that preflight found.
type Problem struct {
	// Check names what was looked at: account, image, secret …
	Check   string `json:"check"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Stops says that the deployment cannot start; otherwise it is a warning.
	Stops bool `json:"stops"`
	// Transient says that it goes away by itself, so that it can be waited for.
	Transient bool `json:"-"`
}

// transient marks problems that go away by themselves.
func transient(problems []Problem) []Problem {
	for i := range problems {
		problems[i].Transient = true
	}
	return problems
}

// NotStartedError says that nothing was changed, and why: every problem that preflight found.
type NotStartedError struct {
	Problems []Problem
}

// NotStarted is the error of one check that stops a deployment.
func NotStarted(check string, err error) error {
	return &NotStartedError{Problems: blocking(check, err)}
}

func (e *NotStartedError) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		line := p.Check + ": " + p.Message
		if p.Hint != "" {
			line += "\n    hint: " + p.Hint
		}
		lines = append(lines, line)
	}
	return "the deployment cannot start, nothing was changed:\n  " + strings.Join(lines, "\n  ")
}

// FailedError says which phase failed, and what was done about it.
type FailedError struct {
	Phase string
	Cause error
	// Rollback tells what was put back, or that nothing had to be.
	Rollback string
}

func (e *FailedError) Error() string {
	text := e.Phase + ": " + e.Cause.Error()
	if e.Rollback != "" {
		text += "\n" + e.Rollback
	}
	return text
}

// Unwrap gives the cause, which may carry a hint.
func (e *FailedError) Unwrap() error { return e.Cause }

// InterruptedError says where a deployment was stopped, by a signal or by its time limit, and how to go on.
type InterruptedError struct {
	Phase string
	// Cause is what ended the context.
	Cause error
	// Remaining tells what is still running or pending; in preflight that is nothing.
	Remaining error
	// RollbackOf is what had failed before, where it was the rollback that was stopped.
	RollbackOf *FailedError
	// NextStep is what to do, where it is another than what Left says.
	NextStep string
}

func (e *InterruptedError) Error() string {
	text := "stopped during " + e.Phase + ": " + e.Cause.Error()
	if e.RollbackOf != nil {
		text = e.RollbackOf.Phase + ": " + e.RollbackOf.Cause.Error() + "\n" + text
	}
	switch {
	case e.Phase == Preflight:
		text += "; nothing was changed"
	case e.Remaining != nil && withoutCause(e.Remaining, e.Cause) != "":
		text += "; " + withoutCause(e.Remaining, e.Cause)
	}
	return text
}

// withoutCause is what an error says besides that something was stopped, which its reader knows.
func withoutCause(err, cause error) string {
	text := err.Error()
	for _, phrase := range []error{cause, context.Canceled, context.DeadlineExceeded} {
		if text == phrase.Error() {
			return ""
		}
		text = strings.TrimSuffix(text, ": "+phrase.Error())
	}
	return text
}

// Unwrap gives the cause.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// Hint says how to go on.
func (e *InterruptedError) Hint() string {
	return cmp.Or(e.NextStep, hint.Of(e.Remaining), "run the same command again: it goes on from what is there")
}

// BusyError says that somebody else is changing the stack.
type BusyError struct{ Err error }

func (e *BusyError) Error() string { return e.Err.Error() }

// Unwrap gives the engine's error, which knows who it is.
func (e *BusyError) Unwrap() error { return e.Err }
