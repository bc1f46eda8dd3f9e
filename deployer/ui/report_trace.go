package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
)

// Trace shows the calls to AWS behind a report, of which there is at least one, in the order in which they began, and the longest chain of them.
func Trace(w io.Writer, environment string, calls []checks.Call, style Style) error {
	calls = slices.SortedStableFunc(slices.Values(calls), func(a, b checks.Call) int { return a.Start.Compare(b.Start) })
	began := calls[0].Start
	if _, err := fmt.Fprintf(w, "\n%s\n", style.paint("Calls for "+environment, text.Bold)); err != nil {
		return err
	}
	t := style.table("start", "took", "call", "for", "error")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, Align: text.AlignRight}, {Number: 2, Align: text.AlignRight}})
	var spent time.Duration
	ended := began
	for _, c := range calls {
		failed := ""
		if c.Err != nil {
			failed = text.Snip(firstLine(c.Err.Error()), 80, "…")
		}
		t.AppendRow(table.Row{milliseconds(c.Start.Sub(began)), milliseconds(c.End.Sub(c.Start)), callName(c), c.Component, failed})
		spent += c.End.Sub(c.Start)
		if c.End.After(ended) {
			ended = c.End
		}
	}
	if err := render(w, t); err != nil {
		return err
	}
	chain := longestChain(calls)
	var names []string
	for _, c := range chain {
		names = append(names, callName(c))
	}
	_, err := fmt.Fprintf(w, "%d calls took %s one by one, and %s as they were made, up to %d at once\n"+
		"the longest chain of calls that waited for each other has at most %d, %s: %s\n",
		len(calls), milliseconds(spent), milliseconds(ended.Sub(began)), atOnce(calls), len(chain), milliseconds(length(chain)),
		strings.Join(names, ", "))
	return err
}

func callName(c checks.Call) string { return c.Service + " " + c.Operation }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// longestChain is the longest sequence of calls of which each began after the one before it had ended. A call that
// waited for another is never under way with it, so that no chain of dependent calls is longer.
func longestChain(calls []checks.Call) []checks.Call {
	byEnd := slices.SortedStableFunc(slices.Values(calls), func(a, b checks.Call) int { return a.End.Compare(b.End) })
	best := make([]time.Duration, len(byEnd))
	before := make([]int, len(byEnd))
	last := -1
	for i, c := range byEnd {
		before[i] = -1
		for j := range i {
			if !byEnd[j].End.After(c.Start) && best[j] > 0 && (before[i] < 0 || best[j] > best[before[i]]) {
				before[i] = j
			}
		}
		best[i] = c.End.Sub(c.Start)
		if before[i] >= 0 {
			best[i] += best[before[i]]
		}
		if last < 0 || best[i] > best[last] {
			last = i
		}
	}
	var chain []checks.Call
	for i := last; i >= 0; i = before[i] {
		chain = append(chain, byEnd[i])
	}
	slices.Reverse(chain)
	return chain
}

// length is how long the calls took together.
func length(calls []checks.Call) (sum time.Duration) {
	for _, c := range calls {
		sum += c.End.Sub(c.Start)
	}
	return sum
}

// atOnce is how many calls were under way at the same time.
func atOnce(calls []checks.Call) (most int) {
	type moment struct {
		at    time.Time
		delta int
	}
	var moments []moment
	for _, c := range calls {
		moments = append(moments, moment{c.Start, 1}, moment{c.End, -1})
	}
	slices.SortFunc(moments, func(a, b moment) int { return cmp.Or(a.at.Compare(b.at), a.delta-b.delta) })
	now := 0
	for _, m := range moments {
		now += m.delta
		most = max(most, now)
	}
	return most
}
