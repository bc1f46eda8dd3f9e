package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Drift is how an environment's account, stack and program differ. The stack is what the last deployment recorded. Where
// the account differs from it, the account was changed outside the deployer; where the program does, a change is pending.
type Drift struct {
	Environment, Stack, Region string
	// Deployed reports whether the stack has resources; otherwise nothing can differ.
	Deployed bool
	// Image is the one that the stack records as running; "" before the first release.
	Image string
	// Account has the differences between stack and account, Program those between stack and program.
	Account, Program engine.Plan
	// Pending are operations of an earlier run whose outcome is unknown.
	Pending []engine.Pending
	// InProgress describes the run that is changing the environment; "" where there is none.
	InProgress string
	// Remedies are what to do, a sentence each.
	Remedies []string
	// Failure is why the comparison is incomplete; nil where it is complete.
	Failure *Failure
}

// Clean reports whether the comparison is complete and nothing differs.
func (d Drift) Clean() bool {
	return d.Failure == nil && d.Account.Empty() && d.Program.Empty() && len(d.Pending) == 0
}

// DriftFormats returns the formats of Drifts, the default first.
func DriftFormats() []string { return []string{"text", "json", "markdown"} }

// Drifts shows how environments differ. As JSON they are an array where several were selected.
func Drifts(w io.Writer, all []Drift, multiple bool, format string, style Style) error {
	switch format {
	case "json":
		views := []driftJSON{}
		for _, d := range all {
			views = append(views, newDriftJSON(d))
		}
		return jsonByEnvironment(w, views, multiple)
	case "markdown":
		return markdownByEnvironment(w, "", all, driftMarkdown)
	}
	out := document{style: style}
	for i, d := range all {
		if i > 0 {
			out.add("", "")
		}
		out.drift(d)
	}
	return out.writeTo(w)
}

// DriftSummary returns a drift in one line, without the environment's name.
func DriftSummary(d Drift) string {
	if !d.Deployed && d.Failure == nil {
		return "nothing is deployed, so nothing can have drifted"
	}
	var parts []string
	if n := len(d.Account.Steps); n > 0 {
		parts = append(parts, text.Plural(n, "resource has", "resources have")+" drifted")
	}
	if n := len(d.Program.Steps); n > 0 {
		parts = append(parts, text.Plural(n, "change is", "changes are")+" pending")
	}
	if n := len(d.Pending); n > 0 {
		parts = append(parts, "the outcome of "+text.Plural(n, "operation", "")+" is unknown")
	}
	switch {
	case d.Failure != nil:
		parts = append(parts, "the comparison is incomplete")
	case len(parts) == 0:
		parts = append(parts, "no drift, no pending changes")
	}
	return withWaiting(strings.Join(parts, "; "), d.Account)
}

// AccountSummary counts the resources of the account that have drifted, and names the changes that wait.
func AccountSummary(p engine.Plan) string {
	return withWaiting(countChanges(accountChanges(p, engine.Plan{}), "no drift", "%d %s", "changed", "gone"), p)
}

func (d *document) drift(drift Drift) {
	const indent = "    "
	d.add(indent, d.style.bold(drift.Environment)+": "+DriftSummary(drift))
	if drift.InProgress != "" {
		d.add(indent, d.style.yellow("warning:")+" "+drift.InProgress)
	}
	if !drift.Account.Empty() {
		d.add("", "\nIn the account: "+AccountSummary(drift.Account)+" (stack → account)")
		d.changes(accountChanges(drift.Account, drift.Program))
	}
	if !drift.Program.Empty() {
		d.add("", "\nIn the program: "+PlanSummary(drift.Program)+" (stack → program)")
		d.changes(planChanges(drift.Program))
	}
	if len(drift.Pending) > 0 {
		d.add("", "\nWith an unknown outcome, from a run that was interrupted:")
	}
	for _, p := range drift.Pending {
		d.add("", resourceLine("?", p.Type, p.Name)+" ("+p.Op+")")
	}
	if f := drift.Failure; f != nil {
		d.add(indent, "\nnot known: "+f.Message)
	}
	for i, r := range drift.Remedies {
		if i == 0 {
			d.add("", "")
		}
		d.add(indent, "hint: "+r)
	}
}

type driftJSON struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Region      string `json:"region,omitempty"`
	// Status is clean, drifted (the account has), waiting (only the program differs) or unknown.
	Status     string       `json:"status"`
	Summary    string       `json:"summary"`
	Image      string       `json:"image,omitempty"`
	Account    []changeJSON `json:"account"`
	Program    []changeJSON `json:"program"`
	Pending    []changeJSON `json:"pending,omitempty"`
	InProgress string       `json:"underWay,omitempty"`
	Remedies   []string     `json:"remedies,omitempty"`
	Failure    *Failure     `json:"error,omitempty"`
}

func newDriftJSON(d Drift) driftJSON {
	out := driftJSON{
		Environment: d.Environment, Stack: d.Stack, Region: d.Region, Status: driftStatus(d), Summary: DriftSummary(d), Image: d.Image,
		Account: changesJSON(accountChanges(d.Account, d.Program)), Program: changesJSON(planChanges(d.Program)),
		InProgress: d.InProgress, Remedies: d.Remedies, Failure: d.Failure,
	}
	for _, p := range d.Pending {
		out.Pending = append(out.Pending, changeJSON{Operation: p.Op, URN: p.URN, Type: p.Type, Name: p.Name})
	}
	return out
}

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

func driftMarkdown(b *strings.Builder, d Drift, limit int) {
	fmt.Fprintf(b, "### %s: %s\n", escapeMarkdown(d.Environment), DriftSummary(d))
	if d.InProgress != "" {
		fmt.Fprintf(b, "\n> **Warning:** %s\n", escapeMarkdown(d.InProgress))
	}
	if f := d.Failure; f != nil {
		fmt.Fprintf(b, "\n> Not known: %s\n", escapeMarkdown(text.Snip(f.Message, 2000)))
	}
	for _, p := range d.Pending {
		fmt.Fprintf(b, "\n- unknown outcome, from a run that was interrupted: %s %s (%s)\n", engine.ShortType(p.Type), markdownCode(p.Name), p.Op)
	}
	for _, r := range d.Remedies {
		fmt.Fprintf(b, "\n- %s", r)
	}
	if len(d.Remedies) > 0 {
		b.WriteString("\n")
	}
	// The account gets two thirds of the room, the program what is left.
	room := (limit - b.Len()) * 2 / 3
	markdownTable(b, []string{"in the account", "resource", "property", "stack", "account"},
		changeRows(accountChanges(d.Account, d.Program)), b.Len()+room)
	markdownTable(b, []string{"in the program", "resource", "property", "stack", "program"}, changeRows(planChanges(d.Program)), limit)
}
