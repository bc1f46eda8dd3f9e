// Package release runs a deployment as a list of named phases.
//
// A phase reports its start, its progress and its outcome as events, which the terminal, the log and the JSON output render.
// What a phase works with is passed in: AWS clients, the engine, a network, a clock.
package release

import (
	"fmt"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/running"
)

// EventKind is the kind of an event.
type EventKind string

// The kinds of event. A Progress event replaces the one before it on a terminal; a note and a warning stay.
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
	// Image is what an automatic rollback deploys; only of the event with which it starts.
	Image *history.Image `json:"-"`
	// Activity is what the engine is doing; only of a Progress event.
	Activity Activity `json:"-"`
}

// Activity reports the engine's progress.
type Activity struct {
	// Running are the changes that have begun and not ended.
	Running []running.Operation
	// Done counts the resources that are finished, Total all of them; 0 if that is not known.
	Done, Total int
}

// ProgressFunc reports what happens: a line, and what the engine is doing where it is the engine.
type ProgressFunc func(line string, activity ...Activity)

// Reporter receives events, one at a time.
type Reporter func(Event)

// phaseLog reports the events of one phase.
type phaseLog struct {
	phase  string
	report Reporter
	now    func() time.Time
}

func (l phaseLog) emit(kind EventKind, format string, args ...any) {
	l.report(Event{Time: l.now(), Kind: kind, Phase: l.phase, Message: fmt.Sprintf(format, args...)})
}

func (l phaseLog) progress(format string, args ...any) { l.emit(Progress, format, args...) }
func (l phaseLog) note(format string, args ...any)     { l.emit(Note, format, args...) }
func (l phaseLog) warn(format string, args ...any)     { l.emit(Warning, format, args...) }

// progressLine implements ProgressFunc.
func (l phaseLog) progressLine(line string, activity ...Activity) {
	e := Event{Time: l.now(), Kind: Progress, Phase: l.phase, Message: line}
	if len(activity) > 0 {
		e.Activity = activity[0]
	}
	l.report(e)
}

func (l phaseLog) ended(outcome history.Outcome, message string, took time.Duration) {
	l.report(Event{Time: l.now(), Kind: PhaseEnded, Phase: l.phase, Message: message, Outcome: outcome, Took: took})
}
