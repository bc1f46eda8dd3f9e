package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// writeMarkdown writes a comment or a job's summary for GitHub: what is not healthy as a table, the rest folded.
func writeMarkdown(w io.Writer, r EnvironmentReport, _ Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s is %s\n\n%s, in %s at %s\n", Emoji(r.Summary.Status), escapeMarkdown(r.Environment), r.Summary.Status,
		Counts(r.Summary), r.Region, r.Timestamp.Format(time.RFC3339))
	if r.Failure != nil {
		fmt.Fprintf(&b, "\n> It could not be checked: %s\n", escapeMarkdown(r.Failure.Message))
		if r.Failure.Hint != "" {
			fmt.Fprintf(&b, ">\n> %s\n", escapeMarkdown(r.Failure.Hint))
		}
	}
	var findings, balancers, certificates, healthy []string
	for _, f := range unhealthy(r.Services) {
		var cause, solution string
		if f.Hint != nil {
			cause, solution = escapeMarkdown(f.Hint.Cause), escapeMarkdown(f.Hint.Solution)
			if f.Hint.Command != "" {
				solution += "<br>" + markdownCode(f.Hint.Command)
			}
		}
		findings = append(findings, markdownRow(Emoji(f.Status), "**"+escapeMarkdown(f.Service)+"**", escapeMarkdown(f.Message), cause, solution))
	}
	markdownTable(&b, []string{"", "what", "finding", "likely cause", "what to do"}, findings, maxMarkdown)
	for _, lb := range r.LoadBalancers {
		targets := list.Map(lb.TargetGroups, func(g checks.TargetGroup) string {
			return fmt.Sprintf("%s: %d/%d healthy", escapeMarkdown(g.Name), g.Healthy, g.Total)
		})
		balancers = append(balancers, markdownRow(escapeMarkdown(lb.Name), escapeMarkdown(lb.State), strings.Join(targets, "<br>")))
	}
	markdownTable(&b, []string{"load balancer", "state", "targets"}, balancers, maxMarkdown)
	for _, c := range r.Certificates {
		left := ""
		if c.DaysLeft != nil {
			left = fmt.Sprint(*c.DaysLeft)
		}
		certificates = append(certificates, markdownRow(escapeMarkdown(c.Domain), escapeMarkdown(c.Status), left))
	}
	markdownTable(&b, []string{"certificate", "status", "days left"}, certificates, maxMarkdown)
	if r.Summary.Healthy > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%d healthy</summary>\n", r.Summary.Healthy)
		for _, g := range healthyGroups(r.Services) {
			healthy = append(healthy, markdownRow("`"+g.Component+"`", escapeMarkdown(messages(g.Findings))))
		}
		markdownTable(&b, []string{"component", "finding"}, healthy, maxMarkdown)
		b.WriteString("\n</details>\n")
	}
	for _, o := range r.Omitted {
		fmt.Fprintf(&b, "\n`%s` was left out: %s\n", o.Component, escapeMarkdown(o.Why))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// messages returns the messages of a component's healthy findings, up to a dozen.
func messages(findings []checks.Finding) string {
	const limit = 12
	all := list.Map(findings[:min(len(findings), limit)], func(f checks.Finding) string { return f.Message })
	if left := len(findings) - limit; left > 0 {
		all = append(all, fmt.Sprintf("… and %d more", left))
	}
	return strings.Join(all, "; ")
}
