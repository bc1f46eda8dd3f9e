package logs

import "time"

// maxIngestionDelay is how long after its time an event may reach CloudWatch and still be emitted by Follow: containers send in
// batches, and services independently of each other.
const maxIngestionDelay = 2 * time.Minute

// window is the period that Follow polls again each time, so that it emits events that arrive late, and none twice.
type window struct {
	from time.Time
	// seen has the times of the events in the window that were emitted, by ID.
	seen map[string]time.Time
}

func newWindow(from time.Time) *window { return &window{from: from, seen: map[string]time.Time{}} }

// isNew reports whether an event is in the window and was not emitted yet, and notes that it is now.
func (w *window) isNew(e Event) bool {
	if _, seen := w.seen[e.ID]; seen || e.Time.Before(w.from) {
		return false
	}
	w.seen[e.ID] = e.Time
	return true
}

// advance moves the start of the window to where events may still arrive after a complete poll that started at a time. It never
// moves back.
func (w *window) advance(polledAt time.Time) {
	from := polledAt.Add(-maxIngestionDelay)
	if !from.After(w.from) {
		return
	}
	w.from = from
	for id, at := range w.seen {
		if at.Before(from) {
			delete(w.seen, id)
		}
	}
}
