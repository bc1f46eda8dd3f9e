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

// operationSign is how an operation is marked, in the manner of a diff.
func operationSign(step engine.Step) string {
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
		counts[operation(s)]++
	}
	var parts []string
	for _, w := range []string{"create", "update", "replace", "delete"} {
		if counts[w] > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", counts[w], w))
		}
	}
	return strings.Join(parts, ", ")
}

// operation is what happens to the resource, in one word.
func operation(s engine.Step) string {
	switch operationSign(s) {
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
func Plan(w io.Writer, p engine.Plan, style Style) error {
	for _, s := range sortBySeverity(p.Steps) {
		if _, err := fmt.Fprintln(w, strings.Join(stepLines(s, style), "\n")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, PlanSummary(p))
	return err
}

// sortBySeverity sorts steps: what is lost comes first.
func sortBySeverity(steps []engine.Step) []engine.Step {
	sorted := slices.Clone(steps)
	slices.SortStableFunc(sorted, func(a, b engine.Step) int { return severity(b) - severity(a) })
	return sorted
}

// stepLine names the resource and what happens to it.
func stepLine(s engine.Step, style Style) string {
	line := fmt.Sprintf("%s %-36s %s", operationSign(s), engine.ShortType(s.Type), s.Name)
	if s.Replaces || s.Deletes {
		line = style.colorize(line, text.FgRed)
	}
	return line
}

// stepLines are a step with its properties.
func stepLines(s engine.Step, style Style) []string {
	lines := []string{stepLine(s, style)}
	for _, d := range s.Differences {
		lines = append(lines, "    "+formatDifference(d, style.Width))
	}
	return lines
}

// severity ranks the steps by what they may cost.
func severity(s engine.Step) int {
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

// formatDifference is a property before and after. Where the terminal is too narrow for both, each gets a line of its own.
func formatDifference(d engine.Difference, width int) string {
	mark, limit := "", 60
	if d.Replaces {
		mark = "  (replaces)"
	}
	form := "%s: %s → %s%s"
	if width > 0 {
		limit = (width - len(d.Path) - len("    :  -> ") - len(mark)) / 2
	}
	if limit < 12 {
		form, limit = "%s:\n        %s\n      → %s%s", max(12, width-len("      → ")-len(mark))
	}
	old, now := snipCommonPrefix(formatValue(d.Old), formatValue(d.New), limit)
	return fmt.Sprintf(form, d.Path, old, now, mark)
}

// formatValue is a property's value on one line.
func formatValue(value any) string {
	switch v := value.(type) {
	case nil:
		return "(none)"
	case string:
		return strings.ReplaceAll(v, "\n", `\n`)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(encoded)
}

// snipCommonPrefix shortens two texts so that where they part can still be seen.
func snipCommonPrefix(a, b string, limit int) (string, string) {
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
	ID          string           `json:"id,omitempty"`
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
		step := stepJSON{Operation: operation(s), URN: s.URN, Type: s.Type, Name: s.Name, ID: s.ID}
		for _, d := range s.Differences {
			step.Differences = append(step.Differences, differenceJSON{Path: d.Path, Old: d.Old, New: d.New, Replaces: d.Replaces})
		}
		list = append(list, step)
	}
	return list
}

// maxMarkdown is how long a comment or an issue may get, in bytes; GitHub takes 65,536 characters.
const maxMarkdown = 60_000

// boundedTable writes a table with as many of the rows as fit into what may be written in all, and says how many do not.
func boundedTable(b *strings.Builder, header, rows []string, limit int) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
	for i, row := range rows {
		if b.Len()+len(row) > limit {
			fmt.Fprintf(b, "\n… and %d more.\n", len(rows)-i)
			return
		}
		b.WriteString(row)
	}
}

// markdownCode is text as code in markdown, in a table too.
func markdownCode(s string) string {
	return "`" + strings.NewReplacer("|", `\|`, "`", "'", "\n", " ").Replace(s) + "`"
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
