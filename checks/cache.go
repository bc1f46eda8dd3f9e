package checks

import (
	"context"
	"sync"
)

// cache keeps what was read in a run. Its zero value is empty.
type cache struct {
	mu    sync.Mutex
	reads map[string]any
}

// entry is one answer, there once done is closed.
type entry[T any] struct {
	done  chan struct{}
	value T
	err   error
	// calls are the calls that the answer came from.
	calls []int
}

// cached returns what load returns. In a run load is called a single time for each key, by whoever asks first; the
// others wait for the same answer, an error too, or until their context ends. Of one key there is one T.
func cached[T any](ctx context.Context, m *cache, key string, load func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	found, ok := m.reads[key].(*entry[T])
	if !ok {
		found = &entry[T]{done: make(chan struct{})}
		if m.reads == nil {
			m.reads = map[string]any{}
		}
		m.reads[key] = found
	}
	m.mu.Unlock()

	if !ok {
		found.value, found.err = load(ctx)
		found.calls = callContextOf(ctx).lastCalls()
		close(found.done)
		return found.value, found.err
	}
	// When the run's time is over, whoever asked first comes to know it too, and which call it was that took so long.
	graceCtx, cancel := withGrace(ctx, gracePeriod/2)
	defer cancel()
	select {
	case <-found.done:
		callContextOf(ctx).merge(found.calls)
		return found.value, found.err
	case <-graceCtx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// peek returns what once has for the key, where it has been read well.
func peek[T any](m *cache, key string) (T, bool) {
	var zero T
	m.mu.Lock()
	found, ok := m.reads[key].(*entry[T])
	m.mu.Unlock()
	if !ok {
		return zero, false
	}
	select {
	case <-found.done:
		return found.value, found.err == nil
	default:
		return zero, false
	}
}
