package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// Drift is how an environment's account, stack and program differ. The stack is what the last deployment left: where the
// account is not like it, somebody changed the account; where the program is not, a change waits to be deployed.
type Drift struct {
	Environment, Stack, Region string
	// Deployed says that the stack has resources; otherwise there is nothing that could differ.
	Deployed bool
	// Image is the one that the stack says runs; "" before the first release.
	Image string
	// Account is what the account has and the stack does not say, Program what the program says and the stack has not.
	Account, Program engine.Plan
	// Pending are the operations of an earlier run of which the outcome is unknown.
	Pending []engine.Pending
	// InProgress says who changes the environment just now; "" where nobody does.
	InProgress string
	// Remedies say what to do, a sentence each.
	Remedies []string
	// Failure says why the rest is not known; nil where it is.
	Failure *Failure
}

// Clean reports whether all is known, and nothing differs.
func (d Drift) Clean() bool {
	return d.Failure == nil && d.Account.Empty() && d.Program.Empty() && len(d.Pending) == 0
}

// DriftFormats are the forms of a drift, the default first.
func DriftFormats() []string { return []string{"text", "json", "markdown"} }

// Drifts shows how environments differ. listed says that several were asked for: as JSON they are an array.
func Drifts(w io.Writer, all []Drift, multiple bool, format string, style Style) error {
	switch format {
	case "json":
		return driftsJSON(w, all, multiple)
	case "markdown":
		return driftsMarkdown(w, all)
	}
	for i, d := range all {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := driftText(w, d, style); err != nil {
			return err
		}
	}
	return nil
}

// DriftSummary is a drift in one line, without the environment's name.
func DriftSummary(d Drift) string {
	if !d.Deployed && d.Failure == nil {
		return "nothing is deployed, so nothing can have drifted"
	}
	var parts []string
	if n := len(d.Account.Steps); n > 0 {
		parts = append(parts, pluralOf(n, "resource is", "resources are")+" not as the stack says")
	}
	if n := len(d.Program.Steps); n > 0 {
		parts = append(parts, pluralOf(n, "change waits", "changes wait")+" to be deployed")
	}
	if n := len(d.Pending); n > 0 {
		parts = append(parts, "the outcome of "+pluralOf(n, "operation", "operations")+" is unknown")
	}
	switch {
	case d.Failure != nil:
		parts = append(parts, "not everything could be looked at")
	case len(parts) == 0:
		return "the account is as the stack says, and nothing waits to be deployed"
	}
	return strings.Join(parts, "; ")
}

// pluralOf is a number with the words that suit it.
func pluralOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// AccountSummary counts what differs in the account.
func AccountSummary(p engine.Plan) string {
	if p.Empty() {
		return "as the stack says"
	}
	gone := 0
	for _, s := range p.Steps {
		if s.Deletes {
			gone++
		}
	}
	var parts []string
	if n := len(p.Steps) - gone; n > 0 {
		parts = append(parts, fmt.Sprintf("%d changed", n))
	}
	if gone > 0 {
		parts = append(parts, fmt.Sprintf("%d gone", gone))
	}
	return strings.Join(parts, ", ")
}

func driftText(w io.Writer, d Drift, style Style) error {
	lines := []string{style.wrapLine(style.colorize(d.Environment, text.Bold)+": "+DriftSummary(d), "    ")}
	if d.InProgress != "" {
		lines = append(lines, style.wrapLine(style.colorize("warning:", text.FgYellow)+" "+d.InProgress, "    "))
	}
	if steps := d.Account.Steps; len(steps) > 0 {
		lines = append(lines, "", "In the account: "+AccountSummary(d.Account)+" (the stack says → the account has)")
		program := d.programChanges()
		for _, s := range sortAccountSteps(steps) {
			lines = append(lines, accountLines(s, program, style)...)
		}
	}
	if steps := d.Program.Steps; len(steps) > 0 {
		lines = append(lines, "", "In the program: "+PlanSummary(d.Program)+" (the stack says → the program says)")
		for _, s := range sortBySeverity(steps) {
			lines = append(lines, stepLines(s, style)...)
		}
	}
	if len(d.Pending) > 0 {
		lines = append(lines, "", "Of unknown outcome, from a run that was cut off:")
		for _, p := range d.Pending {
			lines = append(lines, fmt.Sprintf("? %-36s %s (%s)", engine.ShortType(p.Type), p.Name, p.Op))
		}
	}
	if f := d.Failure; f != nil {
		lines = append(lines, "", style.wrapLine("not known: "+f.Message, "    "))
	}
	if len(d.Remedies) > 0 {
		lines = append(lines, "")
		for _, r := range d.Remedies {
			lines = append(lines, style.wrapLine("what to do: "+r, "    "))
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// sortAccountSteps sorts what was found in the account, which comes in no order: what is gone, then by type and name.
func sortAccountSteps(steps []engine.Step) []engine.Step {
	sorted := slices.Clone(steps)
	slices.SortFunc(sorted, func(a, b engine.Step) int {
		return cmp.Or(severity(b)-severity(a), cmp.Compare(a.Type, b.Type), cmp.Compare(a.URN, b.URN))
	})
	return sorted
}

// accountLines are what differs in the account of one resource.
func accountLines(s engine.Step, program programChanges, style Style) []string {
	lines := []string{stepLine(s, style), "    id: " + s.ID}
	if s.Deletes {
		return append(lines, "    is gone")
	}
	for _, diff := range s.Differences {
		line := "    " + formatDifference(diff, style.Width)
		if program.include(s, diff) {
			line += "\n        as the program says"
		}
		lines = append(lines, line)
	}
	return lines
}

// programChanges are what the program gives each property that waits, by its place.
type programChanges map[string]string

func (d Drift) programChanges() programChanges {
	changes := programChanges{}
	for _, s := range d.Program.Steps {
		for _, diff := range s.Differences {
			changes[propertyKey(s, diff)] = formatValue(diff.New)
		}
	}
	return changes
}

// include reports whether somebody did by hand what the program waits to do. Of secrets nobody knows.
func (changes programChanges) include(s engine.Step, d engine.Difference) bool {
	now, pending := changes[propertyKey(s, d)]
	return pending && d.New != engine.Masked && now == formatValue(d.New)
}

// propertyKey is where a property is.
func propertyKey(s engine.Step, d engine.Difference) string { return s.URN + " " + d.Path }
