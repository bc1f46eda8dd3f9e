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
	return show(w, deployments, format, Style{}, func(out *document) {
		t := newTable("deployment", "kind", "image", "outcome", "time")
		for _, d := range deployments {
			duration := ""
			if !d.Ended.IsZero() {
				duration = formatDuration(d.Ended.Sub(d.Started))
			}
			t.AppendRow(table.Row{d.ID, kindText(d), text.Snip(cmp.Or(d.Image.Tag, d.Image.Digest), tagWidth), outcomeText(d), duration})
		}
		out.table(t)
	})
}

// kindText returns the kind of a deployment; a restart is a deployment of code with the image that ran.
func kindText(d history.Deployment) string {
	if d.Restarted {
		return "restart"
	}
	return string(d.Kind)
}

// outcomeText returns how a deployment ended, with the phase that it ended in unless it succeeded, and that its image was not verified.
func outcomeText(d history.Deployment) string {
	if d.Unverified != "" {
		d.Unverified = ""
		return outcomeText(d) + ", unverified"
	}
	switch {
	case d.RolledBackTo != nil:
		return "rolled back"
	case d.Complete() || len(d.Phases) == 0:
		return string(d.Outcome)
	}
	return string(d.Outcome) + ": " + d.Phases[len(d.Phases)-1].Name
}

// Deployment shows one deployment in full.
func Deployment(w io.Writer, d history.Deployment, format string) error {
	return show(w, d, format, Style{}, func(out *document) { out.deployment(d) })
}

func (d *document) deployment(shown history.Deployment) {
	t := newTable("deployment", shown.ID)
	row := func(name, value string) {
		if value != "" {
			t.AppendRow(table.Row{name, value})
		}
	}
	row("environment", shown.Environment)
	row("kind", kindText(shown))
	row("service", string(shown.RestartedOnly))
	row("by", shown.By)
	row("started", formatTime(shown.Started))
	row("ended", formatTime(shown.Ended))
	row("outcome", outcomeText(shown))
	row("image", shown.Image.Tag)
	row("digest", shown.Image.Digest)
	row("unverified", shown.Unverified)
	row("snapshot", shown.Snapshot)
	if shown.Migration != nil {
		row("migration", fmt.Sprintf("task %s, exit code %d", shown.Migration.Task, shown.Migration.ExitCode))
	}
	if shown.RolledBackTo != nil {
		row("rolled back to", fmt.Sprintf("%s (%s)", shown.RolledBackTo.Tag, shown.RolledBackTo.Digest))
	}
	for _, service := range slices.Sorted(maps.Keys(shown.TaskDefinitions)) {
		row("task definition", awsx.NameFromARN(shown.TaskDefinitions[service]))
	}
	d.table(t)
	d.add("", "")
	for _, p := range shown.Phases {
		d.addf("", "%-10s %-11s %7s  %s", p.Name, p.Outcome, formatSeconds(p.Seconds), text.FirstLine(p.Message))
	}
	for _, warning := range shown.Warnings {
		d.add("", "warning: "+text.FirstLine(warning))
	}
	if shown.Error != "" {
		d.add("", "\n"+shown.Error)
	}
	if shown.Hint != "" {
		d.add("", "hint: "+shown.Hint)
	}
}
