package checks

import (
	"context"
	"sync"
)

// cache holds what a run has read. Its zero value is empty.
type cache struct {
	mu    sync.Mutex
	reads map[string]any
}

// entry is one result, available once done is closed.
type entry[T any] struct {
	done  chan struct{}
	value T
	err   error
	// calls are the IDs of the calls that the value came from.
	calls []int
}

// cached returns what load returns. In a run, load is called once for each key; concurrent callers wait for the same result, or
// for the end of their context. A key always has the same T.
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
	// When ctx ends, load ends too, with an error that names the slow call: wait for that.
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

// peek returns the value of a key that has already been read without an error.
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
