package ui

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// Preview is what a deployment to an environment would change.
type Preview struct {
	Environment, Stack string
	// Image is the one that would run.
	Image string
	Plan  engine.Plan
	// NewStack says that the stack has no resources yet.
	NewStack bool
	// Failure says why the plan is not known; nil where it is.
	Failure *Failure
}

// Previews shows what deployments would change. listed says that several environments were asked for: as JSON they are an
// array.
func Previews(w io.Writer, all []Preview, multiple bool, format string, style Style) error {
	switch format {
	case "json":
		list := []previewJSON{}
		for _, p := range all {
			list = append(list, previewJSON{
				Environment: p.Environment, Stack: p.Stack, Image: p.Image, Highlights: highlights(p.Plan, p.NewStack),
				planJSON: planJSON{Summary: PlanSummary(p.Plan), Steps: stepsJSON(sortBySeverity(p.Plan.Steps)), Warnings: p.Plan.Warnings},
				Failure:  p.Failure,
			})
		}
		if !multiple && len(list) == 1 {
			return JSON(w, list[0])
		}
		return JSON(w, list)
	case "markdown":
		return previewsMarkdown(w, all)
	}
	var err error
	for _, p := range all {
		err = errors.Join(err, previewText(w, p, multiple, style))
	}
	return err
}

type previewJSON struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Image       string `json:"image,omitempty"`
	// Highlights are the reasons to look twice: what is deleted or replaced, and permissions that may allow more.
	Highlights []string `json:"attention,omitempty"`
	planJSON
	Failure *Failure `json:"error,omitempty"`
}

func previewText(w io.Writer, p Preview, multiple bool, style Style) error {
	if multiple {
		if _, err := fmt.Fprintln(w, style.colorize(p.Environment, text.Bold)); err != nil {
			return err
		}
	}
	if p.Failure != nil {
		_, err := fmt.Fprintln(w, "not known: "+p.Failure.Message)
		return err
	}
	return Plan(w, p.Plan, style)
}

// previewsMarkdown is the comment of a pull request; what does not fit into one is counted.
func previewsMarkdown(w io.Writer, all []Preview) error {
	var b strings.Builder
	for i, p := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		previewMarkdown(&b, p, maxMarkdown*(i+1)/len(all))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// previewMarkdown writes one environment's part; limit is how long the text may be with it, in bytes.
func previewMarkdown(b *strings.Builder, p Preview, limit int) {
	if p.Failure != nil {
		fmt.Fprintf(b, "### %s: not known\n\n> %s\n", escapeMarkdown(p.Environment), text.Snip(escapeMarkdown(p.Failure.Message), 2000, "…"))
		return
	}
	fmt.Fprintf(b, "### %s: %s\n", escapeMarkdown(p.Environment), PlanSummary(p.Plan))
	highlighted := highlights(p.Plan, p.NewStack)
	if len(highlighted) > 0 {
		b.WriteString("\n> **Look at these first**\n>\n")
	}
	// Half of the room is the table's.
	until := b.Len() + (limit-b.Len())/2
	for i, line := range highlighted {
		if b.Len()+len(line) > until {
			fmt.Fprintf(b, "> - … and %d more\n", len(highlighted)-i)
			break
		}
		fmt.Fprintf(b, "> - %s\n", escapeMarkdown(line))
	}
	var rows []string
	for _, s := range sortBySeverity(p.Plan.Steps) {
		rows = append(rows, propertyRows(s, operation(s), func(d engine.Difference) string {
			if d.Replaces {
				return " (replaces)"
			}
			return ""
		})...)
	}
	if len(rows) == 0 {
		return
	}
	const closing = "\n</details>\n"
	b.WriteString("\n<details><summary>Every change</summary>\n")
	boundedTable(b, []string{"", "resource", "property", "before", "after"}, rows, limit-len(closing))
	b.WriteString(closing)
}
