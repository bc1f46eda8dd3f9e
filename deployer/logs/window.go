package logs

import (
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

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

// plainTerm matches a word that CloudWatch accepts without quotes, with a ? or - before it.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
var plainTerm = lazyregexp.New(`^[-?]?[A-Za-z0-9_]+$`)

// Pattern returns CloudWatch's filter pattern for what a user wrote. A pattern stays; of words, those that need quotes get them, so
// that `GET /health` finds lines with both.
func Pattern(text string) string {
	text = strings.TrimSpace(text)
	if strings.Contains(text, `"`) || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "%") {
		return text
	}
	words := strings.Fields(text)
	for i, word := range words {
		if plainTerm.MatchString(word) {
			continue
		}
		sign := ""
		if len(word) > 1 && (word[0] == '-' || word[0] == '?') {
			sign, word = word[:1], word[1:]
		}
		words[i] = sign + `"` + word + `"`
	}
	return strings.Join(words, " ")
}
