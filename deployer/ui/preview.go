package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Preview is what a deployment to an environment would change.
type Preview struct {
	Environment, Stack string
	// Image is the one that would run.
	Image string
	Plan  engine.Plan
	// NewStack marks a stack without resources.
	NewStack bool
	// Failure is why the plan is not known; nil where it is.
	Failure *Failure
}

type previewJSON struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Image       string `json:"image,omitempty"`
	// Highlights are the changes to review first: what is deleted or replaced, and permissions that may become broader.
	Highlights []string     `json:"attention,omitempty"`
	Summary    string       `json:"summary"`
	Steps      []changeJSON `json:"steps"`
	Warnings   []string     `json:"warnings,omitempty"`
	Failure    *Failure     `json:"error,omitempty"`
}

// Previews shows what deployments would change. As JSON they are an array where several environments were selected.
func Previews(w io.Writer, all []Preview, multiple bool, format string, style Style) error {
	switch format {
	case "json":
		list := []previewJSON{}
		for _, p := range all {
			list = append(list, previewJSON{
				Environment: p.Environment, Stack: p.Stack, Image: p.Image, Highlights: p.highlights(), Summary: PlanSummary(p.Plan),
				Steps: changesJSON(planChanges(p.Plan)), Warnings: p.Plan.Warnings, Failure: p.Failure,
			})
		}
		return jsonByEnvironment(w, list, multiple)
	case "markdown":
		return markdownByEnvironment(w, all, previewMarkdown)
	}
	d := document{style: style}
	for _, p := range all {
		if multiple {
			d.add("", style.bold(p.Environment))
		}
		if p.Failure != nil {
			d.add("", "not known: "+p.Failure.Message)
			continue
		}
		d.plan(p.Plan)
	}
	return d.writeTo(w)
}

// Plan shows what an update would do.
func Plan(w io.Writer, p engine.Plan, style Style) error {
	d := document{style: style}
	d.plan(p)
	return d.writeTo(w)
}

func (d *document) plan(p engine.Plan) {
	d.changes(planChanges(p))
	d.add("", PlanSummary(p))
}

// PlanSummary counts a plan's changes.
func PlanSummary(p engine.Plan) string {
	return countChanges(planChanges(p), "no changes", "%d to %s", "create", "update", "replace", "delete")
}

func previewMarkdown(b *strings.Builder, p Preview, limit int) {
	if p.Failure != nil {
		fmt.Fprintf(b, "### %s: not known\n\n> %s\n", escapeMarkdown(p.Environment), text.Snip(escapeMarkdown(p.Failure.Message), 2000))
		return
	}
	fmt.Fprintf(b, "### %s: %s\n", escapeMarkdown(p.Environment), PlanSummary(p.Plan))
	highlights := p.highlights()
	if len(highlights) > 0 {
		b.WriteString("\n> **Review these first**\n>\n")
	}
	// Half of the room is left to the table.
	until := b.Len() + (limit-b.Len())/2
	for i, line := range highlights {
		if b.Len()+len(line) > until {
			fmt.Fprintf(b, "> - … and %d more\n", len(highlights)-i)
			break
		}
		fmt.Fprintf(b, "> - %s\n", escapeMarkdown(line))
	}
	if p.Plan.Empty() {
		return
	}
	const closing = "\n</details>\n"
	b.WriteString("\n<details><summary>Every change</summary>\n")
	markdownTable(b, []string{"", "resource", "property", "before", "after"}, changeRows(planChanges(p.Plan)), limit-len(closing))
	b.WriteString(closing)
}
