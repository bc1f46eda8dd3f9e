package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// sign is how an operation is marked, in the manner of a diff.
func sign(step engine.Step) string {
	switch {
	case step.Replaces:
		return "±"
	case step.Deletes:
		return "-"
	case step.Op == "create" || step.Op == "import":
		return "+"
	}
	return "~"
}

// PlanSummary counts a plan's steps.
func PlanSummary(p engine.Plan) string {
	if p.Empty() {
		return "no changes"
	}
	counts := map[string]int{}
	for _, s := range p.Steps {
		counts[word(s)]++
	}
	var parts []string
	for _, w := range []string{"create", "update", "replace", "delete"} {
		if counts[w] > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", counts[w], w))
		}
	}
	return strings.Join(parts, ", ")
}

// word is what happens to the resource, in one word.
func word(s engine.Step) string {
	switch sign(s) {
	case "±":
		return "replace"
	case "-":
		return "delete"
	case "+":
		return "create"
	}
	return "update"
}

// Plan shows what an update would do. What is lost comes first.
func Plan(w io.Writer, p engine.Plan, format string, style Style) error {
	steps := slices.Clone(p.Steps)
	slices.SortStableFunc(steps, func(a, b engine.Step) int { return weight(b) - weight(a) })
	switch format {
	case "json":
		return JSON(w, planJSON{Summary: PlanSummary(p), Steps: stepsJSON(steps), Warnings: p.Warnings})
	case "markdown":
		return planMarkdown(w, p, steps)
	}
	for _, s := range steps {
		line := fmt.Sprintf("%s %-36s %s", sign(s), ShortType(s.Type), s.Name)
		if s.Replaces || s.Deletes {
			line = style.paint(line, text.FgRed)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
		for _, d := range s.Differences {
			if _, err := fmt.Fprintln(w, "    "+difference(d, style.Width)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(w, PlanSummary(p))
	return err
}

// weight ranks the steps by what they may cost.
func weight(s engine.Step) int {
	switch {
	case s.Deletes && !s.Replaces:
		return 3
	case s.Replaces:
		return 2
	case s.Op == "update":
		return 1
	}
	return 0
}

func difference(d engine.Difference, width int) string {
	limit := 60
	if width > 0 {
		limit = max(12, (width-len(d.Path)-12)/2)
	}
	old, now := apart(fmt.Sprint(d.Old), fmt.Sprint(d.New), limit)
	out := d.Path + ": "
	switch {
	case d.Old == nil:
		out += now
	case d.New == nil:
		out += old + " → (removed)"
	default:
		out += old + " → " + now
	}
	if d.Replaces {
		out += "  (replaces)"
	}
	return out
}

// apart shortens two texts so that where they part can still be seen.
func apart(a, b string, limit int) (string, string) {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	if longest := max(len(a), len(b)); longest > limit && same > 12 {
		a, b = "…"+a[same-8:], "…"+b[same-8:]
	}
	return text.Snip(a, limit, "…"), text.Snip(b, limit, "…")
}

type planJSON struct {
	Summary  string     `json:"summary"`
	Steps    []stepJSON `json:"steps"`
	Warnings []string   `json:"warnings,omitempty"`
}

type stepJSON struct {
	Operation   string           `json:"operation"`
	URN         string           `json:"urn"`
	Type        string           `json:"type"`
	Name        string           `json:"name"`
	Differences []differenceJSON `json:"differences,omitempty"`
}

type differenceJSON struct {
	Path     string `json:"path"`
	Old      any    `json:"old,omitempty"`
	New      any    `json:"new,omitempty"`
	Replaces bool   `json:"replaces,omitempty"`
}

func stepsJSON(steps []engine.Step) []stepJSON {
	list := []stepJSON{}
	for _, s := range steps {
		step := stepJSON{Operation: word(s), URN: s.URN, Type: s.Type, Name: s.Name}
		for _, d := range s.Differences {
			step.Differences = append(step.Differences, differenceJSON{Path: d.Path, Old: d.Old, New: d.New, Replaces: d.Replaces})
		}
		list = append(list, step)
	}
	return list
}

// markdownSteps is how many steps a comment shows; GitHub takes 65536 characters.
const markdownSteps = 150

func planMarkdown(w io.Writer, p engine.Plan, steps []engine.Step) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Preview: %s\n", PlanSummary(p))
	if len(steps) > 0 {
		b.WriteString("\n| | type | name | changes |\n| --- | --- | --- | --- |\n")
	}
	for _, s := range steps[:min(len(steps), markdownSteps)] {
		var paths []string
		for _, d := range s.Differences {
			paths = append(paths, "`"+d.Path+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", word(s), ShortType(s.Type), s.Name, strings.Join(paths, ", "))
	}
	if left := len(steps) - markdownSteps; left > 0 {
		fmt.Fprintf(&b, "\n… and %d more.\n", left)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ShortType is the part of a type token that people read: aws:rds/instance:Instance is rds/instance.
func ShortType(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) == 3 && parts[0] == "aws" {
		return parts[1]
	}
	return token
}

// JSON writes a value for programs.
func JSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// YAML writes a value for people and language models.
func YAML(w io.Writer, value any) error {
	body, err := yaml.MarshalWithOptions(value, yaml.UseJSONMarshaler(), yaml.IndentSequence(false))
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	_, err = w.Write(body)
	return err
}
