package engine

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Each error type here has a Hint, one line with what to do about it.

// NotFoundError reports that there is no engine that can be run.
type NotFoundError struct {
	// Explicit is the path of the engine; "" if none was named or found.
	Explicit string
	// Searched are the places without an engine.
	Searched []string
	// Err is why the engine cannot be run, if there is one.
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

// Unwrap returns why the engine cannot be run.
func (e *NotFoundError) Unwrap() error { return e.Err }

// Hint returns how to get an engine.
func (e *NotFoundError) Hint() string { return installHint }

// TooOldError reports an engine of an unsupported version.
type TooOldError struct{ Path, Version string }

func (e *TooOldError) Error() string {
	return fmt.Sprintf("the pulumi engine %s has version %s; %s or a later v3 is required", e.Path, e.Version, Version)
}

// Hint returns how to get another engine.
func (e *TooOldError) Hint() string { return installHint }

const installHint = "build it with `make bin/pulumi`, or name one with --pulumi or $DEPLOYER_PULUMI"

// NoStackError reports that the backend does not have the stack.
type NoStackError struct{ Stack string }

func (e *NoStackError) Error() string { return fmt.Sprintf("stack %s does not exist yet", e.Stack) }

// Hint returns how to create the stack.
func (e *NoStackError) Hint() string {
	return fmt.Sprintf("`deployer up --env %s --image-tag TAG`, the first deployment of an environment, creates its stack", e.Stack)
}

// ConcurrentUpdateError reports that another update is changing the stack.
type ConcurrentUpdateError struct {
	Stack string
	// Holders are the processes that hold its locks, if the backend names them.
	Holders []Holder
}

// Holder is a process that holds a lock of a stack.
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

// Hint returns how to continue.
func (e *ConcurrentUpdateError) Hint() string {
	return fmt.Sprintf("wait for it to end; if its process no longer exists, `pulumi cancel --stack %s` removes the lock", e.Stack)
}

// FailedError reports that a run failed.
type FailedError struct{ Failure }

// Failure describes a run that did not succeed.
type Failure struct {
	// Run is up, preview, destroy, refresh, drift or another operation of the engine.
	Run string
	// Resources are those that failed, in the order of their failures.
	Resources []ResourceError
	// Summary is what the run has changed.
	Summary Summary
	// Done and Total are those of the last Event; Total is 0 if it is unknown.
	Done, Total int
	// Pending are operations whose outcome is unknown.
	Pending []Pending
	// UnderWay describes the operations that were running when the run was interrupted, or still are where the engine was
	// abandoned; "" if there was none.
	UnderWay string
	// Killed reports that a signal killed the engine: its lock is still there.
	Killed bool
	// StateWrite describes a state that could not be written; nil if the state is complete.
	StateWrite *StateWriteFailure
	// Repaired is how the state was repaired after the run; "" if it was consistent.
	Repaired string
}

func (f Failure) stateSuffix() string {
	switch {
	case f.StateWrite != nil:
		return "; " + f.StateWrite.String()
	case f.Repaired != "":
		return "; " + f.Repaired
	}
	return ""
}

// stateHint returns how to continue if that depends on the state.
func (f Failure) stateHint() string {
	switch {
	case f.StateWrite != nil:
		return f.StateWrite.hint()
	case len(f.Pending) > 0:
		return "the outcome of " + listPending(f.Pending) +
			" is unknown: run the same command again; it checks the account and continues from there"
	}
	return ""
}

// ResourceError is the failure of one resource.
type ResourceError struct {
	// URN, Type and Name are empty if the program or the engine itself failed.
	URN, Type, Name string
	// Message is plain text, without stack traces.
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

// Hint returns how to continue.
func (e *FailedError) Hint() string {
	if hint := e.stateHint(); hint != "" {
		return hint
	}
	if e.Repaired != "" {
		return "run the same command again: if a backup replaced the state, it reads the account first"
	}
	if e.Killed {
		return "run the same command again: it checks what was running, and continues from there"
	}
	if hint := existingHint(e.Resources); hint != "" {
		return hint
	}
	return "the state contains what was done: fix the cause and run the same command again; it continues from there"
}

var (
	// existsAlready matches errors about creating what the account has, of AWS and of the provider.
	existsAlready = lazyregexp.New(`AlreadyExists|already exists|AlreadyOwnedByYou|ResourceExistsException|\.Duplicate\b|` +
		`\bDuplicate(?:Listener|LoadBalancerName|Record|TargetGroupName)|WAFDuplicateItem|was not idempotent`)
	// noneOfTheProgram matches those about another account's bucket, and about the final snapshot of a deletion: nothing to import.
	noneOfTheProgram = lazyregexp.New(`bucket name is not available|DBSnapshotAlreadyExists`)
)

// existingHint returns how to continue where resources exist in the account and not in the state; "" where none of those that failed does.
func existingHint(failed []ResourceError) string {
	var existing []string
	stack := ""
	for _, r := range failed {
		if r.URN != "" && existsAlready.MatchString(r.Message) && !noneOfTheProgram.MatchString(r.Message) {
			existing = append(existing, ShortType(r.Type)+" "+r.Name)
			stack = resource.URN(r.URN).Stack().String()
		}
	}
	if len(existing) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s in the account and not in the state: `deployer import --env %s --take` imports %s; then run the same command again",
		text.Join(existing, "and"), text.PluralWord(len(existing), "exists", "exist"), stack, text.PluralWord(len(existing), "it", "them"))
}

// InterruptedError reports that a run was interrupted.
type InterruptedError struct {
	Failure
	// Cause is the cause of the context.
	Cause error
	// RunningPID is the engine's process if it was abandoned; Pending are then its running operations. 0 if it has ended.
	RunningPID int
}

func (e *InterruptedError) Error() string {
	cause := "interrupted"
	if e.Cause != nil {
		cause = e.Cause.Error()
	}
	done := text.Plural(e.Summary.Changed(), "change", "")
	if e.Total > 0 && e.Done <= e.Total {
		done += fmt.Sprintf("; %d of %d resources are done", e.Done, e.Total)
	}
	parts := append([]string{fmt.Sprintf("%s: %s, after %s", e.Run, cause, done)}, e.remaining()...)
	return strings.Join(parts, "; ") + e.stateSuffix()
}

// Remaining describes what is still running, was running at the interruption, or could not be written; "" where there is nothing.
func (e *InterruptedError) Remaining() string {
	return strings.TrimPrefix(strings.Join(e.remaining(), "; ")+e.stateSuffix(), "; ")
}

// Clean reports that the engine has ended, and knows the outcome of each operation.
func (e *InterruptedError) Clean() bool {
	return e.RunningPID == 0 && len(e.Pending) == 0 && e.StateWrite == nil
}

func (e *InterruptedError) remaining() (parts []string) {
	if e.RunningPID != 0 {
		parts = append(parts, fmt.Sprintf("the engine (process %d) was asked to stop and has not ended yet", e.RunningPID))
	}
	switch {
	case e.UnderWay != "" && e.RunningPID != 0:
		parts = append(parts, "still running: "+e.UnderWay)
	case e.UnderWay != "":
		parts = append(parts, "under way at that time: "+e.UnderWay)
	}
	return parts
}

// Unwrap returns the cause of the context.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// Hint returns how to continue.
func (e *InterruptedError) Hint() string {
	if e.RunningPID != 0 {
		return "the environment stays locked until it has ended; then run the same command again"
	}
	if hint := e.stateHint(); hint != "" {
		return hint
	}
	return "nothing is left pending: run the same command again; it continues from there"
}

func listPending(pending []Pending) string {
	all := make([]string, 0, len(pending))
	for _, p := range pending {
		all = append(all, fmt.Sprintf("%s %s (%s)", p.Type, p.Name, p.Op))
	}
	return strings.Join(all, ", ")
}

// StateError reports that the state of a stack cannot be used.
type StateError struct {
	Stack, Reason string
	// File is the state's, and Backup its newest complete backup, if the backend is a directory.
	File, Backup string
	// Object is the state's, if the backend is a bucket of S3.
	Object Object
	// OtherVersion marks a complete state that another version of the engine wrote.
	OtherVersion bool
	// Inconsistent marks a state that can be read, but whose resources contradict each other.
	Inconsistent bool
	// Missing marks a state that does not exist or is empty, although it must have resources.
	Missing bool
}

// Object is an object in a bucket of S3.
type Object struct{ Bucket, Key, Region string }

// String returns the object's URL, or "" for the zero object.
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

// repairable reports whether the engine or a backup can restore the state.
func (e *StateError) repairable() bool { return !e.Missing && !e.OtherVersion }

// Hint returns how to recover.
func (e *StateError) Hint() string {
	if e.Inconsistent {
		return fmt.Sprintf("the next deployment repairs it before it changes anything: `deployer up --env %s --code-only --restart` is one that "+
			"changes nothing else", e.Stack)
	}
	importCommand := "`deployer import --env " + e.Stack + " --take` imports what exists in the account into a new state"
	switch {
	case e.Missing:
		return e.recoveryHint() + "; where there is none, " + importCommand
	case e.File != "" && e.Backup == "" && !e.OtherVersion:
		return fmt.Sprintf("%s; where there is none, remove it, rm %q, and %s", e.recoveryHint(), e.File, importCommand)
	}
	return e.recoveryHint()
}

// recoveryHint returns how to restore an earlier state.
func (e *StateError) recoveryHint() string {
	switch {
	case e.OtherVersion:
		return "use the version of the engine that wrote it (--pulumi), or a later one"
	case e.Backup != "":
		return fmt.Sprintf("restore the last complete backup: cp %q %q; then `deployer drift` shows where it is behind the account",
			e.Backup, e.File)
	case e.File != "":
		return "there is no complete backup beside it: restore the file from another backup"
	case e.Object.Bucket != "":
		return e.Object.restoreHint()
	}
	return "restore an earlier version of the state's object in the backend"
}

// restoreHint returns how to restore an earlier version of an object.
func (o Object) restoreHint() string {
	where := fmt.Sprintf("--bucket %s --key %s", o.Bucket, o.Key)
	region := ""
	if o.Region != "" {
		region = " --region " + o.Region
	}
	return fmt.Sprintf("the bucket keeps earlier versions: `aws s3api list-object-versions --bucket %s --prefix %s%s` lists "+
		"them, `aws s3api get-object %s%s --version-id ID state.json` fetches one, and `aws s3 cp state.json %s%s` restores it",
		o.Bucket, o.Key, region, where, region, o, region)
}

// PassphraseError reports that the passphrase of the stack's secrets is missing or wrong.
type PassphraseError struct {
	Stack   string
	Missing bool
}

func (e *PassphraseError) Error() string {
	if e.Missing {
		return fmt.Sprintf("the passphrase of stack %s is not set", e.Stack)
	}
	return fmt.Sprintf("the passphrase of stack %s is wrong", e.Stack)
}

// Hint returns how to set the passphrase.
func (e *PassphraseError) Hint() string {
	return "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
}

// BackendError reports that the backend cannot be reached or written to.
type BackendError struct {
	// URL is the backend's, without a password; "" if the engine's own login decides.
	URL    string
	Reason string
}

func (e *BackendError) Error() string {
	if e.URL == "" {
		return "the state's backend: " + e.Reason
	}
	return fmt.Sprintf("the state's backend %s: %s", e.URL, e.Reason)
}

// Hint returns what to check.
func (e *BackendError) Hint() string {
	if strings.Contains(e.Reason, "no space left on device") || strings.Contains(e.Reason, "quota exceeded") {
		return "free some space there, and run the same command again"
	}
	return "check PULUMI_BACKEND_URL, that the backend exists, and that the credentials allow writing to it"
}
