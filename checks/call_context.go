package checks

import (
	"context"
	"slices"
	"sync"
)

// callContext is one train of thought in a run: the check that it belongs to, and the calls whose answers it had last. What
// it asks next has waited for them. A goroutine that thinks for itself gets a strand of its own.
type callContext struct {
	component string

	mu sync.Mutex
	// last are the IDs of those calls.
	last []int
}

// callContextKey is the context key of the strand that a call belongs to.
type callContextKey struct{}

// withComponent returns a context for a check of the component, which has asked for nothing yet.
func withComponent(ctx context.Context, component string) context.Context {
	return context.WithValue(ctx, callContextKey{}, &callContext{component: component})
}

// fork returns a context for another goroutine, which begins with what this one knows. What it learns is its own.
func fork(ctx context.Context) context.Context {
	s := callContextOf(ctx)
	return context.WithValue(ctx, callContextKey{}, &callContext{component: s.component, last: s.lastCalls()})
}

// callContextOf is the strand that a context belongs to; outside of checks, one that nobody else sees.
func callContextOf(ctx context.Context) *callContext {
	if s, ok := ctx.Value(callContextKey{}).(*callContext); ok {
		return s
	}
	return &callContext{}
}

func (s *callContext) lastCalls() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.last)
}

// complete takes a call's answer in, which stands for those that the call waited for.
func (s *callContext) complete(call Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = slices.DeleteFunc(s.last, func(id int) bool { return slices.Contains(call.After, id) })
	s.last = append(s.last, call.ID)
}

// merge takes in what another strand knows.
func (s *callContext) merge(calls []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range calls {
		if !slices.Contains(s.last, id) {
			s.last = append(s.last, id)
		}
	}
}

// join takes in what others learnt that began with what this one knows. What one of them has left behind is left
// behind.
func (s *callContext) join(others []context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.last
	var added []int
	for _, ctx := range others {
		calls := callContextOf(ctx).lastCalls()
		s.last = slices.DeleteFunc(slices.Clone(s.last), func(id int) bool { return !slices.Contains(calls, id) })
		added = append(added, calls...)
	}
	for _, id := range added {
		if !slices.Contains(before, id) && !slices.Contains(s.last, id) {
			s.last = append(s.last, id)
		}
	}
}

// parallel reads at the same time and returns the first error in the order of the reads, when all have ended: none
// cancels the others, for whose answers somebody else may be waiting.
func parallel(ctx context.Context, reads ...func(context.Context) error) error {
	forks := make([]context.Context, len(reads))
	errs := make([]error, len(reads))
	for i := range reads {
		forks[i] = fork(ctx)
	}
	var all sync.WaitGroup
	for i, read := range reads {
		all.Go(func() { errs[i] = read(forks[i]) })
	}
	all.Wait()
	callContextOf(ctx).join(forks)
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}
