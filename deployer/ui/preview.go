package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/risk"
	"github.com/balancer/v3-backend-infra/internal/list"
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
	PlanJSON
	Failure *Failure `json:"error,omitempty"`
}

// A PlanJSON is a plan as JSON.
type PlanJSON struct {
	// Highlights are the changes to review first, the greatest risk first: data and access that is lost, wider permissions, weaker
	// protection, and what else is deleted or replaced.
	Highlights []string     `json:"attention,omitempty"`
	Summary    string       `json:"summary"`
	Steps      []changeJSON `json:"steps"`
	Restarts   []string     `json:"restarts,omitempty"`
	Warnings   []string     `json:"warnings,omitempty"`
}

// JSON returns the plan of a preview as JSON.
func (p Preview) JSON() *PlanJSON {
	return &PlanJSON{
		Highlights: p.Highlights(), Summary: PlanSummary(p.Plan), Steps: changesJSON(planChanges(p.Plan)), Warnings: p.Plan.Warnings,
		Restarts: p.Plan.Restarts,
	}
}

// Previews shows what deployments would change. As JSON they are an array where several environments were selected.
func Previews(w io.Writer, all []Preview, multiple bool, format string, style Style) error {
	switch format {
	case "json":
		views := []previewJSON{}
		for _, p := range all {
			views = append(views, previewJSON{
				Environment: p.Environment, Stack: p.Stack, Image: p.Image, PlanJSON: *p.JSON(), Failure: p.Failure,
			})
		}
		return jsonByEnvironment(w, views, multiple)
	case "markdown":
		return previewsMarkdown(w, all)
	}
	d := document{style: style}
	d.highlights(ranked(all), multiple)
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

// PlanSummary counts a plan's changes, and names those that wait.
func PlanSummary(p engine.Plan) string {
	summary := countChanges(planChanges(p), "no changes", "%d to %s", "create", "update", "revise", "replace", "delete")
	if n := len(p.Restarts); n > 0 {
		restarts := text.Plural(n, "service", "") + " to restart"
		if summary = restarts + ", " + summary; p.Empty() {
			summary = restarts
		}
	}
	return withWaiting(summary, p)
}

// withWaiting adds the changes that wait to the summary of a plan.
func withWaiting(summary string, p engine.Plan) string {
	return strings.Join(append([]string{summary}, p.Waiting...), "; ")
}

// A highlight is a change to review before others, or several that differ only in their resources.
type highlight struct {
	// environments have the same change.
	environments []string
	level        risk.Level
	resourceType string
	names        []string
	reasons      string
}

// maxNames is how many resources of a highlight are named.
const maxNames = 3

// line returns the highlight without its environments.
func (h highlight) line() string {
	names := h.names
	more := ""
	if n := len(names) - maxNames; n > 0 {
		names, more = names[:maxNames], fmt.Sprintf(" and %d more", n)
	}
	return label(h.resourceType, strings.Join(names, ", ")) + more + ": " + h.reasons
}

// Highlights returns a line for each change to review first, the greatest risk first.
func (p Preview) Highlights() []string { return list.Map(p.highlights(), highlight.line) }

// highlights returns the changes to review first, each with the reasons. In a new stack there are none: everything is new.
func (p Preview) highlights() []highlight {
	if p.NewStack {
		return nil
	}
	var all []highlight
	for _, c := range planChanges(p.Plan) {
		if c.risk.Level > risk.Routine {
			all = append(all, highlight{[]string{p.Environment}, c.risk.Level, c.Type, []string{c.Name}, c.risk.String()})
		}
	}
	return all
}

// ranked returns the highlights of all previews, the greatest risk first, whatever the environment. What several environments or
// resources have in common is one.
func ranked(all []Preview) []highlight {
	var byResource, merged []highlight
	for _, p := range all {
		for _, h := range p.highlights() {
			byResource = merge(byResource, h, func(m highlight) bool { return slices.Equal(m.names, h.names) })
		}
	}
	for _, h := range byResource {
		merged = merge(merged, h, func(m highlight) bool { return slices.Equal(m.environments, h.environments) })
	}
	slices.SortStableFunc(merged, func(a, b highlight) int { return cmp.Compare(b.level, a.level) })
	return merged
}

// merge adds a highlight to the one that is the same but for its environments and names, if matches accepts it, else appends it.
func merge(all []highlight, h highlight, matches func(highlight) bool) []highlight {
	add := func(to []string, values []string) []string {
		return append(to, list.Filter(values, func(v string) bool { return !slices.Contains(to, v) })...)
	}
	for i, m := range all {
		if m.resourceType == h.resourceType && m.reasons == h.reasons && matches(m) {
			all[i].environments, all[i].names = add(m.environments, h.environments), add(m.names, h.names)
			return all
		}
	}
	return append(all, h)
}

// highlights adds the changes to review first, by level; with their environments where there are several.
func (d *document) highlights(all []highlight, multiple bool) {
	for i, h := range all {
		if i == 0 || h.level != all[i-1].level {
			d.add("", d.style.bold(h.level.Title()+":"))
		}
		line := h.line()
		if multiple {
			line = strings.Join(h.environments, ", ") + ": " + line
		}
		d.add("    ", "  "+line)
	}
	if len(all) > 0 {
		d.add("", "")
	}
}

// previewsMarkdown writes what to review first in all environments, in at most a third of the comment, and then each environment.
func previewsMarkdown(w io.Writer, all []Preview) error {
	var b strings.Builder
	highlights := ranked(all)
	for i, h := range highlights {
		if b.Len() == 0 {
			b.WriteString("> **Review these first**\n")
		}
		if i == 0 || h.level != highlights[i-1].level {
			fmt.Fprintf(&b, ">\n> %s:\n", h.level.Title())
		}
		line := fmt.Sprintf("> - %s: %s\n", escapeMarkdown(strings.Join(h.environments, ", ")), escapeMarkdown(h.line()))
		if b.Len()+len(line) > maxMarkdown/3 {
			fmt.Fprintf(&b, "> - … and %d more\n", len(highlights)-i)
			break
		}
		b.WriteString(line)
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return markdownByEnvironment(w, b.String(), all, previewMarkdown)
}

func previewMarkdown(b *strings.Builder, p Preview, limit int) {
	if p.Failure != nil {
		fmt.Fprintf(b, "### %s: not known\n\n> %s\n", escapeMarkdown(p.Environment), escapeMarkdown(text.Snip(p.Failure.Message, 2000)))
		return
	}
	fmt.Fprintf(b, "### %s: %s\n", escapeMarkdown(p.Environment), PlanSummary(p.Plan))
	if p.Plan.Empty() {
		return
	}
	const closing = "\n</details>\n"
	b.WriteString("\n<details><summary>Every change</summary>\n")
	markdownTable(b, []string{"", "resource", "property", "before", "after"},
		changeRows(planChanges(p.Plan)), limit-len(closing))
	b.WriteString(closing)
}
