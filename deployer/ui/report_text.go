package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
)

// lines is a text whose lines are folded at the terminal's width.
type lines struct {
	strings.Builder
	style Style
}

// add appends a line; what does not fit goes on below it, indented by indent.
func (l *lines) add(indent, format string, args ...any) {
	l.WriteString(l.style.wrapLine(strings.TrimRight(fmt.Sprintf(format, args...), " "), indent) + "\n")
}

// heading appends an empty line and a heading.
func (l *lines) heading(title string) {
	l.WriteString("\n" + l.style.colorize(title, text.Bold) + "\n")
}

func (l *lines) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, l.String())
	return err
}

// writeSummary is the key figures: one line a component, then certificates and load balancers.
func writeSummary(w io.Writer, j EnvironmentReport, style Style) error {
	l := &lines{style: style}
	l.statusLine("", j)
	if j.Failure != nil {
		l.failure(*j.Failure)
		return l.writeTo(w)
	}
	l.WriteString("\n")
	for _, g := range groupByComponent(j.Services) {
		l.add(strings.Repeat(" ", componentWidth+1), "%-*s %s", componentWidth, g.component, g.summaryLine(style))
	}
	l.certificates(j)
	l.loadBalancers(j, false)
	l.omitted(j.Omitted)
	return l.writeTo(w)
}

// statusLine is the one line that says how an environment is.
func (l *lines) statusLine(mark string, j EnvironmentReport) {
	where := ""
	if j.Region != "" {
		where = " (" + j.Region + ")"
	}
	l.add("  ", "%s%s%s is %s: %s", mark, j.Environment, where, l.style.statusWord(j.Summary.Status), Counts(j.Summary))
}

// componentWidth is the column of a summary that has the components' names.
const componentWidth = 18

// summaryLine says how many are healthy and names the worst that is not.
func (g group) summaryLine(style Style) string {
	s := checks.Aggregate(g.findings)
	first := worst(g.findings)
	switch {
	case s.Status != checks.Healthy && s.Total == 1:
		return fmt.Sprintf("%s: %s: %s", style.statusWord(s.Status), first.Reason, first.Message)
	case s.Status != checks.Healthy:
		return fmt.Sprintf("%s: %s: %s (%d of %d healthy)", style.statusWord(s.Status), first.Reason, first.Message, s.Healthy, s.Total)
	case s.Total == 1:
		return style.statusWord(s.Status) + ": " + first.Message
	}
	return fmt.Sprintf("%s: %d", style.statusWord(s.Status), s.Total)
}

// writeVerbose is everything, for a person: grouped, with signs.
func writeVerbose(w io.Writer, j EnvironmentReport, style Style) error {
	l := &lines{style: style}
	l.WriteString(style.colorize("Infrastructure status", text.Bold) + "\n")
	l.add("", "Environment: %s", j.Environment)
	l.add("", "Region: %s", j.Region)
	l.add("", "Timestamp: %s", j.Timestamp.Format(time.RFC3339))
	l.heading("Summary")
	for _, c := range []struct {
		status checks.Status
		n      int
	}{
		{checks.Healthy, j.Summary.Healthy}, {checks.Warning, j.Summary.Warning}, {checks.Error, j.Summary.Error}, {checks.Unknown, j.Summary.Unknown},
	} {
		l.add("", "  %s%s: %d", style.statusPrefix(c.status), c.status, c.n)
	}
	l.add("", "  total: %d", j.Summary.Total)
	if j.Failure != nil {
		l.failure(*j.Failure)
		return l.writeTo(w)
	}
	for _, s := range sections(j.Services) {
		l.heading(strings.ToUpper(s.title))
		for _, g := range s.groups {
			l.add("", "  %s", style.colorize(g.component, text.Underline))
			for _, f := range g.findings {
				l.finding(f, "    ")
			}
		}
	}
	l.stuck(j.Debugging.StuckServices)
	l.certificates(j)
	l.loadBalancers(j, true)
	l.omitted(j.Omitted)
	l.WriteString("\n")
	l.statusLine(style.statusPrefix(j.Summary.Status), j)
	return l.writeTo(w)
}

// Findings shows findings alone, without a report around them.
func Findings(w io.Writer, findings []checks.Finding, format string, style Style) error {
	if format == "json" {
		return JSON(w, findings)
	}
	l := &lines{style: style}
	for _, f := range findings {
		l.finding(f, "")
	}
	return l.writeTo(w)
}

// hintIndent is as wide as the words before a hint's parts.
const hintIndent = "          "

// finding is one judgement with its evidence, and where it is not healthy, with its hint.
func (l *lines) finding(f checks.Finding, margin string) {
	below := margin + "   "
	head := fmt.Sprintf("%s%s %s: %s", margin, l.style.statusSign(f.Status), f.Service, f.Message)
	if f.Status != checks.Healthy {
		head += " (" + f.Reason + ")"
	}
	l.add(below, "%s", head)
	if facts := sortedDetails(f.Details); len(facts) > 0 {
		l.add(below+"  ", "%s%s", below, l.style.colorize(joinDetails(facts, " "), text.Faint))
	}
	if f.Hint == nil {
		return
	}
	l.add(below+hintIndent, "%scause:    %s", below, f.Hint.Cause)
	l.add(below+hintIndent, "%ssolution: %s", below, f.Hint.Solution)
	if f.Hint.Command != "" {
		l.add(below+hintIndent, "%snext:     %s", below, l.style.colorize(f.Hint.Command, text.Bold))
	}
}

func (l *lines) failure(f Failure) {
	l.WriteString("\n")
	l.add("  ", "it could not be judged: %s", f.Message)
	if f.Hint != "" {
		l.add("  ", "hint: %s", f.Hint)
	}
}

func (l *lines) stuck(services []checks.StuckService) {
	if len(services) == 0 {
		return
	}
	l.heading("Stuck services")
	for _, s := range services {
		l.add("    ", "  %s: %s", s.Service, s.Issue)
		for _, issue := range s.Issues {
			l.add("      ", "    %s", issue)
		}
	}
}

// startSection begins a section of n entries about what a component looked at, and reports whether there is one.
func (l *lines) startSection(title string, n int, j EnvironmentReport, component string) bool {
	checked := slices.ContainsFunc(j.Services, func(f checks.Finding) bool { return f.Component == component })
	if n == 0 && !checked {
		return false
	}
	l.heading(title)
	if n == 0 {
		l.add("", "  none was seen")
	}
	return n > 0
}

func (l *lines) certificates(j EnvironmentReport) {
	if !l.startSection("Certificate", len(j.Certificates), j, "certificate") {
		return
	}
	for _, c := range j.Certificates {
		line := fmt.Sprintf("  %s: %s", c.Domain, c.Status)
		if c.DaysLeft != nil {
			line += fmt.Sprintf(", %d days left", *c.DaysLeft)
		}
		if c.NotAfter != nil {
			line += ", until " + c.NotAfter.UTC().Format(time.DateOnly)
		}
		l.add("    ", "%s", line)
	}
}

// loadBalancers lists the load balancers; whole adds where they listen.
func (l *lines) loadBalancers(j EnvironmentReport, whole bool) {
	if !l.startSection("Load balancers", len(j.LoadBalancers), j, "load_balancer") {
		return
	}
	for _, b := range j.LoadBalancers {
		l.add("    ", "  %s: %s", b.Name, b.State)
		if whole {
			l.add("      ", "    %s", b.DNSName)
		}
		for _, listener := range b.Listeners {
			if whole {
				l.add("      ", "    %s %d: %s %s", listener.Protocol, listener.Port, listener.Action, listener.TLSPolicy)
			}
		}
		for _, g := range b.TargetGroups {
			l.add("      ", "    %s: %d/%d healthy", g.Name, g.Healthy, g.Total)
		}
	}
}

func (l *lines) omitted(omitted []checks.Omission) {
	if len(omitted) == 0 {
		return
	}
	l.heading("Left out")
	for _, o := range omitted {
		l.add("    ", "  %s: %s", o.Component, o.Why)
	}
}
