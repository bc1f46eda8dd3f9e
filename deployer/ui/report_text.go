package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func (d *document) heading(title string) { d.add("", "\n"+d.style.bold(title)) }

// writeSummary writes the key figures: the status and a line for each component that is not healthy, then a line for each healthy one,
// certificates and load balancers. Where the terminal is not high enough, healthy components are only counted, and then the sections
// left out.
func writeSummary(w io.Writer, r EnvironmentReport, style Style) error {
	head := &document{style: style}
	head.statusLine("", r)
	if r.Failure != nil {
		head.failure(*r.Failure)
		return head.writeTo(w)
	}
	groups := bySeverity(groupByComponent(r.Services))
	healthy := list.Filter(groups, group.healthy)
	head.add("", "")
	head.groups(groups[:len(groups)-len(healthy)])
	components, count, sections := &document{style: style}, &document{style: style}, &document{style: style}
	components.groups(healthy)
	if len(healthy) > 0 {
		count.addf("  ", "%s healthy; --format verbose lists all", text.Plural(len(healthy), "component is", "components are"))
	}
	sections.certificates(r)
	sections.loadBalancers(r, false)
	sections.omitted(r.Omitted)
	shown := []*document{head, components, sections}
	for _, shorter := range [][]*document{{head, count, sections}, {head, count}} {
		if style.Height > 0 && countLines(shown) > style.Height {
			shown = shorter
		}
	}
	for _, d := range shown {
		if err := d.writeTo(w); err != nil {
			return err
		}
	}
	return nil
}

func countLines(documents []*document) (lines int) {
	for _, d := range documents {
		lines += strings.Count(d.String(), "\n")
	}
	return lines
}

// groups appends a line for each component.
func (d *document) groups(groups []group) {
	for _, g := range groups {
		d.addf(strings.Repeat(" ", componentWidth+1), "%-*s %s", componentWidth, g.Component, g.summaryLine(d.style))
	}
}

// Verdict returns the status of each environment in one line.
func Verdict(r StatusReport, style Style) string {
	return strings.Join(list.Map(r.Environments, func(e EnvironmentReport) string {
		return e.Environment + " is " + style.statusWord(e.Summary.Status)
	}), ", ")
}

// statusLine appends an environment's status and how many findings have which.
func (d *document) statusLine(prefix string, r EnvironmentReport) {
	region := ""
	if r.Region != "" {
		region = " (" + r.Region + ")"
	}
	if r.NotDeployed() {
		d.addf("  ", "%s%s%s is not deployed", prefix, r.Environment, region)
		return
	}
	d.addf("  ", "%s%s%s is %s: %s", prefix, r.Environment, region, d.style.statusWord(r.Summary.Status), Counts(r.Summary))
}

// componentWidth is the width of the column with components in a summary.
const componentWidth = 18

// summaryLine returns how many findings are healthy, and the worst that is not.
func (g group) summaryLine(style Style) string {
	s := checks.Aggregate(g.Findings)
	first := worst(g.Findings)
	status := style.statusWord(s.Status)
	switch {
	case s.Status != checks.Healthy && s.Total == 1:
		return fmt.Sprintf("%s: %s: %s", status, first.Reason, first.Message)
	case s.Status != checks.Healthy:
		return fmt.Sprintf("%s: %s: %s (%d of %d healthy)", status, first.Reason, first.Message, s.Healthy, s.Total)
	case s.Total == 1:
		return status + ": " + first.Message
	}
	return fmt.Sprintf("%s: %d", status, s.Total)
}

// writeVerbose writes everything for a person: grouped, with signs.
func writeVerbose(w io.Writer, r EnvironmentReport, style Style) error {
	d := &document{style: style}
	d.add("", style.bold("Infrastructure status"))
	d.add("", "Environment: "+r.Environment)
	d.add("", "Region: "+r.Region)
	d.add("", "Timestamp: "+r.Timestamp.Format(time.RFC3339))
	d.heading("Summary")
	count := func(status checks.Status, n int) { d.addf("", "  %s%s: %d", style.statusPrefix(status), status, n) }
	count(checks.Healthy, r.Summary.Healthy)
	count(checks.Warning, r.Summary.Warning)
	count(checks.Error, r.Summary.Error)
	count(checks.Unknown, r.Summary.Unknown)
	d.addf("", "  total: %d", r.Summary.Total)
	if r.Failure != nil {
		d.failure(*r.Failure)
		return d.writeTo(w)
	}
	for _, s := range sections(r.Services) {
		d.heading(strings.ToUpper(s.Title))
		for _, g := range s.Groups {
			d.add("", "  "+style.underline(g.Component))
			for _, f := range g.Findings {
				d.finding(f, "    ")
			}
		}
	}
	d.stuck(r.Debugging.StuckServices)
	d.certificates(r)
	d.loadBalancers(r, true)
	d.omitted(r.Omitted)
	d.add("", "")
	d.statusLine(style.statusPrefix(r.Summary.Status), r)
	return d.writeTo(w)
}

// Findings shows findings without a report around them.
func Findings(w io.Writer, findings []checks.Finding, format string, style Style) error {
	return show(w, findings, format, style, func(d *document) {
		for _, f := range findings {
			d.finding(f, "")
		}
	})
}

// finding appends a finding with its details, and with its hint where it is not healthy.
func (d *document) finding(f checks.Finding, margin string) {
	below := margin + "   "
	head := fmt.Sprintf("%s%s %s: %s", margin, d.style.statusSign(f.Status), f.Service, f.Message)
	if f.Status != checks.Healthy {
		head += " (" + f.Reason + ")"
	}
	d.add(below, head)
	if details := sortedDetails(f.Details); len(details) > 0 {
		d.add(below+"  ", below+d.style.faint(joinDetails(details)))
	}
	if f.Hint == nil {
		return
	}
	hanging := below + strings.Repeat(" ", len("solution: "))
	d.add(hanging, below+"cause:    "+f.Hint.Cause)
	d.add(hanging, below+"solution: "+f.Hint.Solution)
	if f.Hint.Command != "" {
		d.addWhole(below + "next:     " + d.style.bold(f.Hint.Command))
	}
}

func (d *document) failure(f Failure) {
	d.add("  ", "\nit could not be checked: "+f.Message)
	if f.Hint != "" {
		d.add("  ", "hint: "+f.Hint)
	}
}

func (d *document) stuck(services []checks.StuckService) {
	if len(services) > 0 {
		d.heading("Stuck services")
	}
	for _, s := range services {
		d.add("    ", "  "+s.Service+": "+s.Issue)
		for _, issue := range s.Issues {
			d.add("      ", "    "+issue)
		}
	}
}

// section begins a section of n entries, unless there is none because the component was not checked.
func (d *document) section(title string, n int, r EnvironmentReport, component string) {
	checked := slices.ContainsFunc(r.Services, func(f checks.Finding) bool { return f.Component == component })
	if n > 0 || checked {
		d.heading(title)
	}
	if n == 0 && checked {
		d.add("", "  none found")
	}
}

func (d *document) certificates(r EnvironmentReport) {
	d.section("Certificate", len(r.Certificates), r, "certificate")
	for _, c := range r.Certificates {
		line := fmt.Sprintf("  %s: %s", c.Domain, c.Status)
		if c.DaysLeft != nil {
			line += fmt.Sprintf(", %d days left", *c.DaysLeft)
		}
		if c.NotAfter != nil {
			line += ", until " + c.NotAfter.UTC().Format(time.DateOnly)
		}
		d.add("    ", line)
	}
}

// loadBalancers lists the load balancers, with their listeners where all is to be shown.
func (d *document) loadBalancers(r EnvironmentReport, all bool) {
	d.section("Load balancers", len(r.LoadBalancers), r, "load_balancer")
	for _, b := range r.LoadBalancers {
		d.add("    ", "  "+b.Name+": "+b.State)
		if all {
			d.add("      ", "    "+b.DNSName)
			for _, l := range b.Listeners {
				d.addf("      ", "    %s %d: %s %s", l.Protocol, l.Port, l.Action, l.TLSPolicy)
			}
		}
		for _, g := range b.TargetGroups {
			d.addf("      ", "    %s: %d/%d healthy", g.Name, g.Healthy, g.Total)
		}
	}
}

func (d *document) omitted(omitted []checks.Omission) {
	if len(omitted) > 0 {
		d.heading("Left out")
	}
	for _, o := range omitted {
		d.add("    ", "  "+o.Component+": "+o.Why)
	}
}
