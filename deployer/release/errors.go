package release

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
)

// Problem is something that preflight found.
type Problem struct {
	// Check names the check: account, image, secret …
	Check   string `json:"check"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Stops reports that the deployment cannot start; otherwise the problem is a warning.
	Stops bool `json:"stops"`
	// Transient reports that the problem resolves itself, so that it can be waited for.
	Transient bool `json:"-"`
}

// blocking returns an error of a check as the problem that stops a deployment.
func blocking(check string, err error) []Problem {
	return []Problem{{Check: check, Message: err.Error(), Hint: hint.Of(err), Stops: true}}
}

// transient returns an error of a check as a problem that resolves itself.
func transient(check string, err error) []Problem {
	return []Problem{{Check: check, Message: err.Error(), Hint: hint.Of(err), Stops: true, Transient: true}}
}

// NotStartedError reports that nothing was changed, with every problem that preflight found.
type NotStartedError struct {
	Problems []Problem
	// Except is what was changed before preflight; "" where that is nothing.
	Except string
}

// NotStarted returns the error of one check that stops a deployment.
func NotStarted(check string, err error) error {
	return &NotStartedError{Problems: blocking(check, err)}
}

func (e *NotStartedError) Error() string {
	lines := []string{"the deployment cannot start, " + nothingChanged(e.Except) + ":"}
	for _, p := range e.Problems {
		lines = append(lines, p.Check+": "+p.Message)
		if p.Hint != "" {
			lines = append(lines, "  hint: "+p.Hint)
		}
	}
	return strings.Join(lines, "\n  ")
}

// nothingChanged returns that nothing was changed, except for what was before.
func nothingChanged(except string) string {
	if except == "" {
		return "nothing was changed"
	}
	return "nothing was changed but " + except
}

// ChangedBefore adds to the error of a deployment that ended in preflight what was changed before.
func ChangedBefore(err error, what string) error {
	var notStarted *NotStartedError
	var interrupted *InterruptedError
	switch {
	case errors.As(err, &notStarted):
		notStarted.Except = what
	case errors.As(err, &interrupted):
		interrupted.Except = what
	}
	return err
}

// FailedError reports the phase that failed, and the outcome of the rollback.
type FailedError struct {
	Phase string
	Cause error
	// Rollback is what was rolled back, or why nothing was.
	Rollback string
}

func (e *FailedError) Error() string {
	return strings.TrimSuffix(e.Phase+": "+e.Cause.Error()+"\n"+e.Rollback, "\n")
}

// Unwrap returns the cause, which may carry a hint.
func (e *FailedError) Unwrap() error { return e.Cause }

// InterruptedError reports where a deployment was stopped, by a signal or by its time limit, and how to continue.
type InterruptedError struct {
	Phase string
	// Cause is why the context ended.
	Cause error
	// Remaining describes what is still running or pending; in preflight that is nothing.
	Remaining error
	// State is what was done, and what there is now; "" where that is unknown.
	State string
	// RollbackOf is the failure whose rollback was interrupted; nil where it was no rollback.
	RollbackOf *FailedError
	// NextStep is the hint; "" means that of Remaining.
	NextStep string
	// Except is what was changed before preflight; "" where that is nothing.
	Except string
}

func (e *InterruptedError) Error() string {
	text := "stopped during " + e.Phase + ": " + e.Cause.Error()
	if e.RollbackOf != nil {
		text = e.RollbackOf.Phase + ": " + e.RollbackOf.Cause.Error() + "\n" + text
	}
	if e.Phase == Preflight {
		return text + "; " + nothingChanged(e.Except)
	}
	if e.Remaining != nil {
		if rest := withoutCause(e.Remaining, e.Cause); rest != "" {
			text += "; " + rest
		}
	}
	if e.State != "" {
		text += "; " + e.State
	}
	return text
}

// withoutCause returns the text of err without the reason for the interruption, which the message already has.
func withoutCause(err, cause error) string {
	var engine engineInterruption
	if errors.As(err, &engine) {
		return engine.Remaining()
	}
	if isCanceledRead(err) {
		return ""
	}
	text := err.Error()
	for _, known := range []error{cause, context.Canceled, context.DeadlineExceeded} {
		if text == known.Error() {
			return ""
		}
		text = strings.TrimSuffix(strings.TrimSuffix(text, ": "+known.Error()), ", "+known.Error())
	}
	return text
}

// isCanceledRead reports whether an error is a call to AWS that reads, and that the interruption has ended: nothing remains of it.
func isCanceledRead(err error) bool {
	var operation *smithy.OperationError
	reads := func(prefix string) bool { return strings.HasPrefix(operation.Operation(), prefix) }
	return errors.Is(err, context.Canceled) && errors.As(err, &operation) && slices.ContainsFunc([]string{"Describe", "List", "Get"}, reads)
}

// Unwrap returns the cause.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// Hint returns how to continue.
func (e *InterruptedError) Hint() string {
	return cmp.Or(e.NextStep, hint.Of(e.Remaining), "run the same command again; it continues from the current state")
}

// ExpiredError reports that AWS rejected a call because the credentials have expired.
type ExpiredError struct{ Err error }

func (e *ExpiredError) Error() string { return "the credentials have expired: " + e.Err.Error() }

// Unwrap returns AWS's error.
func (e *ExpiredError) Unwrap() error { return e.Err }

// Hint returns how to continue.
func (e *ExpiredError) Hint() string {
	return renewCredentials + ", then run the same command again: it continues from the current state"
}

// nameExpired wraps an error of expired credentials in an *ExpiredError.
func nameExpired(err error) error {
	if expired := (*ExpiredError)(nil); !errors.As(err, &expired) && expiry.IsError(err) {
		return &ExpiredError{err}
	}
	return err
}

// BusyError reports that another process is changing the stack.
type BusyError struct{ Err error }

func (e *BusyError) Error() string { return e.Err.Error() }

// Unwrap returns the engine's error, which names the process.
func (e *BusyError) Unwrap() error { return e.Err }
