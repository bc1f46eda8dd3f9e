package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
)

// Trace shows the calls to AWS behind a report, of which there is at least one: when each began, how long it took, and
// for which others it waited.
func Trace(w io.Writer, environment string, calls []checks.Call, style Style) error {
	calls = slices.SortedStableFunc(slices.Values(calls), func(a, b checks.Call) int { return a.Start.Compare(b.Start) })
	began := calls[0].Start
	if _, err := fmt.Fprintf(w, "\n%s\n", style.colorize("Calls for "+environment, text.Bold)); err != nil {
		return err
	}
	t := style.newTable("", "start", "took", "call", "for", "after", "error")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, Align: text.AlignRight}, {Number: 2, Align: text.AlignRight}, {Number: 3, Align: text.AlignRight}})
	var spent time.Duration
	ended := began
	for _, c := range calls {
		failed := ""
		if c.Err != nil {
			failed = text.Snip(firstLine(c.Err.Error()), 80, "…")
		}
		t.AppendRow(table.Row{c.ID, milliseconds(c.Start.Sub(began)), milliseconds(c.Duration()), callName(c), c.Component, idList(c.After), failed})
		spent += c.Duration()
		if c.End.After(ended) {
			ended = c.End
		}
	}
	if err := renderTable(w, t); err != nil {
		return err
	}
	var names []string
	var waited time.Duration
	for _, c := range checks.CriticalPath(calls) {
		names, waited = append(names, callName(c)), waited+c.Duration()
	}
	_, err := fmt.Fprintf(w, "%d calls took %s one by one and %s as they were made, up to %d at once\n"+
		"the longest chain of calls that waited for each other took %s: %s\n",
		len(calls), milliseconds(spent), milliseconds(ended.Sub(began)), maxConcurrent(calls), milliseconds(waited), strings.Join(names, ", then "))
	return err
}

// idList names the calls that one waited for: "3, 7".
func idList(ids []int) string {
	var names []string
	for _, id := range ids {
		names = append(names, strconv.Itoa(id))
	}
	return strings.Join(names, ", ")
}

func callName(c checks.Call) string { return c.Service + " " + c.Operation }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// maxConcurrent is how many calls were under way at the same time.
func maxConcurrent(calls []checks.Call) (most int) {
	type change struct {
		at    time.Time
		delta int
	}
	var changes []change
	for _, c := range calls {
		changes = append(changes, change{c.Start, 1}, change{c.End, -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.delta-b.delta) })
	concurrent := 0
	for _, m := range changes {
		concurrent += m.delta
		most = max(most, concurrent)
	}
	return most
}
