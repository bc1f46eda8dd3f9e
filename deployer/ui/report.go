package ui

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
)

// rendering writes a report in one form.
type rendering struct {
	format string
	write  func(io.Writer, checks.Report, Style) error
}

// renderings are the forms of a report, the default first.
func renderings() []rendering {
	return []rendering{
		{"yaml+summary", yamlAndSummary},
		{"yaml", func(w io.Writer, r checks.Report, _ Style) error { return compactYAML(w, r) }},
		{"summary", summary},
		{"verbose", verbose},
		{"json", func(w io.Writer, r checks.Report, _ Style) error { return JSON(w, r) }},
		{"markdown", markdown},
	}
}

// ReportFormats returns the forms of a report, the default first.
func ReportFormats() []string {
	var names []string
	for _, r := range renderings() {
		names = append(names, r.format)
	}
	return names
}

// Report writes a report in the form.
func Report(w io.Writer, r checks.Report, format string, style Style) error {
	for _, known := range renderings() {
		if known.format == format {
			return known.write(w, r, style)
		}
	}
	return fmt.Errorf("a report has no form %q", format)
}

// compact is a report for those who pay by the word: healthy components are counted by name, the others are whole.
type compact struct {
	Environment   string            `yaml:"environment"`
	Region        string            `yaml:"region"`
	Timestamp     string            `yaml:"timestamp"`
	Summary       checks.Summary    `yaml:"summary,flow"`
	Services      []finding         `yaml:"services"`
	Healthy       yaml.MapSlice     `yaml:"healthy,flow,omitempty"`
	LoadBalancers []loadBalancer    `yaml:"load_balancers"`
	Certificates  []yaml.MapSlice   `yaml:"certificates,flow"`
	Debugging     stuck             `yaml:"debugging"`
	Omitted       []checks.Omission `yaml:"omitted,omitempty"`
}

// finding is one that is not healthy, its evidence on one line.
type finding struct {
	Service   string         `yaml:"service"`
	Component string         `yaml:"component"`
	Status    checks.Status  `yaml:"status"`
	Reason    string         `yaml:"reason"`
	Message   string         `yaml:"message"`
	Details   map[string]any `yaml:"details,flow,omitempty"`
	Hint      *checks.Hint   `yaml:"hint,omitempty"`
}

type loadBalancer struct {
	Name         string               `yaml:"name"`
	State        string               `yaml:"state"`
	TargetGroups []checks.TargetGroup `yaml:"target_groups,flow"`
}

type stuck struct {
	StuckServices []checks.StuckService `yaml:"stuckServices"`
}

func compacted(r checks.Report) compact {
	c := compact{
		Environment: r.Environment, Region: r.Region, Timestamp: r.Timestamp.Format(time.RFC3339), Summary: r.Summary,
		Services: []finding{}, LoadBalancers: []loadBalancer{}, Certificates: []yaml.MapSlice{},
		Debugging: stuck{r.Debugging.StuckServices}, Omitted: r.Omitted,
	}
	counts := map[string]int{}
	var order []string
	for _, f := range r.Services {
		if f.Status != checks.Healthy {
			c.Services = append(c.Services, finding(f))
			continue
		}
		if counts[f.Component] == 0 {
			order = append(order, f.Component)
		}
		counts[f.Component]++
	}
	for _, component := range order {
		c.Healthy = append(c.Healthy, yaml.MapItem{Key: component, Value: counts[component]})
	}
	for _, b := range r.LoadBalancers {
		c.LoadBalancers = append(c.LoadBalancers, loadBalancer{Name: b.Name, State: b.State, TargetGroups: b.TargetGroups})
	}
	for _, cert := range r.Certificates {
		item := yaml.MapSlice{{Key: "domain", Value: cert.Domain}, {Key: "status", Value: cert.Status}}
		if cert.DaysLeft != nil {
			item = append(item, yaml.MapItem{Key: "days_left", Value: *cert.DaysLeft})
		}
		c.Certificates = append(c.Certificates, item)
	}
	return c
}

func compactYAML(w io.Writer, r checks.Report) error { return YAML(w, compacted(r)) }

// yamlAndSummary is the YAML and then the summary as a comment of it, so that the whole still parses.
func yamlAndSummary(w io.Writer, r checks.Report, style Style) error {
	if err := compactYAML(w, r); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := summary(&b, r, Style{Width: style.Width}); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight("# "+line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// summary is the key figures: one line a component, then certificates and load balancers.
func summary(w io.Writer, r checks.Report, style Style) error {
	s := r.Summary
	lines := []string{
		fmt.Sprintf("%s (%s) is %s: %d healthy, %d warnings, %d errors, %d unknown, %d in all", r.Environment, r.Region,
			style.word(s.Status), s.Healthy, s.Warning, s.Error, s.Unknown, s.Total),
		"",
	}
	for _, group := range grouped(r.Services) {
		lines = append(lines, fmt.Sprintf("%-18s %s", group.component, group.line(style)))
	}
	lines = append(lines, "", "Certificate")
	for _, c := range r.Certificates {
		line := fmt.Sprintf("  %s: %s", c.Domain, c.Status)
		if c.DaysLeft != nil {
			line += fmt.Sprintf(", %d days left", *c.DaysLeft)
		}
		lines = append(lines, line)
	}
	lines = append(lines, "", "Load balancers")
	for _, b := range r.LoadBalancers {
		lines = append(lines, fmt.Sprintf("  %s: %s", b.Name, b.State))
		for _, g := range b.TargetGroups {
			lines = append(lines, fmt.Sprintf("    %s: %d/%d healthy", g.Name, g.Healthy, g.Total))
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// group is the findings of one component.
type group struct {
	component string
	findings  []checks.Finding
}

// grouped keeps the order of the findings, in which those of a component follow each other.
func grouped(findings []checks.Finding) []group {
	var groups []group
	for _, f := range findings {
		if n := len(groups); n == 0 || groups[n-1].component != f.Component {
			groups = append(groups, group{component: f.Component})
		}
		last := &groups[len(groups)-1]
		last.findings = append(last.findings, f)
	}
	return groups
}

// line says how many are healthy and names the worst that is not.
func (g group) line(style Style) string {
	s := checks.Aggregate(g.findings)
	if s.Status == checks.Healthy {
		if len(g.findings) == 1 {
			return style.word(s.Status) + ": " + g.findings[0].Message
		}
		return fmt.Sprintf("%s: %d", style.word(s.Status), s.Total)
	}
	for _, f := range g.findings {
		if f.Status == s.Status {
			return fmt.Sprintf("%s: %s: %s (%d of %d healthy)", style.word(s.Status), f.Reason, f.Message, s.Healthy, s.Total)
		}
	}
	return string(s.Status)
}

// verbose is everything, for a person: grouped, with signs.
func verbose(w io.Writer, r checks.Report, style Style) error {
	s := r.Summary
	var b strings.Builder
	fmt.Fprintf(&b, "Infrastructure status\nEnvironment: %s\nRegion: %s\nTimestamp: %s\n\n", r.Environment, r.Region, r.Timestamp.Format(time.RFC3339))
	fmt.Fprintf(&b, "Summary: %s\n  %s healthy: %d\n  %s warnings: %d\n  %s errors: %d\n  %s unknown: %d\n  total: %d\n",
		style.word(s.Status), emoji(checks.Healthy), s.Healthy, emoji(checks.Warning), s.Warning, emoji(checks.Error), s.Error,
		emoji(checks.Unknown), s.Unknown, s.Total)
	for _, g := range grouped(r.Services) {
		fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(g.component))
		for _, f := range g.findings {
			writeFinding(&b, f, style)
		}
	}
	if len(r.Debugging.StuckServices) > 0 {
		b.WriteString("\nStuck services\n")
	}
	for _, stuck := range r.Debugging.StuckServices {
		fmt.Fprintf(&b, "  %s: %s\n", stuck.Service, stuck.Issue)
		for _, issue := range stuck.Issues {
			fmt.Fprintf(&b, "    %s\n", issue)
		}
	}
	if len(r.LoadBalancers) > 0 {
		b.WriteString("\nLoad balancers\n")
	}
	for _, lb := range r.LoadBalancers {
		fmt.Fprintf(&b, "  %s: %s (%s)\n", lb.Name, lb.State, lb.DNSName)
		for _, l := range lb.Listeners {
			fmt.Fprintf(&b, "    %s %d: %s %s\n", l.Protocol, l.Port, l.Action, l.TLSPolicy)
		}
		for _, t := range lb.TargetGroups {
			fmt.Fprintf(&b, "    %s: %d/%d healthy\n", t.Name, t.Healthy, t.Total)
		}
	}
	for _, o := range r.Omitted {
		fmt.Fprintf(&b, "\n%s was left out: %s\n", o.Component, o.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFinding(b *strings.Builder, f checks.Finding, style Style) {
	fmt.Fprintf(b, "  %s %s: %s", emoji(f.Status), f.Service, f.Message)
	if f.Status != checks.Healthy {
		fmt.Fprintf(b, " (%s)", f.Reason)
	}
	b.WriteString("\n")
	for _, d := range sortedDetails(f.Details) {
		fmt.Fprintf(b, "       %s\n", d)
	}
	if f.Hint == nil {
		return
	}
	fmt.Fprintf(b, "     cause:    %s\n     solution: %s\n", f.Hint.Cause, f.Hint.Solution)
	if f.Hint.Command != "" {
		fmt.Fprintf(b, "     next:     %s\n", style.paint(f.Hint.Command, text.Bold))
	}
}

// Findings shows findings alone, without a report around them.
func Findings(w io.Writer, findings []checks.Finding, format string, style Style) error {
	if format == "json" {
		return JSON(w, findings)
	}
	var b strings.Builder
	for _, f := range findings {
		writeFinding(&b, f, style)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown is a table that GitHub shows well: what is not healthy first, then the counts.
func markdown(w io.Writer, r checks.Report, _ Style) error {
	var b strings.Builder
	s := r.Summary
	fmt.Fprintf(&b, "### %s %s is %s\n\n%d healthy, %d warnings, %d errors, %d unknown of %d, %s\n", emoji(s.Status), r.Environment,
		s.Status, s.Healthy, s.Warning, s.Error, s.Unknown, s.Total, r.Timestamp.Format(time.RFC3339))
	t := table.NewWriter()
	t.AppendHeader(table.Row{"", "service", "what", "what to do"})
	for _, f := range r.Services {
		if f.Status == checks.Healthy {
			continue
		}
		advice := ""
		if f.Hint != nil {
			advice = f.Hint.Solution
		}
		t.AppendRow(table.Row{emoji(f.Status), f.Service, f.Message, advice})
	}
	if t.Length() > 0 {
		b.WriteString("\n" + t.RenderMarkdown() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// emoji is the sign of a status that a report for people begins a line with.
func emoji(s checks.Status) string {
	switch s {
	case checks.Healthy:
		return "✅"
	case checks.Warning:
		return "⚠️"
	case checks.Error:
		return "❌"
	}
	return "❓"
}

// word is a status in its colour.
func (s Style) word(status checks.Status) string {
	colour := text.FgGreen
	switch status {
	case checks.Warning, checks.Unknown:
		colour = text.FgYellow
	case checks.Error:
		colour = text.FgRed
	}
	return s.paint(string(status), colour)
}
