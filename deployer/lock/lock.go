// Package lock lets one deployment at a time change an environment.
//
// The lock covers a whole deployment, where Pulumi's own covers one run of the engine. It is stored beside the state: in a
// directory the kernel holds it for as long as the deployer or its engine runs; in a bucket it is a lease that heartbeats
// renew: the deployer's, and those of a Keeper where the engine outlives it.
package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Holder is the process that holds a lock, and its purpose. Times are by the holder's own clock.
type Holder struct {
	// ID is unique to this acquisition.
	ID          string `json:"id"`
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	// Command is the deployer's command, such as up or snapshot restore; Image is the image that it deploys, if any.
	Command string `json:"doing"`
	Image   string `json:"image,omitempty"`
	// By is the user, Host and PID the process, Run the URL of the workflow run, if any.
	By   string `json:"by"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	Run  string `json:"run,omitempty"`
	// Phase is the current phase of the deployment.
	Phase     string    `json:"phase,omitempty"`
	Started   time.Time `json:"started"`
	Heartbeat time.Time `json:"heartbeat"`
	// Expires is when others may take the lock unless a heartbeat comes; zero where the lock ends with the process.
	Expires time.Time `json:"expires,omitzero"`
	// Ending reports that the process has ended and its engine has not: the heartbeats are its keeper's.
	Ending bool `json:"ending,omitempty"`
}

// State is the state of a lock that is not free.
type State string

const (
	// StateHeld is a lock whose holder sends heartbeats.
	StateHeld State = "held"
	// StateEnding is a lock whose deployer has ended, mostly killed, while the engine that it started is still running.
	StateEnding State = "ending"
	// StateExpired is a lock whose holder ended without releasing it: the next deployment takes it over.
	StateExpired State = "expired"
)

// Status describes a lock that is not free.
type Status struct {
	Holder Holder
	State  State
	// SinceHeartbeat is the time since the last heartbeat, by the clock of the store.
	SinceHeartbeat time.Duration
}

// Store keeps locks. A free lock has no entry.
type Store interface {
	// TryAcquire acquires the stack's lock for me, or returns a *HeldError. If it took the lock over, previous is the
	// holder that ended without releasing it.
	TryAcquire(ctx context.Context, me Holder) (lease Lease, previous *Holder, err error)
	// Get returns the status of a stack's lock, or nil if it is free.
	Get(ctx context.Context, stack string) (*Status, error)
	// Expire marks the holder with the ID as crashed: the next process to acquire the lock takes it over at once, and
	// receives the holder. A holder that still runs loses the lock. It keeps the lock of any other holder.
	Expire(ctx context.Context, stack, id string) error
}

// Lease is a lock that this process holds.
type Lease interface {
	// Renew sends a heartbeat with the holder's current phase. The error is a *LostError if the lock has another holder now.
	Renew(ctx context.Context, me Holder) error
	// Release releases the lock. A lock that is already lost is no error.
	Release(ctx context.Context) error
	// ReturnTo returns a lock to a crashed holder, so that the next process takes it over from that holder: to the one from which
	// it was taken over, or to this one, whose engine was killed. A lock that is already another holder's is no error.
	ReturnTo(ctx context.Context, previous Holder) error
	// RenewInterval returns the time between two heartbeats.
	RenewInterval() time.Duration
}

// HeldError reports that another process holds the lock.
type HeldError struct{ Status }

func (e *HeldError) Error() string {
	h := e.Holder
	text := fmt.Sprintf("%s is locked by %s: %s", cmp.Or(h.Environment, h.Stack), h.Identity(), h.Activity())
	switch e.State {
	case StateEnding:
		return text + "; that deployer crashed or was killed, and its engine is still running"
	case StateExpired:
		return text + "; it crashed or was killed"
	case StateHeld:
	}
	return fmt.Sprintf("%s; last heartbeat %s ago", text, e.SinceHeartbeat.Round(time.Second))
}

// Hint returns how to continue.
func (e *HeldError) Hint() string {
	flag := " --env " + e.Holder.Stack
	return "add --wait to continue when it is done; `deployer lock status" + flag + "` shows its progress; use `deployer lock release" + flag +
		"` only if its process no longer exists"
}

// Identity returns the holder's user, process and workflow run.
func (h Holder) Identity() string {
	if h.ID == "" {
		return "an unknown holder (the description of the lock cannot be read)"
	}
	who := h.By
	if !strings.HasSuffix(who, "@"+h.Host) {
		who += " on " + h.Host
	}
	if h.Run != "" {
		return who + " (" + h.Run + ")"
	}
	return fmt.Sprintf("%s (process %d)", who, h.PID)
}

// Activity returns the holder's command, start and phase.
func (h Holder) Activity() string {
	text := strings.TrimSpace(cmp.Or(h.Command, "something") + " " + h.Image)
	if !h.Started.IsZero() {
		text += " since " + h.Started.UTC().Format("2006-01-02 15:04:05") + " UTC"
	}
	if h.Phase != "" {
		text += ", in phase " + h.Phase
	}
	return text
}

// LostError reports that another process released or took over the lock of this one.
type LostError struct {
	Environment string
	Reason      string
}

func (e *LostError) Error() string { return "the lock of " + e.Environment + " was lost: " + e.Reason }

// StateTaken marks the error for the engine: another process may write the state from now on.
func (e *LostError) StateTaken() {}

// Hint returns how to continue.
func (e *LostError) Hint() string {
	return "check with `deployer lock status` who is deploying, and run the same command again when the lock is free"
}

// newLostError returns the error of a lock that has another holder now, or is free if that is nil.
func newLostError(environment string, now *Holder) error {
	if now == nil {
		return &LostError{environment, "another process released it"}
	}
	return &LostError{environment, "it is now held by " + now.Identity()}
}

func isLost(err error) bool {
	_, lost := errors.AsType[*LostError](err)
	return lost
}
