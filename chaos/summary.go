package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// summary prints the outcomes by command, phase and signal.
func summary(w io.Writer, results []result) {
	const columns = "\tconverged\trepaired\trepairs\tspare revisions\tup took at most\t"
	row := func(group []result) string {
		repairs, spare, longest := 0, 0, time.Duration(0)
		for _, r := range group {
			repairs, spare, longest = repairs+len(r.repairs), spare+r.spare, max(longest, r.took)
		}
		repaired := count(group, func(r result) bool { return len(r.repairs) > 0 })
		return fmt.Sprintf("%d\t%d\t%d\t%d\t%.1f s\t", len(group)-len(failedTrials(group)), repaired, repairs, spare, longest.Seconds())
	}
	tally(w, "command\ttrials"+columns, results, func(r result) string { return r.scenario.name }, row)
	tally(w, "phase\ttrials"+columns, results, func(r result) string { return r.phase }, row)
	tally(w, "signal\ttrials"+columns, results, func(r result) string { return r.signal + " of " + string(r.to) }, row)
}

// editSummary prints the outcomes by action.
func editSummary(w io.Writer, results []editResult) {
	tally(w, "action\ttrials\thalf-done\trefused\tfailed\t", results, func(r editResult) string { return r.action }, func(group []editResult) string {
		return fmt.Sprintf("%d\t%d\t%d\t", count(group, func(r editResult) bool { return r.partial != "" }),
			count(group, func(r editResult) bool { return r.refused }), count(group, func(r editResult) bool { return r.err != nil }))
	})
}

// bucketSummary prints the outcomes by the first disturbance.
func bucketSummary(w io.Writer, results []bucketResult) {
	first := func(r bucketResult) string { return r.disturbances[0].what }
	tally(w, "disturbance\ttrials\twrites\tholders\tfailed\t", results, first, func(group []bucketResult) string {
		writes, holders := 0, 0
		for _, r := range group {
			writes, holders = writes+r.accepted, holders+r.acquisitions
		}
		return fmt.Sprintf("%d\t%d\t%d\t", writes, holders, count(group, func(r bucketResult) bool { return r.err != nil }))
	})
}

// tally prints one line for each value of a key, and one for all results.
func tally[R any](w io.Writer, header string, results []R, key func(R) string, row func([]R) string) {
	groups := map[string][]R{}
	for _, r := range results {
		groups[key(r)] = append(groups[key(r)], r)
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\n"+header)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\n", name, len(groups[name]), row(groups[name]))
	}
	_, _ = fmt.Fprintf(table, "all\t%d\t%s\n", len(results), row(results))
	_ = table.Flush()
}

func count[R any](results []R, has func(R) bool) int {
	n := 0
	for _, r := range results {
		if has(r) {
			n++
		}
	}
	return n
}
