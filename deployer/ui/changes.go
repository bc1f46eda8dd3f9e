package ui

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/risk"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A change is what happens to one resource in a plan, or has happened to it in the account. Plans, previews and drift show
// changes in the same forms: lines of text, rows of Markdown, and JSON.
type change struct {
	engine.Step
	// kind is create, update, revise, replace or delete in a plan, and changed or gone in the account.
	kind string
	// risk is why a change of a plan should be reviewed.
	risk risk.Risk
	// inAccount distinguishes drift of the account from a plan.
	inAccount bool
	// planned has the properties, by path, to which the program would give the same value as the account has.
	planned map[string]bool
}

// planChanges returns a plan's changes, those with the greatest risk first.
func planChanges(p engine.Plan) []change {
	changes := list.Map(p.Steps, func(s engine.Step) change {
		return change{Step: s, kind: operation(s), risk: risk.Of(s)}
	})
	// The engine's order differs from run to run.
	slices.SortStableFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(b.risk.Level, a.risk.Level), b.severity()-a.severity(), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return changes
}

// accountChanges returns drift of the account, the most severe first, and compares it with the program's plan. A refresh
// reports resources in no order.
func accountChanges(account, program engine.Plan) []change {
	key := func(s engine.Step, d engine.Difference) string { return s.URN + " " + d.Path }
	planned := map[string]string{}
	for _, s := range program.Steps {
		for _, d := range s.Differences {
			planned[key(s, d)] = formatValue(d.New)
		}
	}
	var changes []change
	for _, s := range account.Steps {
		c := change{Step: s, kind: "changed", inAccount: true, planned: map[string]bool{}}
		if s.Deletes {
			c.kind = "gone"
		}
		for _, d := range s.Differences {
			value, found := planned[key(s, d)]
			// Whether two secrets are equal is not known.
			c.planned[d.Path] = found && d.New != engine.Masked && value == formatValue(d.New)
		}
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.URN, b.URN)) })
	sortBySeverity(changes)
	return changes
}

func sortBySeverity(changes []change) {
	slices.SortStableFunc(changes, func(a, b change) int { return b.severity() - a.severity() })
}

func (c change) severity() int {
	switch {
	case c.Deletes && !c.Replaces:
		return 3
	case c.Replaces && !risk.Revises(c.Step):
		return 2
	case c.Replaces || c.Op == "update":
		return 1
	}
	return 0
}

// operation returns what a step does to its resource: create, update, revise, replace or delete. What is revised stays usable as it
// was, beside the new revision.
func operation(s engine.Step) string {
	switch {
	case risk.Revises(s):
		return "revise"
	case s.Replaces:
		return "replace"
	case s.Deletes:
		return "delete"
	case s.Op == "create" || s.Op == "import":
		return "create"
	}
	return "update"
}

// countChanges counts changes by kind, in the order of kinds, or returns none where there are no changes. The format has
// verbs for a count and its kind.
func countChanges(changes []change, none, format string, kinds ...string) string {
	if len(changes) == 0 {
		return none
	}
	counts := map[string]int{}
	for _, c := range changes {
		counts[c.kind]++
	}
	var parts []string
	for _, kind := range kinds {
		if counts[kind] > 0 && kind == "revise" {
			parts = append(parts, text.Plural(counts[kind], "new revision", ""))
		} else if counts[kind] > 0 {
			parts = append(parts, fmt.Sprintf(format, counts[kind], kind))
		}
	}
	return strings.Join(parts, ", ")
}

func label(resourceType, name string) string { return engine.ShortType(resourceType) + " " + name }

func resourceLine(sign, resourceType, name string) string {
	return fmt.Sprintf("%s %-36s %s", sign, engine.ShortType(resourceType), name)
}

// lines returns the change as text: its resource, marked as in a diff, then its properties.
func (c change) lines(style Style) []string {
	sign := map[string]string{"replace": "±", "delete": "-", "gone": "-", "create": "+"}[c.kind]
	line := resourceLine(cmp.Or(sign, "~"), c.Type, c.Name)
	if c.kind == "replace" || c.Deletes {
		line = style.red(line)
	}
	if c.kind == "revise" {
		line += "  (new revision)"
	}
	width := style.Width
	if style.ASCII && width > 0 {
		width -= 2 * len("..") // what marks a truncated value is wider
	}
	lines := []string{line}
	if c.inAccount {
		lines = append(lines, "    id: "+c.ID)
	}
	if c.inAccount && c.Deletes {
		return append(lines, "    is gone")
	}
	for _, d := range c.Differences {
		lines = append(lines, "    "+formatDifference(d, c.remark(d), width))
	}
	return lines
}

// remark returns what there is to know about a property beside its values.
func (c change) remark(d engine.Difference) string {
	var remarks []string
	if c.planned[d.Path] {
		remarks = append(remarks, "as in the program")
	}
	if d.Replaces && !c.inAccount && c.kind != "revise" {
		remarks = append(remarks, "replaces")
	}
	switch {
	case d.Old == engine.Masked && d.New == engine.Masked:
		remarks = append(remarks, "changes")
		if c.inAccount {
			remarks[len(remarks)-1] = "differs"
		}
	case d.Equal():
		remarks = append(remarks, "same value on both sides; the provider reports it for another reason")
	}
	if len(remarks) == 0 {
		return ""
	}
	return "(" + strings.Join(remarks, "; ") + ")"
}

// formatDifference returns a property before and after, or its one value where both are the same. Where the terminal is too
// narrow for both, each gets its own line.
func formatDifference(d engine.Difference, remark string, width int) string {
	if remark != "" {
		remark = "  " + remark
	}
	before, after := formatSides(d)
	if before == after {
		return fmt.Sprintf("%s: %s%s", d.Path, before, remark)
	}
	format, limit := "%s: %s → %s%s", 60
	if line := fmt.Sprintf(format, d.Path, before, after, remark); width > 0 && text.Width("    "+line) <= width {
		return line
	}
	if width > 0 {
		limit = (width - len(d.Path) - len("    :  -> ") - len(remark)) / 2
	}
	if limit < 12 {
		format, limit = "%s:\n        %s\n      → %s%s", max(12, width-len("      → ")-len(remark))
	}
	before, after = text.SnipCommonPrefix(before, after, limit)
	return fmt.Sprintf(format, d.Path, before, after, remark)
}

// formatSides returns both values of a property on one line each. They are the same only if the values are: values of two types
// that read the same are printed as JSON.
func formatSides(d engine.Difference) (before, after string) {
	before, after = formatValue(d.Old), formatValue(d.New)
	if before != after || reflect.DeepEqual(d.Old, d.New) {
		return before, after
	}
	return formatJSON(d.Old), formatJSON(d.New)
}

// formatValue returns a property's value on one line.
func formatValue(value any) string {
	switch v := value.(type) {
	case nil:
		return "(none)"
	case string:
		return text.PrintableLine(v)
	}
	return formatJSON(value)
}

func formatJSON(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return sanitize.Text(string(encoded))
}

// maxMarkdownValue is how many characters of a value Markdown shows.
const maxMarkdownValue = 120

// changeRows returns changes as rows of a Markdown table with five columns: one for each property, or one for a change
// without properties.
func changeRows(changes []change) []string {
	var rows []string
	for _, c := range changes {
		kind := cmp.Or(map[string]string{"revise": "new revision"}[c.kind], c.kind)
		resource := engine.ShortType(c.Type) + " **" + escapeMarkdown(c.Name) + "**"
		if c.ID != "" {
			resource += "<br>" + markdownCode(text.Snip(c.ID, maxMarkdownValue))
		}
		if len(c.Differences) == 0 {
			rows = append(rows, fmt.Sprintf("| %s | %s | | | |\n", kind, resource))
		}
		for _, d := range c.Differences {
			before, after := formatSides(d)
			if before == after {
				value := markdownCode(text.Snip(before, maxMarkdownValue))
				rows = append(rows, markdownRow(kind, resource, markdownCode(d.Path), value, c.remark(d)))
				continue
			}
			before, after = text.SnipCommonPrefix(before, after, maxMarkdownValue)
			cell := strings.TrimSpace(markdownCode(after) + " " + c.remark(d))
			rows = append(rows, markdownRow(kind, resource, markdownCode(d.Path), markdownCode(before), cell))
		}
	}
	return rows
}

// changeJSON has an operation in a plan, and a change (changed, gone or waiting) in the account.
type changeJSON struct {
	Operation   string           `json:"operation,omitempty"`
	Change      string           `json:"change,omitempty"`
	URN         string           `json:"urn"`
	Type        string           `json:"type"`
	Name        string           `json:"name"`
	ID          string           `json:"id,omitempty"`
	Differences []differenceJSON `json:"differences,omitempty"`
}

// engineOperation returns the operation as the engine and JSON have it: a revision is a replacement there.
func engineOperation(kind string) string {
	return cmp.Or(map[string]string{"revise": "replace"}[kind], kind)
}

// differenceJSON has the values before and after in a plan, and those of stack and account in drift. A value is missing
// where there is none.
type differenceJSON struct {
	Path     string `json:"path"`
	Old      any    `json:"old,omitempty"`
	New      any    `json:"new,omitempty"`
	Replaces bool   `json:"replaces,omitempty"`
	Stack    any    `json:"stack,omitempty"`
	Account  any    `json:"account,omitempty"`
	// AsProgram marks a property to which the program would give the value that the account has.
	AsProgram bool `json:"asProgram,omitempty"`
}

func changesJSON(changes []change) []changeJSON {
	all := []changeJSON{}
	for _, c := range changes {
		item := changeJSON{Operation: engineOperation(c.kind), URN: c.URN, Type: c.Type, Name: c.Name, ID: c.ID}
		if c.inAccount {
			item.Operation, item.Change = "", c.kind
		}
		for _, d := range c.Differences {
			difference := differenceJSON{Path: d.Path, Old: d.Old, New: d.New, Replaces: d.Replaces}
			if c.inAccount {
				difference = differenceJSON{Path: d.Path, Stack: d.Old, Account: d.New, AsProgram: c.planned[d.Path]}
			}
			item.Differences = append(item.Differences, difference)
		}
		all = append(all, item)
	}
	return all
}
