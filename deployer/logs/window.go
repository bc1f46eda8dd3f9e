package logs

import "time"

// maxIngestionDelay is how long after its time an event may reach CloudWatch and still be shown by a follower: containers send in
// batches, and services independently of each other.
const maxIngestionDelay = 2 * time.Minute

// window is what a follower looks at again and again, so that it shows events that arrive late, and none twice.
type window struct {
	from time.Time
	// seen are the events that were passed on and lie in the window, by ID, with their times.
	seen map[string]time.Time
}

func newWindow(from time.Time) *window { return &window{from: from, seen: map[string]time.Time{}} }

// isNew reports whether an event was never seen, and remembers it.
func (w *window) isNew(e Event) bool {
	if _, known := w.seen[e.ID]; known || e.Time.Before(w.from) {
		return false
	}
	w.seen[e.ID] = e.Time
	return true
}

// advance lets the window begin where events may still arrive after a look that was begun at a time and read everything,
// and forgets what lies before. It never goes back.
func (w *window) advance(looked time.Time) {
	from := looked.Add(-maxIngestionDelay)
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
