package logs

import "iter"

// eventSeq are events in the order of time, until the first error.
type eventSeq = iter.Seq2[Event, error]

// merge interleaves sequences by time, and reads no further in any than it has to. Events of the same time come in the
// order of the sequences.
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
			if first == nil {
				return
			}
			if !yield(first.event, first.err) || first.err != nil {
				return
			}
			first.advance()
		}
	}
}

// head is the first event of a sequence that was not passed on yet.
type head struct {
	next  func() (Event, error, bool)
	event Event
	err   error
	more  bool
}

func (h *head) advance() { h.event, h.err, h.more = h.next() }

// earliest is the sequence that goes on, or nil at the end of all. An error goes first.
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

// tailBuffer keeps the last events that it is given, at most limit of them; with a limit of 0 it keeps all.
type tailBuffer struct {
	limit  int
	events []Event
	// dropped is how many older ones were let go.
	dropped int
}

func (n *tailBuffer) add(e Event) {
	n.events = append(n.events, e)
	// Cut now and then, not each time: otherwise every event would move all others.
	if n.limit > 0 && len(n.events) >= 2*n.limit {
		n.trim()
	}
}

func (n *tailBuffer) trim() {
	if over := len(n.events) - n.limit; n.limit > 0 && over > 0 {
		n.events = append(n.events[:0], n.events[over:]...)
		n.dropped += over
	}
}
