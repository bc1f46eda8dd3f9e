package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

type driftJSON struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Region      string `json:"region,omitempty"`
	// Status is clean, drifted (the account was changed), waiting (only changes wait) or unknown.
	Status     string            `json:"status"`
	Summary    string            `json:"summary"`
	Image      string            `json:"image,omitempty"`
	Account    []accountStepJSON `json:"account"`
	Program    []stepJSON        `json:"program"`
	Pending    []pendingJSON     `json:"pending,omitempty"`
	InProgress string            `json:"underWay,omitempty"`
	Remedies   []string          `json:"remedies,omitempty"`
	Failure    *Failure          `json:"error,omitempty"`
}

type accountStepJSON struct {
	// Change is changed or gone.
	Change      string                  `json:"change"`
	URN         string                  `json:"urn"`
	Type        string                  `json:"type"`
	Name        string                  `json:"name"`
	ID          string                  `json:"id"`
	Differences []accountDifferenceJSON `json:"differences,omitempty"`
}

type accountDifferenceJSON struct {
	Path string `json:"path"`
	// Stack and Account are the values there; without one where it has none.
	Stack   any `json:"stack,omitempty"`
	Account any `json:"account,omitempty"`
	// AsProgram says that the account has what the program says and the stack does not yet.
	AsProgram bool `json:"asProgram,omitempty"`
}

type pendingJSON struct {
	Operation string `json:"operation"`
	URN       string `json:"urn"`
	Type      string `json:"type"`
	Name      string `json:"name"`
}

func driftsJSON(w io.Writer, all []Drift, multiple bool) error {
	list := []driftJSON{}
	for _, d := range all {
		list = append(list, newDriftJSON(d))
	}
	if !multiple && len(list) == 1 {
		return JSON(w, list[0])
	}
	return JSON(w, list)
}

func newDriftJSON(d Drift) driftJSON {
	out := driftJSON{
		Environment: d.Environment, Stack: d.Stack, Region: d.Region, Status: driftStatus(d), Summary: DriftSummary(d), Image: d.Image,
		Account: []accountStepJSON{}, Program: stepsJSON(sortBySeverity(d.Program.Steps)),
		InProgress: d.InProgress, Remedies: d.Remedies, Failure: d.Failure,
	}
	program := d.programChanges()
	for _, s := range sortAccountSteps(d.Account.Steps) {
		step := accountStepJSON{Change: accountChange(s), URN: s.URN, Type: s.Type, Name: s.Name, ID: s.ID}
		for _, diff := range s.Differences {
			step.Differences = append(step.Differences, accountDifferenceJSON{
				Path: diff.Path, Stack: diff.Old, Account: diff.New, AsProgram: program.include(s, diff),
			})
		}
		out.Account = append(out.Account, step)
	}
	for _, p := range d.Pending {
		out.Pending = append(out.Pending, pendingJSON{Operation: p.Op, URN: p.URN, Type: p.Type, Name: p.Name})
	}
	return out
}

// driftStatus is a drift in one word.
func driftStatus(d Drift) string {
	switch {
	case d.Failure != nil:
		return "unknown"
	case !d.Account.Empty(), len(d.Pending) > 0:
		return "drifted"
	case !d.Program.Empty():
		return "waiting"
	}
	return "clean"
}

// accountChange is what happened to a resource in the account.
func accountChange(s engine.Step) string {
	if s.Deletes {
		return "gone"
	}
	return "changed"
}

// driftsMarkdown is what GitHub shows well, as the body of an issue; what does not fit into one is counted.
func driftsMarkdown(w io.Writer, all []Drift) error {
	var b strings.Builder
	for i, d := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		driftMarkdown(&b, d, maxMarkdown*(i+1)/len(all))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// driftMarkdown writes one environment's part; limit is how long the text may be with it, in bytes.
func driftMarkdown(b *strings.Builder, d Drift, limit int) {
	fmt.Fprintf(b, "### %s: %s\n", escapeMarkdown(d.Environment), escapeMarkdown(DriftSummary(d)))
	if d.InProgress != "" {
		fmt.Fprintf(b, "\n> **Warning:** %s\n", escapeMarkdown(d.InProgress))
	}
	if f := d.Failure; f != nil {
		fmt.Fprintf(b, "\n> Not known: %s\n", text.Snip(escapeMarkdown(f.Message), 2000, "…"))
	}
	for _, p := range d.Pending {
		fmt.Fprintf(b, "\n- of unknown outcome, from a run that was cut off: %s %s (%s)\n", engine.ShortType(p.Type), markdownCode(p.Name), p.Op)
	}
	for _, r := range d.Remedies {
		fmt.Fprintf(b, "\n- %s", r)
	}
	if len(d.Remedies) > 0 {
		b.WriteString("\n")
	}
	programChanges := d.programChanges()
	var account, program []string
	for _, s := range sortAccountSteps(d.Account.Steps) {
		account = append(account, propertyRows(s, accountChange(s), func(diff engine.Difference) string {
			if programChanges.include(s, diff) {
				return " (as the program says)"
			}
			return ""
		})...)
	}
	for _, s := range sortBySeverity(d.Program.Steps) {
		program = append(program, propertyRows(s, operation(s), func(engine.Difference) string { return "" })...)
	}
	// A third of the room is the program's, and what the account leaves of its own.
	room := (limit - b.Len()) * 2 / 3
	boundedTable(b, []string{"in the account", "resource", "property", "the stack says", "the account has"}, account, b.Len()+room)
	boundedTable(b, []string{"in the program", "resource", "property", "the stack says", "the program says"}, program, limit)
}

// propertyRows are a step's rows: one for each property, or one where it has none.
func propertyRows(s engine.Step, change string, remark func(engine.Difference) string) []string {
	resource := engine.ShortType(s.Type) + " **" + escapeMarkdown(s.Name) + "**"
	if s.ID != "" {
		resource += "<br>" + markdownCode(text.Snip(s.ID, maxMarkdownValue, "…"))
	}
	if len(s.Differences) == 0 {
		return []string{fmt.Sprintf("| %s | %s | | | |\n", change, resource)}
	}
	var rows []string
	for _, d := range s.Differences {
		old, now := snipCommonPrefix(formatValue(d.Old), formatValue(d.New), maxMarkdownValue)
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s%s |\n", change, resource, markdownCode(d.Path), markdownCode(old), markdownCode(now), remark(d)))
	}
	return rows
}

// maxMarkdownValue is how much of a value is shown, in characters.
const maxMarkdownValue = 120
