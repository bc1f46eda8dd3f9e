package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// summary prints the outcomes by command, phase and signal.
func summary(w io.Writer, results []result) {
	tally(w, "command", results, func(r result) string { return r.scenario.name })
	tally(w, "phase", results, func(r result) string { return r.phase })
	tally(w, "signal", results, func(r result) string { return r.signal + " of " + string(r.to) })
}

// tally prints one line for each value of a key.
func tally(w io.Writer, header string, results []result, key func(result) string) {
	groups := map[string][]result{}
	for _, r := range results {
		groups[key(r)] = append(groups[key(r)], r)
	}
	_, _ = fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, strings.Join([]string{header, "trials", "converged", "repaired", "repairs", "spare revisions", "up took at most", ""}, "\t"))
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		row(table, name, groups[name])
	}
	row(table, "all", results)
	_ = table.Flush()
}

func row(w io.Writer, name string, group []result) {
	repaired, repairs, spare, longest := 0, 0, 0, time.Duration(0)
	for _, r := range group {
		repairs, spare, longest = repairs+len(r.repairs), spare+r.spare, max(longest, r.took)
		if len(r.repairs) > 0 {
			repaired++
		}
	}
	_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%.1f s\t\n", name, len(group), len(group)-len(failedTrials(group)), repaired, repairs, spare, longest.Seconds())
}
