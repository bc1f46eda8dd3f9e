package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Trace shows the calls to AWS behind a report, of which there is at least one: when each started, how long it took, and
// which others it waited for.
func Trace(w io.Writer, environment string, calls []checks.Call, style Style) error {
	calls = slices.SortedStableFunc(slices.Values(calls), func(a, b checks.Call) int { return a.Start.Compare(b.Start) })
	start, end := calls[0].Start, calls[0].Start
	name := func(c checks.Call) string { return c.Service + " " + c.Operation }
	t := newTable("", "start", "took", "call", "for", "after", "error")
	t.setColumns(alignRight(1, 2, 3))
	var total time.Duration
	for _, c := range calls {
		failure := ""
		if c.Err != nil {
			failure = text.Snip(text.FirstLine(c.Err.Error()), 80)
		}
		after := list.Map(c.After, strconv.Itoa)
		t.addRow([]any{
			c.ID, milliseconds(c.Start.Sub(start)), milliseconds(c.Duration()), name(c), c.Component, strings.Join(after, ", "), failure,
		})
		total += c.Duration()
		if c.End.After(end) {
			end = c.End
		}
	}
	var names []string
	var waited time.Duration
	for _, c := range checks.CriticalPath(calls) {
		names, waited = append(names, name(c)), waited+c.Duration()
	}
	d := document{style: Style{Color: style.Color, ASCII: style.ASCII}}
	d.heading("Calls for " + environment)
	d.table(t)
	d.addf("", "%d calls took %s one by one and %s as they ran, up to %d at once",
		len(calls), milliseconds(total), milliseconds(end.Sub(start)), maxConcurrent(calls))
	d.addf("", "the longest chain of calls that waited for each other took %s: %s", milliseconds(waited), strings.Join(names, ", then "))
	return d.writeTo(w)
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// maxConcurrent returns how many calls ran at the same time.
func maxConcurrent(calls []checks.Call) (most int) {
	type event struct {
		at    time.Time
		delta int
	}
	var events []event
	for _, c := range calls {
		events = append(events, event{c.Start, 1}, event{c.End, -1})
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), a.delta-b.delta) })
	concurrent := 0
	for _, e := range events {
		concurrent += e.delta
		most = max(most, concurrent)
	}
	return most
}
