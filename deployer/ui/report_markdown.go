package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
)

// writeMarkdown is what GitHub shows well, as a comment or a job's summary: what is not healthy as a table, the rest folded away.
func writeMarkdown(w io.Writer, j EnvironmentReport, _ Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s is %s\n\n%s, in %s at %s\n", Emoji(j.Summary.Status), escapeMarkdown(j.Environment), j.Summary.Status,
		Counts(j.Summary), j.Region, j.Timestamp.Format(time.RFC3339))
	if j.Failure != nil {
		fmt.Fprintf(&b, "\n> It could not be judged: %s\n", escapeMarkdown(j.Failure.Message))
		if j.Failure.Hint != "" {
			fmt.Fprintf(&b, ">\n> %s\n", escapeMarkdown(j.Failure.Hint))
		}
	}
	if found := unhealthy(j.Services); len(found) > 0 {
		markdownTable(&b, []string{"", "what", "how it is", "likely cause", "what to do"}, found, findingCells)
	}
	markdownTable(&b, []string{"load balancer", "state", "targets"}, j.LoadBalancers, func(lb checks.LoadBalancer) []string {
		var targets []string
		for _, g := range lb.TargetGroups {
			targets = append(targets, fmt.Sprintf("%s: %d/%d healthy", escapeMarkdown(g.Name), g.Healthy, g.Total))
		}
		return []string{escapeMarkdown(lb.Name), escapeMarkdown(lb.State), strings.Join(targets, "<br>")}
	})
	markdownTable(&b, []string{"certificate", "status", "days left"}, j.Certificates, func(c checks.Certificate) []string {
		left := ""
		if c.DaysLeft != nil {
			left = fmt.Sprint(*c.DaysLeft)
		}
		return []string{escapeMarkdown(c.Domain), escapeMarkdown(c.Status), left}
	})
	if j.Summary.Healthy > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%d healthy</summary>\n", j.Summary.Healthy)
		markdownTable(&b, []string{"component", "how it is"}, healthyGroups(j.Services), func(g group) []string {
			return []string{"`" + g.component + "`", escapeMarkdown(strings.Join(messages(g.findings), "; "))}
		})
		b.WriteString("\n</details>\n")
	}
	for _, o := range j.Omitted {
		fmt.Fprintf(&b, "\n`%s` was left out: %s\n", o.Component, escapeMarkdown(o.Why))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func findingCells(f checks.Finding) []string {
	cells := []string{Emoji(f.Status), "**" + escapeMarkdown(f.Service) + "**", escapeMarkdown(f.Message), "", ""}
	if f.Hint != nil {
		cells[3], cells[4] = escapeMarkdown(f.Hint.Cause), escapeMarkdown(f.Hint.Solution)
		if f.Hint.Command != "" {
			cells[4] += "<br>" + markdownCode(f.Hint.Command)
		}
	}
	return cells
}

// maxMarkdownRows is how many rows a table shows; GitHub takes 65536 characters.
const maxMarkdownRows = 100

// markdownTable writes a table with a row for each item, and nothing where there is none.
func markdownTable[T any](b *strings.Builder, header []string, items []T, cells func(T) []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
	for _, item := range items[:min(len(items), maxMarkdownRows)] {
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells(item), " | "))
	}
	if left := len(items) - maxMarkdownRows; left > 0 {
		fmt.Fprintf(b, "\n… and %d more.\n", left)
	}
}

// maxMessages is how many findings of a healthy component are told one by one.
const maxMessages = 12

func messages(findings []checks.Finding) []string {
	var all []string
	for _, f := range findings[:min(len(findings), maxMessages)] {
		all = append(all, f.Message)
	}
	if left := len(findings) - maxMessages; left > 0 {
		all = append(all, fmt.Sprintf("… and %d more", left))
	}
	return all
}

// escapeMarkdown keeps text from being read as markdown or HTML, and on one line.
func escapeMarkdown(s string) string {
	return strings.NewReplacer("\n", "<br>", "|", `\|`, "<", "&lt;", "*", `\*`, "`", "\\`", "[", `\[`).Replace(s)
}
