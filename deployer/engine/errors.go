package engine

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Every error type here has Error, what happened, and Hint, one line that says what to do about it.

// NotFoundError says that there is no engine.
type NotFoundError struct {
	// Explicit is the path that was asked for, empty where the usual places were looked at.
	Explicit string
	// Searched are the places.
	Searched []string
	// Err is why the engine that is there cannot be run, where there is one.
	Err error
}

func (e *NotFoundError) Error() string {
	text := "no pulumi engine in " + strings.Join(e.Searched, " or ")
	if e.Explicit != "" {
		text = "no pulumi engine at " + e.Explicit
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns why the engine that is there cannot be run.
func (e *NotFoundError) Unwrap() error { return e.Err }

// Hint says how to get an engine.
func (e *NotFoundError) Hint() string { return installHint }

// TooOldError says that an engine was found whose version this program cannot use.
type TooOldError struct{ Path, Version string }

func (e *TooOldError) Error() string {
	return fmt.Sprintf("pulumi engine %s is %s, %s or a later v3 is needed", e.Path, e.Version, Version)
}

// Hint says how to get another engine.
func (e *TooOldError) Hint() string { return installHint }

const installHint = "build it with `make bin/pulumi`, or name one with --pulumi or $DEPLOYER_PULUMI"

// NoStackError says that the backend knows no such stack.
type NoStackError struct{ Stack string }

func (e *NoStackError) Error() string { return fmt.Sprintf("stack %s does not exist yet", e.Stack) }

// Hint says what makes a stack.
func (e *NoStackError) Hint() string {
	return "the first `deployer up` of an environment makes its stack"
}

// ConcurrentUpdateError says that somebody else is changing the stack.
type ConcurrentUpdateError struct {
	Stack string
	// Holders are those who locked it, where the backend tells.
	Holders []Holder
}

// Holder is a process that locked a stack.
type Holder struct {
	User, Host string
	PID        int
	Since      time.Time
	// Lock is the lock's URL in the backend.
	Lock string
}

func (h Holder) String() string {
	return fmt.Sprintf("%s@%s (pid %d) since %s", h.User, h.Host, h.PID, h.Since.UTC().Format(time.RFC3339))
}

func (e *ConcurrentUpdateError) Error() string {
	text := fmt.Sprintf("stack %s is being changed by another update", e.Stack)
	for i, holder := range e.Holders {
		text += []string{": ", ", "}[min(i, 1)] + holder.String()
	}
	return text
}

// Hint says how to go on.
func (e *ConcurrentUpdateError) Hint() string {
	return fmt.Sprintf("wait for it to end; where its process is known to be gone, `pulumi cancel --stack %s` removes the lock", e.Stack)
}

// FailedError says that a run failed, and why.
type FailedError struct{ Failure }

// Failure is what is known of a run that did not end well.
type Failure struct {
	// Run is up, preview, destroy, refresh or drift, or what else was asked of the engine.
	Run string
	// Resources are those that failed, in the order of their failing.
	Resources []ResourceError
	// Summary is what was done all the same.
	Summary Summary
	// Pending are operations whose outcome is unknown.
	Pending []Pending
	// Killed says that a signal ended the engine: it has left its lock.
	Killed bool
	// StateWrite is what became of the state where it could not be written; nil where it is whole.
	StateWrite *StateWriteFailure
	// Repaired is how the state was repaired that the run has left; "" where it is consistent.
	Repaired string
}

// stateSuffix is what is to be said of the state, behind what went wrong.
func (f Failure) stateSuffix() string {
	switch {
	case f.StateWrite != nil:
		return "; " + f.StateWrite.String()
	case f.Repaired != "":
		return "; " + f.Repaired
	}
	return ""
}

// ResourceError is what went wrong with one resource.
type ResourceError struct {
	// URN, Type and Name are empty where it was the program or the engine itself.
	URN, Type, Name string
	// Message is in plain text, without stack traces.
	Message string
}

func (e ResourceError) String() string {
	if e.URN == "" {
		return e.Message
	}
	return fmt.Sprintf("%s %s: %s", e.Type, e.Name, e.Message)
}

func (e *FailedError) Error() string {
	lines := make([]string, 0, len(e.Resources))
	for _, r := range e.Resources {
		lines = append(lines, r.String())
	}
	return fmt.Sprintf("%s: %s", e.Run, strings.Join(lines, "; ")) + e.stateSuffix()
}

// Hint says how to go on.
func (e *FailedError) Hint() string {
	if e.StateWrite != nil {
		return e.StateWrite.hint()
	}
	if len(e.Pending) > 0 {
		return pendingHint(e.Pending)
	}
	if e.Repaired != "" {
		return "run the same command again: where a copy replaced the state, it reads the account first"
	}
	if e.Killed {
		return "the same command again looks at what was under way, and goes on from there"
	}
	return "what was done is in the state: once the cause is gone, the same command goes on from there"
}

// InterruptedError says that a run was asked to stop, and did, or is about to.
type InterruptedError struct {
	Failure
	// Cause is the context's.
	Cause error
	// RunningPID is the engine's process where it has not ended yet and was left to itself; Pending is what it was about.
	RunningPID int
}

func (e *InterruptedError) Error() string {
	cause := "interrupted"
	if e.Cause != nil {
		cause = e.Cause.Error()
	}
	text := fmt.Sprintf("%s: %s, after %d changes", e.Run, cause, e.Summary.Changed())
	if e.RunningPID != 0 {
		text += fmt.Sprintf("; the engine (process %d) was asked to stop and has not ended yet", e.RunningPID)
	}
	if e.RunningPID != 0 && len(e.Pending) > 0 {
		text += "; under way are " + strings.Join(describePending(e.Pending), ", ")
	}
	return text + e.stateSuffix()
}

// Unwrap returns the context's cause.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// Hint says how to go on.
func (e *InterruptedError) Hint() string {
	if e.RunningPID != 0 {
		return "the environment stays locked until it has ended; then run the same command again"
	}
	if e.StateWrite != nil {
		return e.StateWrite.hint()
	}
	if len(e.Pending) > 0 {
		return pendingHint(e.Pending)
	}
	return "nothing is left half done: the same command goes on from there"
}

func describePending(pending []Pending) []string {
	all := make([]string, 0, len(pending))
	for _, p := range pending {
		all = append(all, fmt.Sprintf("%s %s (%s)", p.Type, p.Name, p.Op))
	}
	return all
}

func pendingHint(pending []Pending) string {
	return "the outcome of " + strings.Join(describePending(pending), ", ") + " is unknown: the same command again looks at the account, and goes on from there"
}

// StateError says that the backend's state of a stack cannot be used.
type StateError struct {
	Stack, Reason string
	// File is the state's, and Backup the newest intact one, where the backend is a directory.
	File, Backup string
	// Object is the state's, where the backend is a bucket of S3.
	Object Object
	// OtherVersion marks a state that is whole, but that another version of the engine wrote.
	OtherVersion bool
	// Inconsistent marks a state that can be read, and of which the resources contradict each other.
	Inconsistent bool
	// Missing marks a state that is not there, or says nothing, although it must.
	Missing bool
}

// Object is one in a bucket of S3.
type Object struct{ Bucket, Key, Region string }

// String is the object's URL; empty where there is none.
func (o Object) String() string {
	if o.Bucket == "" {
		return ""
	}
	return "s3://" + o.Bucket + "/" + o.Key
}

func (e *StateError) Error() string {
	text := fmt.Sprintf("the state of stack %s cannot be read", e.Stack)
	if e.Missing {
		text = fmt.Sprintf("the state of stack %s is lost", e.Stack)
	}
	if location := cmp.Or(e.File, e.Object.String()); location != "" {
		text += " (" + location + ")"
	}
	return text + ": " + e.Reason
}

// repairable reports whether the engine or a copy can bring the state back.
func (e *StateError) repairable() bool { return !e.Missing && !e.OtherVersion }

// Hint says how to recover.
func (e *StateError) Hint() string {
	if e.Inconsistent {
		return fmt.Sprintf("the next deployment repairs it before it changes anything: `deployer up --env %s --code-only --restart` is one that "+
			"changes nothing else", e.Stack)
	}
	importCommand := "`deployer import --env " + e.Stack + " --take` takes what the account has into a new state"
	switch {
	case e.Missing:
		return e.recoveryHint() + "; where there is none, " + importCommand
	case e.File != "" && e.Backup == "" && !e.OtherVersion:
		return fmt.Sprintf("%s; where there is none, remove it, rm %q, and %s", e.recoveryHint(), e.File, importCommand)
	}
	return e.recoveryHint()
}

// recoveryHint says how an earlier state is brought back.
func (e *StateError) recoveryHint() string {
	switch {
	case e.OtherVersion:
		return "use the version of the engine that wrote it (--pulumi), or a later one"
	case e.Backup != "":
		return fmt.Sprintf("copy the last intact state over it: cp %q %q; then `deployer drift` says where it is behind the account",
			e.Backup, e.File)
	case e.File != "":
		return "no intact state is beside it: restore the file from a backup"
	case e.Object.Bucket != "":
		return e.Object.restoreHint()
	}
	return "restore an earlier version of the state's object in the backend"
}

// restoreHint says how an earlier version of an object is brought back.
func (o Object) restoreHint() string {
	where := fmt.Sprintf("--bucket %s --key %s", o.Bucket, o.Key)
	region := ""
	if o.Region != "" {
		region = " --region " + o.Region
	}
	return fmt.Sprintf("the bucket keeps earlier versions: `aws s3api list-object-versions --bucket %s --prefix %s%s` lists "+
		"them, `aws s3api get-object %s%s --version-id ID state.json` fetches one, and `aws s3 cp state.json %s%s` puts it back",
		o.Bucket, o.Key, region, where, region, o, region)
}

// PassphraseError says that the passphrase is missing, or is not the one that the stack's secrets were written with.
type PassphraseError struct {
	Stack   string
	Missing bool
}

func (e *PassphraseError) Error() string {
	if e.Missing {
		return fmt.Sprintf("the passphrase of stack %s is not set", e.Stack)
	}
	return fmt.Sprintf("the passphrase of stack %s is another one", e.Stack)
}

// Hint says where the passphrase comes from.
func (e *PassphraseError) Hint() string {
	return "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
}

// BackendError says that the backend cannot be reached or written to.
type BackendError struct {
	// URL is the backend's, without a password; empty where the engine's own choice was used.
	URL    string
	Reason string
}

func (e *BackendError) Error() string {
	if e.URL == "" {
		return "the state's backend: " + e.Reason
	}
	return fmt.Sprintf("the state's backend %s: %s", e.URL, e.Reason)
}

// Hint says what to look at.
func (e *BackendError) Hint() string {
	if strings.Contains(e.Reason, "no space left on device") || strings.Contains(e.Reason, "quota exceeded") {
		return "free some space there, and run the same command again"
	}
	return "check that it exists, that the credentials may write to it, and PULUMI_BACKEND_URL"
}
