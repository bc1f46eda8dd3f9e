package ui

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// tagWidth keeps the list of deployments within 80 columns.
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
	t := newTable("deployment", "kind", "image", "outcome", "time")
	for _, d := range deployments {
		duration := ""
		if !d.Ended.IsZero() {
			duration = formatDuration(d.Ended.Sub(d.Started))
		}
		t.AppendRow(table.Row{d.ID, d.Kind, text.Snip(cmp.Or(d.Image.Tag, d.Image.Digest), tagWidth), outcomeText(d), duration})
	}
	return writeTable(w, t)
}

// outcomeText returns how a deployment ended, with the phase that it ended in unless it succeeded.
func outcomeText(d history.Deployment) string {
	switch {
	case d.RolledBackTo != nil:
		return "rolled back"
	case d.Outcome == history.Succeeded || len(d.Phases) == 0:
		return string(d.Outcome)
	}
	return string(d.Outcome) + ": " + d.Phases[len(d.Phases)-1].Name
}

// Deployment shows one deployment in full.
func Deployment(w io.Writer, d history.Deployment, format string) error {
	switch format {
	case "json":
		return JSON(w, d)
	case "yaml":
		return YAML(w, d)
	}
	t := newTable("deployment", d.ID)
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
		row("task definition", awsx.NameFromARN(d.TaskDefinitions[service]))
	}
	var out document
	out.table(t)
	out.add("", "")
	for _, p := range d.Phases {
		out.addf("", "%-10s %-11s %7s  %s", p.Name, p.Outcome, formatSeconds(p.Seconds), text.FirstLine(p.Message))
	}
	for _, warning := range d.Warnings {
		out.add("", "warning: "+text.FirstLine(warning))
	}
	if d.Error != "" {
		out.add("", "\n"+d.Error)
	}
	if d.Hint != "" {
		out.add("", "hint: "+d.Hint)
	}
	return out.writeTo(w)
}
