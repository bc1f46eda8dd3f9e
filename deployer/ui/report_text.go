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
	l.WriteString(l.style.fold(strings.TrimRight(fmt.Sprintf(format, args...), " "), indent) + "\n")
}

// heading appends an empty line and a heading.
func (l *lines) heading(title string) {
	l.WriteString("\n" + l.style.paint(title, text.Bold) + "\n")
}

func (l *lines) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, l.String())
	return err
}

// summary is the key figures: one line a component, then certificates and load balancers.
func summary(w io.Writer, j Judged, style Style) error {
	l := &lines{style: style}
	l.verdict("", j)
	if j.Failure != nil {
		l.failure(*j.Failure)
		return l.writeTo(w)
	}
	l.WriteString("\n")
	for _, g := range grouped(j.Services) {
		l.add(strings.Repeat(" ", componentWidth+1), "%-*s %s", componentWidth, g.component, g.line(style))
	}
	l.certificates(j)
	l.balancers(j, false)
	l.omissions(j.Omitted)
	return l.writeTo(w)
}

// verdict is the one line that says how an environment is.
func (l *lines) verdict(mark string, j Judged) {
	where := ""
	if j.Region != "" {
		where = " (" + j.Region + ")"
	}
	l.add("  ", "%s%s%s is %s: %s", mark, j.Environment, where, l.style.word(j.Summary.Status), Counts(j.Summary))
}

// componentWidth is the column of a summary that has the components' names.
const componentWidth = 18

// line says how many are healthy and names the worst that is not.
func (g group) line(style Style) string {
	s := checks.Aggregate(g.findings)
	first := worst(g.findings)
	switch {
	case s.Status != checks.Healthy && s.Total == 1:
		return fmt.Sprintf("%s: %s: %s", style.word(s.Status), first.Reason, first.Message)
	case s.Status != checks.Healthy:
		return fmt.Sprintf("%s: %s: %s (%d of %d healthy)", style.word(s.Status), first.Reason, first.Message, s.Healthy, s.Total)
	case s.Total == 1:
		return style.word(s.Status) + ": " + first.Message
	}
	return fmt.Sprintf("%s: %d", style.word(s.Status), s.Total)
}

// verbose is everything, for a person: grouped, with signs.
func verbose(w io.Writer, j Judged, style Style) error {
	l := &lines{style: style}
	l.WriteString(style.paint("Infrastructure status", text.Bold) + "\n")
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
		l.add("", "  %s%s: %d", style.mark(c.status), c.status, c.n)
	}
	l.add("", "  total: %d", j.Summary.Total)
	if j.Failure != nil {
		l.failure(*j.Failure)
		return l.writeTo(w)
	}
	for _, s := range sections(j.Services) {
		l.heading(strings.ToUpper(s.title))
		for _, g := range s.groups {
			l.add("", "  %s", style.paint(g.component, text.Underline))
			for _, f := range g.findings {
				l.finding(f, "    ")
			}
		}
	}
	l.stuck(j.Debugging.StuckServices)
	l.certificates(j)
	l.balancers(j, true)
	l.omissions(j.Omitted)
	l.WriteString("\n")
	l.verdict(style.mark(j.Summary.Status), j)
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

// hanging is as wide as the words before a hint's parts.
const hanging = "          "

// finding is one judgement with its evidence, and where it is not healthy, with its hint.
func (l *lines) finding(f checks.Finding, margin string) {
	below := margin + "   "
	head := fmt.Sprintf("%s%s %s: %s", margin, l.style.sign(f.Status), f.Service, f.Message)
	if f.Status != checks.Healthy {
		head += " (" + f.Reason + ")"
	}
	l.add(below, "%s", head)
	if facts := evidence(f.Details); len(facts) > 0 {
		l.add(below+"  ", "%s%s", below, l.style.paint(words(facts, " "), text.Faint))
	}
	if f.Hint == nil {
		return
	}
	l.add(below+hanging, "%scause:    %s", below, f.Hint.Cause)
	l.add(below+hanging, "%ssolution: %s", below, f.Hint.Solution)
	if f.Hint.Command != "" {
		l.add(below+hanging, "%snext:     %s", below, l.style.paint(f.Hint.Command, text.Bold))
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

// titled begins a section of n entries about what a component looked at, and reports whether there is one.
func (l *lines) titled(title string, n int, j Judged, component string) bool {
	looked := slices.ContainsFunc(j.Services, func(f checks.Finding) bool { return f.Component == component })
	if n == 0 && !looked {
		return false
	}
	l.heading(title)
	if n == 0 {
		l.add("", "  none was seen")
	}
	return n > 0
}

func (l *lines) certificates(j Judged) {
	if !l.titled("Certificate", len(j.Certificates), j, "certificate") {
		return
	}
	for _, c := range j.Certificates {
		says := fmt.Sprintf("  %s: %s", c.Domain, c.Status)
		if c.DaysLeft != nil {
			says += fmt.Sprintf(", %d days left", *c.DaysLeft)
		}
		if c.NotAfter != nil {
			says += ", until " + c.NotAfter.UTC().Format(time.DateOnly)
		}
		l.add("    ", "%s", says)
	}
}

// balancers lists the load balancers; whole adds where they listen.
func (l *lines) balancers(j Judged, whole bool) {
	if !l.titled("Load balancers", len(j.LoadBalancers), j, "load_balancer") {
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

func (l *lines) omissions(omitted []checks.Omission) {
	if len(omitted) == 0 {
		return
	}
	l.heading("Left out")
	for _, o := range omitted {
		l.add("    ", "  %s: %s", o.Component, o.Why)
	}
}
