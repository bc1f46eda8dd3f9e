package checks

import (
	"context"
	"sync"
)

// memo keeps what was read in a run. Its zero value is empty.
type memo struct {
	mu    sync.Mutex
	reads map[string]any
}

// reading is one answer, there once done is closed.
type reading[T any] struct {
	done  chan struct{}
	value T
	err   error
	// had are the calls that the answer came from.
	had []int
}

// once returns what load returns. In a run load is called a single time for each key, by whoever asks first; the
// others wait for the same answer, an error too, or until their context ends. Of one key there is one T.
func once[T any](ctx context.Context, m *memo, key string, load func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	known, ok := m.reads[key].(*reading[T])
	if !ok {
		known = &reading[T]{done: make(chan struct{})}
		if m.reads == nil {
			m.reads = map[string]any{}
		}
		m.reads[key] = known
	}
	m.mu.Unlock()

	if !ok {
		known.value, known.err = load(ctx)
		known.had = strandOf(ctx).known()
		close(known.done)
		return known.value, known.err
	}
	// When the run's time is over, whoever asked first comes to know it too, and which call it was that took so long.
	late, cancel := outlasting(ctx, grace/2)
	defer cancel()
	select {
	case <-known.done:
		strandOf(ctx).learn(known.had)
		return known.value, known.err
	case <-late.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// peek returns what once has for the key, where it has been read well.
func peek[T any](m *memo, key string) (T, bool) {
	var zero T
	m.mu.Lock()
	known, ok := m.reads[key].(*reading[T])
	m.mu.Unlock()
	if !ok {
		return zero, false
	}
	select {
	case <-known.done:
		return known.value, known.err == nil
	default:
		return zero, false
	}
}
