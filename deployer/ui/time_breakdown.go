package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// minTimeShare is the share of a deployment's time under which a phase has no line of its own.
const minTimeShare = 0.02

// timeShare is a part of a deployment's time.
type timeShare struct {
	name    string
	seconds float64
}

// TimeBreakdown says where the time of a long deployment that went well went, and what would have saved most of it. Of another
// it says nothing.
func TimeBreakdown(w io.Writer, d history.Deployment, s Style) {
	if !d.Slow || d.Outcome != history.Succeeded {
		return
	}
	total := d.Ended.Sub(d.Started).Seconds()
	var b strings.Builder
	fmt.Fprintf(&b, "where the time went, %s in all:\n", formatSeconds(total))
	for _, p := range timeShares(d) {
		fmt.Fprintf(&b, "  %-10s %7s %3.0f%%\n", p.name, formatSeconds(p.seconds), 100*p.seconds/total)
	}
	fmt.Fprintf(&b, "  of which   %s\n", timeByCause(d))
	if d.Saving != nil {
		fmt.Fprintln(&b, fold(savingText(d), s.Width))
	}
	_, _ = io.WriteString(w, b.String())
}

// timeShares are the phases in their order, the short ones and the time between them as one.
func timeShares(d history.Deployment) []timeShare {
	total := d.Ended.Sub(d.Started).Seconds()
	var list []timeShare
	rest := total
	for _, p := range d.Phases {
		if p.Seconds >= minTimeShare*total {
			list = append(list, timeShare{p.Name, p.Seconds})
			rest -= p.Seconds
		}
	}
	return append(list, timeShare{"the rest", max(0, rest)})
}

// timeByCause is who the time was spent on.
func timeByCause(d history.Deployment) string {
	rest := d.Ended.Sub(d.Started).Seconds() - d.EngineSeconds - d.WaitingSeconds
	return fmt.Sprintf("the engine %s, waiting for AWS %s, the rest %s",
		formatSeconds(d.EngineSeconds), formatSeconds(d.WaitingSeconds), formatSeconds(max(0, rest)))
}

// savingText names the setting that would have saved most.
func savingText(d history.Deployment) string {
	return fmt.Sprintf("%s would have saved about %s: %s", d.Saving.Setting, formatSeconds(d.Saving.Seconds), d.Saving.Why)
}

func formatSeconds(s float64) string { return formatDuration(time.Duration(s * float64(time.Second))) }

// fold breaks a line between words where it is wider than the terminal, or than 80 columns where there is none.
func fold(line string, width int) string {
	if width == 0 {
		width = 80
	}
	lines := strings.Split(text.WrapSoft(line, width), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
