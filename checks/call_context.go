package checks

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// callContext is the position of one goroutine in a run: the check that it belongs to, and the calls whose results it has last
// received. Its next call depends on them.
type callContext struct {
	component string

	mu   sync.Mutex
	last []int
}

type callContextKey struct{}

// withComponent returns a context for a check of the component, without calls yet.
func withComponent(ctx context.Context, component string) context.Context {
	return context.WithValue(ctx, callContextKey{}, &callContext{component: component})
}

// fork returns a context for another goroutine that starts with what this one has received.
func fork(ctx context.Context) context.Context {
	c := callContextOf(ctx)
	return context.WithValue(ctx, callContextKey{}, &callContext{component: c.component, last: c.lastCalls()})
}

// callContextOf returns the context's position in the run; outside of checks, a new one.
func callContextOf(ctx context.Context) *callContext {
	if c, ok := ctx.Value(callContextKey{}).(*callContext); ok {
		return c
	}
	return &callContext{}
}

func (c *callContext) lastCalls() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.last)
}

// complete records that a call was answered. It replaces the calls that it depended on.
func (c *callContext) complete(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = slices.DeleteFunc(c.last, func(id int) bool { return slices.Contains(call.After, id) })
	c.last = append(c.last, call.ID)
}

// merge adds the calls that another goroutine depends on.
func (c *callContext) merge(calls []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range calls {
		if !slices.Contains(c.last, id) {
			c.last = append(c.last, id)
		}
	}
}

// join adds what forks of this context received. A call that a fork has replaced is replaced here too.
func (c *callContext) join(others []context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.last
	var added []int
	for _, ctx := range others {
		calls := callContextOf(ctx).lastCalls()
		c.last = slices.DeleteFunc(slices.Clone(c.last), func(id int) bool { return !slices.Contains(calls, id) })
		added = append(added, calls...)
	}
	for _, id := range added {
		if !slices.Contains(before, id) && !slices.Contains(c.last, id) {
			c.last = append(c.last, id)
		}
	}
}

// parallel runs reads concurrently, waits for all, and returns the first error in their order. It does not cancel the others on
// an error, because another check may be waiting for their results.
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
	return cmp.Or(errs...)
}
