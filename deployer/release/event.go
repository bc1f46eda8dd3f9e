// Package release is a deployment as a list of named phases.
//
// A phase reports its start, its progress and its outcome as events; the terminal, the log and the JSON output are
// renderings of them. What a phase needs from the world it is given: AWS clients, the engine, a network, a clock.
package release

import (
	"fmt"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// EventKind says what an event tells.
type EventKind string

// The kinds of event. Progress replaces the progress before it; a note and a warning stay.
const (
	PhaseStarted EventKind = "phase-started"
	PhaseEnded   EventKind = "phase-ended"
	Progress     EventKind = "progress"
	Note         EventKind = "note"
	Warning      EventKind = "warning"
)

// Event is something that happened during a deployment.
type Event struct {
	Time    time.Time       `json:"time"`
	Kind    EventKind       `json:"kind"`
	Phase   string          `json:"phase"`
	Message string          `json:"message,omitempty"`
	Outcome history.Outcome `json:"outcome,omitempty"`
	Took    time.Duration   `json:"took,omitempty"`
}

// Reporter is told of events, one at a time.
type Reporter func(Event)

// phaseLog is how one phase speaks.
type phaseLog struct {
	phase  string
	report Reporter
	now    func() time.Time
}

func (v phaseLog) emit(kind EventKind, format string, args ...any) {
	v.report(Event{Time: v.now(), Kind: kind, Phase: v.phase, Message: fmt.Sprintf(format, args...)})
}

func (v phaseLog) progress(format string, args ...any) { v.emit(Progress, format, args...) }
func (v phaseLog) note(format string, args ...any)     { v.emit(Note, format, args...) }
func (v phaseLog) warn(format string, args ...any)     { v.emit(Warning, format, args...) }
