// Package lock lets one deployment at a time change an environment.
//
// The lock covers a whole deployment, where Pulumi's own covers one run of the engine. It lies beside the state: in a
// directory it is held by the kernel, for as long as the deployer or its engine lives; in a bucket it is a lease, which a
// heartbeat renews.
package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Holder is who holds a lock, and what for. Times are the holder's own.
type Holder struct {
	// ID tells this holding from every other.
	ID          string `json:"id"`
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	// Command is the command, such as up or snapshot restore; Image is what it deploys, where it deploys.
	Command string `json:"doing"`
	Image   string `json:"image,omitempty"`
	// By is the person, Host and PID the process, Run the page of the workflow run where it is one.
	By   string `json:"by"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	Run  string `json:"run,omitempty"`
	// Phase is what it is at.
	Phase     string    `json:"phase,omitempty"`
	Started   time.Time `json:"started"`
	Heartbeat time.Time `json:"heartbeat"`
	// Expires is when others may take the lock if no heartbeat comes; zero where it ends with the process.
	Expires time.Time `json:"expires,omitzero"`
}

// State says whether a holder lives.
type State string

// The conditions of a lock that is not free.
const (
	// StateHeld is a lock whose holder gives signs of life.
	StateHeld State = "held"
	// StateEnding is a lock whose deployer has died, while the engine that it started goes on to its end.
	StateEnding State = "ending"
	// StateExpired is a lock whose holder has gone without releasing it: the next deployment takes it over.
	StateExpired State = "expired"
)

// Status is how a lock stands that is not free.
type Status struct {
	Holder Holder
	State  State
	// SinceHeartbeat is the time since the last heartbeat, by the clock of the store.
	SinceHeartbeat time.Duration
}

// Store is where locks lie. A lock that is free is not there.
type Store interface {
	// TryAcquire takes the stack's lock for me, or returns a *HeldError. Died is not nil where a lock was taken over whose
	// holder had gone without releasing it.
	TryAcquire(ctx context.Context, me Holder) (grip Lease, died *Holder, err error)
	// Get says how a stack's lock stands; nil where it is free.
	Get(ctx context.Context, stack string) (*Status, error)
	// ForceRelease takes the lock from the holder with the ID, who lives: the lock is free then. A lock that somebody else has
	// taken since stays.
	ForceRelease(ctx context.Context, stack, id string) error
	// Expire says of the holder with the ID that it is gone for good: whoever takes the lock next takes it over, at once,
	// and learns whose it was. A lock that somebody else has taken since stays.
	Expire(ctx context.Context, stack, id string) error
}

// Lease is a lock that this process holds.
type Lease interface {
	// Renew says that the holder lives, and what it is at. The error is a *LostError where the lock is another's now.
	Renew(ctx context.Context, me Holder) error
	// Release gives the lock back. One that is lost already is no error.
	Release(ctx context.Context) error
	// ReturnTo gives a lock that was taken over back to the holder that died with it, so that the next to come takes it over from
	// that one. One that is lost already is no error.
	ReturnTo(ctx context.Context, died Holder) error
	// RenewInterval is the time between two heartbeats.
	RenewInterval() time.Duration
}

// HeldError says that somebody else holds the lock.
type HeldError struct{ Status }

func (e *HeldError) Error() string {
	h := e.Holder
	text := fmt.Sprintf("%s is locked by %s: %s", cmp.Or(h.Environment, h.Stack), h.Identity(), h.Activity())
	switch e.State {
	case StateEnding:
		return text + "; that deployer has died, and its engine is still running"
	case StateExpired:
		return text + "; it has died"
	case StateHeld:
	}
	return fmt.Sprintf("%s; last heartbeat %s ago", text, e.SinceHeartbeat.Round(time.Second))
}

// Hint says what to do about it.
func (e *HeldError) Hint() string {
	flag := " --env " + e.Holder.Stack
	return "add --wait to go on when it is done; `deployer lock status" + flag + "` shows how far it is; `deployer lock release" + flag +
		"` is for a holder that is gone for good"
}

// Identity is the holder's person, process and workflow run.
func (h Holder) Identity() string {
	if h.ID == "" {
		return "somebody unknown (what the lock says cannot be read)"
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

// Activity is what the holder does, since when, and what it is at.
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

// LostError says that a lock was taken from its holder.
type LostError struct {
	Environment string
	// Reason is what became of the lock.
	Reason string
}

func (e *LostError) Error() string {
	return "the lock of " + e.Environment + " was lost: " + e.Reason
}

// Hint says how to go on.
func (e *LostError) Hint() string {
	return "see who deploys with `deployer lock status`, and run the same command again when nobody does"
}

// newLostError makes the error of a lock that is another's now, or nobody's.
func newLostError(me Holder, now *Status) error {
	if now == nil {
		return &LostError{me.Environment, "somebody released it"}
	}
	return &LostError{me.Environment, "now it is held by " + now.Holder.Identity()}
}

// isLost reports whether an error says that a lock is another's.
func isLost(err error) bool {
	var gone *LostError
	return errors.As(err, &gone)
}
