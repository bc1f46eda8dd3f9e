package logs

import "iter"

// eventSeq yields events in the order of time, until the first error.
type eventSeq = iter.Seq2[Event, error]

// merge merges sequences by time, and reads no further ahead in any than it has to. Events of the same time keep the order of the
// sequences.
func merge(sources []eventSeq) eventSeq {
	if len(sources) == 1 {
		return sources[0]
	}
	return func(yield func(Event, error) bool) {
		heads := make([]*head, len(sources))
		for i, source := range sources {
			next, stop := iter.Pull2(source)
			defer stop()
			heads[i] = &head{next: next}
			heads[i].advance()
		}
		for {
			first := earliest(heads)
			if first == nil || !yield(first.event, first.err) || first.err != nil {
				return
			}
			first.advance()
		}
	}
}

// head is the next event of a sequence.
type head struct {
	next  func() (Event, error, bool)
	event Event
	err   error
	more  bool
}

func (h *head) advance() { h.event, h.err, h.more = h.next() }

// earliest returns the sequence whose event is next, or nil where all have ended. An error precedes every event.
func earliest(heads []*head) *head {
	var first *head
	for _, h := range heads {
		switch {
		case !h.more:
		case h.err != nil:
			return h
		case first == nil, h.event.Time.Before(first.event.Time):
			first = h
		}
	}
	return first
}

// tailBuffer keeps the last events that were added, at most limit of them; with a limit of 0 it keeps all.
type tailBuffer struct {
	limit   int
	events  []Event
	dropped int
}

func (b *tailBuffer) add(e Event) {
	b.events = append(b.events, e)
	// Trimming each time would move all others for every event.
	if b.limit > 0 && len(b.events) >= 2*b.limit {
		b.trim()
	}
}

func (b *tailBuffer) trim() {
	if over := len(b.events) - b.limit; b.limit > 0 && over > 0 {
		b.events = append(b.events[:0], b.events[over:]...)
		b.dropped += over
	}
}
