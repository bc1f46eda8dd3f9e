package checks

import (
	"context"
	"slices"
	"sync"
)

// strand is one train of thought in a run: the check that it belongs to, and the calls whose answers it had last. What
// it asks next has waited for them. A goroutine that thinks for itself gets a strand of its own.
type strand struct {
	component string

	mu sync.Mutex
	// had are the IDs of those calls.
	had []int
}

// strandKey is the context key of the strand that a call belongs to.
type strandKey struct{}

// begin returns a context for a check of the component, which has asked for nothing yet.
func begin(ctx context.Context, component string) context.Context {
	return context.WithValue(ctx, strandKey{}, &strand{component: component})
}

// apart returns a context for another goroutine, which begins with what this one knows. What it learns is its own.
func apart(ctx context.Context) context.Context {
	s := strandOf(ctx)
	return context.WithValue(ctx, strandKey{}, &strand{component: s.component, had: s.known()})
}

// strandOf is the strand that a context belongs to; outside of checks, one that nobody else sees.
func strandOf(ctx context.Context) *strand {
	if s, ok := ctx.Value(strandKey{}).(*strand); ok {
		return s
	}
	return &strand{}
}

func (s *strand) known() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.had)
}

// answered takes a call's answer in, which stands for those that the call waited for.
func (s *strand) answered(call Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.had = slices.DeleteFunc(s.had, func(id int) bool { return slices.Contains(call.After, id) })
	s.had = append(s.had, call.ID)
}

// learn takes in what another strand knows.
func (s *strand) learn(calls []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range calls {
		if !slices.Contains(s.had, id) {
			s.had = append(s.had, id)
		}
	}
}

// rejoin takes in what others learnt that began with what this one knows. What one of them has left behind is left
// behind.
func (s *strand) rejoin(others []context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.had
	var learnt []int
	for _, ctx := range others {
		known := strandOf(ctx).known()
		s.had = slices.DeleteFunc(slices.Clone(s.had), func(id int) bool { return !slices.Contains(known, id) })
		learnt = append(learnt, known...)
	}
	for _, id := range learnt {
		if !slices.Contains(before, id) && !slices.Contains(s.had, id) {
			s.had = append(s.had, id)
		}
	}
}

// together reads at the same time and returns the first error in the order of the reads, when all have ended: none
// cancels the others, for whose answers somebody else may be waiting.
func together(ctx context.Context, reads ...func(context.Context) error) error {
	own := make([]context.Context, len(reads))
	errs := make([]error, len(reads))
	for i := range reads {
		own[i] = apart(ctx)
	}
	var all sync.WaitGroup
	for i, read := range reads {
		all.Go(func() { errs[i] = read(own[i]) })
	}
	all.Wait()
	strandOf(ctx).rejoin(own)
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}
