package checks

import (
	"cmp"
	"slices"
	"time"
)

// CriticalPath returns the calls of a trace that took longest one after the other, each of which waited for the answer
// of the one before it. However many calls are under way at once, a run takes no less time than they do together.
func CriticalPath(trace []Call) []Call {
	if len(trace) == 0 {
		return nil
	}
	// A call begins after those that it waits for, and so has a higher ID.
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
