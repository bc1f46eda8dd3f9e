package ui

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Stats shows the statistics of an environment's deployments; as html, a page with charts of the changes.
func Stats(w io.Writer, stats history.Stats, changes []history.DeployedChange, format string, style Style) error {
	if format == "html" {
		return writeStatsPage(w, stats, changes)
	}
	return show(w, stats, format, style, func(out *document) {
		t := newTable("environment", stats.Environment)
		t.setColumns(wrapped(2))
		for _, f := range statsFigures(stats) {
			t.addRow([]any{f.Name, f.Value})
		}
		out.table(t)
		if len(stats.MedianSeconds) == 0 {
			return
		}
		out.add("", "")
		phases := newTable("phase", "median time")
		phases.setColumns(alignRight(2))
		for _, name := range phaseOrder(stats.MedianSeconds) {
			phases.addRow([]any{name, formatSeconds(stats.MedianSeconds[name])})
		}
		out.table(phases)
	})
}

// unknownFigure stands for a figure that is not known.
const unknownFigure = "–"

// A figure is one of the key figures of the statistics, as text.
type figure struct{ Name, Value string }

// statsFigures returns the key figures. What is unknown has the reason.
func statsFigures(s history.Stats) []figure {
	figures := []figure{
		{"period", formatDay(s.Since) + " to " + formatDay(s.Until)},
		{"deployments", fmt.Sprintf("%d, %s a week", s.Deployments, formatNumber(s.DeploymentsPerWeek))},
		{"failed or rolled back", unknownFigure},
		{"median time", unknownFigure},
		{"lead time", unknownFigure + ", " + s.LeadUnknown},
		{"time to restore", restoreFigure(s)},
	}
	if s.FailedShare != nil {
		figures[2].Value = fmt.Sprintf("%d of %d (%.0f%%)", s.Failed, s.Deployments, *s.FailedShare*100)
	}
	if total, known := s.MedianSeconds[history.TotalPhase]; known {
		figures[3].Value = formatSeconds(total)
	}
	if s.LeadSeconds != nil {
		figures[4].Value = formatLong(*s.LeadSeconds) + ", median"
	}
	return figures
}

// restoreFigure returns the mean time to restore, and since when the environment is not restored.
func restoreFigure(s history.Stats) string {
	var parts []string
	if s.RestoreSeconds != nil {
		parts = append(parts, formatLong(*s.RestoreSeconds)+", mean")
	}
	if !s.NotRestoredSince.IsZero() {
		parts = append(parts, "not restored since "+formatMinute(s.NotRestoredSince))
	}
	return cmp.Or(strings.Join(parts, "; "), unknownFigure+", nothing had to be restored")
}

// phaseOrder returns the names of phases in the order in which they run, and the total last.
func phaseOrder(seconds map[string]float64) []string {
	order := release.PhaseOrder()
	at := func(name string) int {
		switch i := slices.Index(order, name); {
		case name == history.TotalPhase:
			return len(order) + 1
		case i < 0:
			return len(order)
		default:
			return i
		}
	}
	return slices.SortedFunc(maps.Keys(seconds), func(a, b string) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a, b))
	})
}

func formatDay(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// formatNumber returns a number with two decimals at most.
func formatNumber(n float64) string { return fmt.Sprintf("%g", n) }

// formatLong returns seconds as formatSeconds does, and two days or more in days.
func formatLong(seconds float64) string {
	const day = 24 * 60 * 60
	if seconds >= 2*day {
		return text.Plural(int(seconds/day+.5), "day", "")
	}
	return formatSeconds(seconds)
}
