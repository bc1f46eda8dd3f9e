package ui

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// tagWidth leaves the list of deployments within 80 columns.
const tagWidth = 16

// History lists deployments.
func History(w io.Writer, deployments []history.Deployment, format string) error {
	if deployments == nil {
		deployments = []history.Deployment{}
	}
	switch format {
	case "json":
		return JSON(w, deployments)
	case "yaml":
		return YAML(w, deployments)
	}
	t := Style{}.newTable("deployment", "kind", "image", "outcome", "time")
	for _, d := range deployments {
		t.AppendRow(table.Row{d.ID, d.Kind, truncate(imageName(d.Image), tagWidth), outcomeText(d), durationText(d)})
	}
	return renderTable(w, t)
}

// outcomeText is how a deployment ended, and in which phase where that was not the last.
func outcomeText(d history.Deployment) string {
	switch {
	case d.RolledBackTo != nil:
		return "rolled back"
	case d.Outcome == history.Succeeded || len(d.Phases) == 0:
		return string(d.Outcome)
	}
	return string(d.Outcome) + ": " + d.Phases[len(d.Phases)-1].Name
}

func durationText(d history.Deployment) string {
	if d.Ended.IsZero() {
		return ""
	}
	return formatDuration(d.Ended.Sub(d.Started))
}

func imageName(i history.Image) string { return cmp.Or(i.Tag, i.Digest) }

func truncate(text string, width int) string {
	if len(text) <= width {
		return text
	}
	return text[:width-1] + "…"
}

// Deployment shows one deployment in full.
func Deployment(w io.Writer, d history.Deployment, format string) error {
	switch format {
	case "json":
		return JSON(w, d)
	case "yaml":
		return YAML(w, d)
	}
	t := Style{}.newTable("deployment", d.ID)
	row := func(name, value string) {
		if value != "" {
			t.AppendRow(table.Row{name, value})
		}
	}
	row("environment", d.Environment)
	row("kind", string(d.Kind))
	row("by", d.By)
	row("started", formatTime(d.Started))
	row("ended", formatTime(d.Ended))
	row("outcome", outcomeText(d))
	row("image", d.Image.Tag)
	row("digest", d.Image.Digest)
	row("snapshot", d.Snapshot)
	if d.Migration != nil {
		row("migration", fmt.Sprintf("task %s, exit code %d", d.Migration.Task, d.Migration.ExitCode))
	}
	if d.RolledBackTo != nil {
		row("rolled back to", fmt.Sprintf("%s (%s)", d.RolledBackTo.Tag, d.RolledBackTo.Digest))
	}
	for _, service := range slices.Sorted(maps.Keys(d.TaskDefinitions)) {
		row("task definition", shortARN(d.TaskDefinitions[service]))
	}
	if err := renderTable(w, t); err != nil {
		return err
	}
	return printPhases(w, d)
}

// printPhases shows how a deployment went, and why it ended as it did.
func printPhases(w io.Writer, d history.Deployment) error {
	var b strings.Builder
	b.WriteString("\n")
	for _, p := range d.Phases {
		fmt.Fprintf(&b, "%-10s %-11s %7s  %s\n", p.Name, p.Outcome, formatDuration(time.Duration(p.Seconds*float64(time.Second))), firstLine(p.Message))
	}
	for _, warning := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", firstLine(warning))
	}
	if d.Error != "" {
		fmt.Fprintf(&b, "\n%s\n", d.Error)
	}
	if d.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", d.Hint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shortARN is what stands behind the last slash: family:revision.
func shortARN(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
