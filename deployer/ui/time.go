package ui

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// minTimeShare is the share of a deployment's time from which a phase gets a line of its own.
const minTimeShare = 0.02

// TimeBreakdown shows where the time of a slow deployment that succeeded went, and what would have saved most of it. For
// others it writes nothing.
func TimeBreakdown(w io.Writer, d history.Deployment, style Style) {
	if !d.Slow || !d.Complete() {
		return
	}
	total := d.Ended.Sub(d.Started).Seconds()
	out := document{style: Style{Width: cmp.Or(style.Width, 80)}}
	out.addf("", "where the time went, %s in all:", formatSeconds(total))
	rest := total
	line := func(name string, seconds float64) {
		out.addf("", "  %-10s %7s %3.0f%%", name, formatSeconds(seconds), 100*seconds/total)
	}
	for _, p := range d.Phases {
		if p.Seconds >= minTimeShare*total {
			line(p.Name, p.Seconds)
			rest -= p.Seconds
		}
	}
	line("other", max(0, rest))
	out.add("", "  of which   "+timeByCause(d))
	if s := d.Saving; s != nil {
		out.addf("", "%s would have saved about %s: %s", s.Setting, formatSeconds(s.Seconds), s.Why)
	}
	_ = out.writeTo(w)
}

func timeByCause(d history.Deployment) string {
	rest := d.Ended.Sub(d.Started).Seconds() - d.EngineSeconds - d.WaitingSeconds
	return fmt.Sprintf("the engine %s, waiting for AWS %s, the deployer itself %s",
		formatSeconds(d.EngineSeconds), formatSeconds(d.WaitingSeconds), formatSeconds(max(0, rest)))
}

// JobSummary returns a deployment as Markdown, for the summary of a GitHub Actions job.
func JobSummary(d history.Deployment) string {
	total := d.Ended.Sub(d.Started).Seconds()
	var b strings.Builder
	what := d.Image.Tag
	if !d.DeploysImage() {
		what = strings.Join(d.Components, ", ")
	}
	outcome, back := string(d.Outcome), ""
	if d.RolledBackTo != nil {
		back = escapeMarkdown(d.RolledBackTo.Tag)
		outcome += ", rolled back to " + back
	}
	fmt.Fprintf(&b, "### %s to %s: %s\n\n", escapeMarkdown(what), escapeMarkdown(d.Environment), outcome)
	b.WriteString("| phase | outcome | time | share | |\n| --- | --- | ---: | ---: | --- |\n")
	for _, p := range d.Phases {
		share := 100 * p.Seconds / max(total, p.Seconds, 0.001)
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f%% | %s |\n", p.Name, p.Outcome, formatSeconds(p.Seconds), share,
			escapeMarkdown(text.FirstLine(p.Message)))
	}
	if back != "" {
		fmt.Fprintf(&b, "| rollback | %s | | | %s was deployed again |\n", history.Succeeded, back)
	}
	if total > 0 {
		fmt.Fprintf(&b, "\n%s in all; of which %s.\n", formatSeconds(total), timeByCause(d))
	}
	if s := d.Saving; s != nil {
		fmt.Fprintf(&b, "\n%s would have saved about %s: %s.\n", markdownCode(s.Setting), formatSeconds(s.Seconds), escapeMarkdown(s.Why))
	}
	if d.Error != "" {
		b.WriteString("\n" + markdownBlock(d.Error))
	}
	return b.String()
}

// formatDuration returns a duration as 0.4s, 12.3s, 4m05s or 1h02m.
func formatDuration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return text.Duration(d)
}

func formatSeconds(s float64) string { return formatDuration(time.Duration(s * float64(time.Second))) }

// formatTime returns a time in UTC, which can be compared across machines; "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// formatMinute returns a time of a list, to the minute in UTC; "" for the zero time.
func formatMinute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}

// Age returns how long ago something was.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
