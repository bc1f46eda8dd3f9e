package checks

import (
	"cmp"
	"slices"
	"time"
)

// CriticalPath returns the chain of dependent calls that took longest: each waited for the result of the one before it. Even
// with unlimited concurrency, a run takes at least as long as they do together.
func CriticalPath(trace []Call) []Call {
	if len(trace) == 0 {
		return nil
	}
	// A call starts after those that it depends on, and so has a higher ID.
	calls := slices.SortedStableFunc(slices.Values(trace), func(a, b Call) int { return cmp.Compare(a.ID, b.ID) })
	const none = -1
	at := map[int]int{}
	before, total := make([]int, len(calls)), make([]time.Duration, len(calls))
	last := 0
	for i, c := range calls {
		before[i] = none
		for _, id := range c.After {
			if j, known := at[id]; known && (before[i] == none || total[j] > total[before[i]]) {
				before[i] = j
			}
		}
		total[i] = c.Duration()
		if before[i] != none {
			total[i] += total[before[i]]
		}
		if total[i] > total[last] {
			last = i
		}
		at[c.ID] = i
	}
	var chain []Call
	for i := last; i != none; i = before[i] {
		chain = append(chain, calls[i])
	}
	slices.Reverse(chain)
	return chain
}
