package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// leastShown is the share of a deployment's time under which a phase has no line of its own.
const leastShown = 0.02

// portion is a part of a deployment's time.
type portion struct {
	name    string
	seconds float64
}

// TimeBudget says where the time of a long deployment that went well went, and what would have saved most of it. Of another
// it says nothing.
func TimeBudget(w io.Writer, d record.Deployment, s Style) {
	if !d.Long || d.Outcome != record.Succeeded {
		return
	}
	whole := d.Ended.Sub(d.Started).Seconds()
	var b strings.Builder
	fmt.Fprintf(&b, "where the time went, %s in all:\n", inSeconds(whole))
	for _, p := range portions(d) {
		fmt.Fprintf(&b, "  %-10s %7s %3.0f%%\n", p.name, inSeconds(p.seconds), 100*p.seconds/whole)
	}
	fmt.Fprintf(&b, "  of which   %s\n", whoTook(d))
	if d.Saving != nil {
		fmt.Fprintln(&b, fold(savingText(d), s.Width))
	}
	_, _ = io.WriteString(w, b.String())
}

// portions are the phases in their order, the short ones and the time between them as one.
func portions(d record.Deployment) []portion {
	whole := d.Ended.Sub(d.Started).Seconds()
	var list []portion
	rest := whole
	for _, p := range d.Phases {
		if p.Seconds >= leastShown*whole {
			list = append(list, portion{p.Name, p.Seconds})
			rest -= p.Seconds
		}
	}
	return append(list, portion{"the rest", max(0, rest)})
}

// whoTook is who the time was spent on.
func whoTook(d record.Deployment) string {
	rest := d.Ended.Sub(d.Started).Seconds() - d.EngineSeconds - d.WaitingSeconds
	return fmt.Sprintf("the engine %s, waiting for AWS %s, the rest %s",
		inSeconds(d.EngineSeconds), inSeconds(d.WaitingSeconds), inSeconds(max(0, rest)))
}

// savingText names the setting that would have saved most.
func savingText(d record.Deployment) string {
	return fmt.Sprintf("%s would have saved about %s: %s", d.Saving.Setting, inSeconds(d.Saving.Seconds), d.Saving.Why)
}

func inSeconds(s float64) string { return shortDuration(time.Duration(s * float64(time.Second))) }

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
