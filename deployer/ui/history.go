package ui

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// nameWidth is how many columns the name of an image or a snapshot keeps in a list that has to fit the terminal.
const nameWidth = 16

// History lists deployments.
func History(w io.Writer, deployments []history.Deployment, format string, style Style) error {
	if deployments == nil {
		deployments = []history.Deployment{}
	}
	return show(w, deployments, format, style, func(out *document) {
		t := newTable("deployment", "started", "by", "kind", "image or snapshot", "outcome", "took")
		t.setColumns(append(slices.Concat(below(2, 3), wrapped(6), alignRight(7)), column{number: 5, fit: snipMiddles, min: nameWidth}))
		for _, d := range deployments {
			duration := ""
			if !d.Ended.IsZero() {
				duration = formatDuration(d.Ended.Sub(d.Started))
			}
			t.addRow([]any{d.ID, formatMinute(d.Started), d.By, kindText(d), deployedName(d), outcomeText(d), duration})
		}
		out.table(t)
	})
}

// deployedName returns what a deployment is about: its image, or the snapshot of a restore or a destroy.
func deployedName(d history.Deployment) string {
	if d.Restore != nil && d.Restore.Revert {
		return "previous database"
	}
	if d.Kind == history.Restore || d.Kind == history.Destroy {
		return d.Snapshot
	}
	if !d.DeploysImage() {
		return ""
	}
	return cmp.Or(d.Image.Tag, d.Image.Digest)
}

// kindText returns the kind of a deployment; a restart is a deployment of code with the image that ran.
func kindText(d history.Deployment) string {
	switch {
	case d.Restarted:
		return "restart"
	case d.Kind == history.Components:
		return "components"
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
		return strings.TrimPrefix(failedPhase(d)+", "+unbroken("rolled back"), ", ")
	case d.Rollback != "":
		return strings.TrimPrefix(failedPhase(d)+", rollback "+string(d.Rollback), ", ")
	case d.Complete() || len(d.Phases) == 0:
		return string(d.Outcome)
	}
	return string(d.Outcome) + ": " + d.Phases[len(d.Phases)-1].Name
}

// failedPhase returns the phase that a rollback followed, "" where the record has none.
func failedPhase(d history.Deployment) string {
	for _, p := range d.Phases {
		if p.Outcome == history.Failed || p.Outcome == history.Interrupted {
			return unbroken(string(p.Outcome) + ": " + p.Name)
		}
	}
	return ""
}

// Deployment shows one deployment in full.
func Deployment(w io.Writer, d history.Deployment, format string, style Style) error {
	return show(w, d, format, style, func(out *document) { out.deployment(d) })
}

func (d *document) deployment(shown history.Deployment) {
	t := newTable("deployment", shown.ID)
	t.setColumns(wrapped(2))
	row := func(name, value string) {
		if value != "" {
			t.addRow([]any{name, value})
		}
	}
	row("environment", shown.Environment)
	row("kind", kindText(shown))
	row("service", string(shown.RestartedOnly))
	row("by", shown.By)
	row("started", formatTime(shown.Started))
	row("ended", formatTime(shown.Ended))
	row("outcome", outcomeText(shown))
	row("components", strings.Join(shown.Components, ", "))
	if shown.DeploysImage() {
		row("image", shown.Image.Tag)
		row("digest", shown.Image.Digest)
	}
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
		d.addf("    ", "%-10s %-11s %7s  %s", p.Name, p.Outcome, formatSeconds(p.Seconds), text.FirstLine(p.Message))
	}
	for _, warning := range shown.Warnings {
		d.addWhole("warning: " + text.FirstLine(warning))
	}
	if shown.Error != "" {
		d.addWhole("\n" + shown.Error)
	}
	if shown.Hint != "" {
		d.addWhole("hint: " + shown.Hint)
	}
}
