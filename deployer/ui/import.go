package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// ImportReport is which of a program's resources the account has, and what the first deployment would do to them.
type ImportReport struct {
	Environment string
	// Owned is how many of them the stack has already; they are neither in Found nor in Missing.
	Owned   int
	Found   []ImportFound
	Missing []ImportMissing
}

// ImportFound is a resource that the account has.
type ImportFound struct {
	engine.ImportCandidate
	// MatchedBy is what it was recognised by, Step what the first deployment does to it, if anything.
	MatchedBy string
	Step      engine.Step
	// Stateful marks a resource with data that cannot be recreated.
	Stateful bool
}

// ImportMissing is a resource that was not found, or that is not imported.
type ImportMissing struct {
	engine.PlannedResource
	// Candidates are the IDs of several resources that match, Foreign is the ID of one that another stack created,
	// SkipReason is why none was searched for.
	Candidates          []string
	Foreign, SkipReason string
	Stateful            bool
}

// Unambiguous reports whether the import needs no decision of a person.
func (r ImportReport) Unambiguous() bool {
	return !slices.ContainsFunc(r.Found, func(f ImportFound) bool { return f.Step.Replaces }) &&
		!slices.ContainsFunc(r.Missing, func(m ImportMissing) bool { return len(m.Candidates) > 0 || m.Foreign != "" })
}

// DataLosses returns the resources with data that would be replaced, with the properties that require it.
func (r ImportReport) DataLosses() []string {
	lost := list.Filter(r.Found, func(f ImportFound) bool { return f.Stateful && f.Step.Replaces })
	return list.Map(lost, ImportFound.replacement)
}

// Ambiguous returns the resources that match several of the account's, with the IDs of those.
func (r ImportReport) Ambiguous() []string {
	ambiguous := list.Filter(r.Missing, func(m ImportMissing) bool { return len(m.Candidates) > 0 })
	return list.Map(ambiguous, func(m ImportMissing) string {
		return fmt.Sprintf("%s (%s)", label(m.Type, m.Name), strings.Join(m.Candidates, ", "))
	})
}

// Import shows what was found, what the first deployment would create, and last what needs a decision. Each resource has
// one line: an ARN leaves no room for columns.
func Import(w io.Writer, r ImportReport, style Style) error {
	d := document{style: Style{Color: style.Color}}
	if len(r.Found) > 0 {
		d.add("", "Found in the account:")
	}
	for _, f := range r.Found {
		d.add("", fmt.Sprintf("  %s: %s (by %s), %s", label(f.Type, f.Name), f.ID, f.MatchedBy, f.outcome(style)))
	}
	if len(r.Missing) > 0 {
		d.add("", "Not found, or not imported:")
	}
	for _, m := range r.Missing {
		d.add("", fmt.Sprintf("  %s: %s", label(m.Type, m.Name), m.outcome()))
	}
	for _, line := range r.warnings() {
		d.add("", style.yellow("warning:")+" "+line)
	}
	d.add("", r.Environment+": "+r.summary())
	return d.writeTo(w)
}

// summary returns the counts in a sentence.
func (r ImportReport) summary() string {
	switch {
	case r.Owned > 0 && len(r.Found)+len(r.Missing) == 0:
		return fmt.Sprintf("the stack has all %d resources already: nothing to import", r.Owned)
	case r.Owned > 0:
		return fmt.Sprintf("the stack has %d resources already, %d others found, %d to be created", r.Owned, len(r.Found), len(r.Missing))
	}
	return fmt.Sprintf("%d resources found, %d to be created", len(r.Found), len(r.Missing))
}

// outcome returns what the first deployment does to the resource.
func (f ImportFound) outcome(style Style) string {
	if f.Step.Replaces {
		return style.red("REPLACED") + ": " + f.replaceReasons()
	}
	if f.Step.Op == "" {
		return "unchanged"
	}
	var properties []string
	for _, d := range f.Step.Differences {
		property := d.Path
		if end := strings.IndexAny(property, ".["); end > 0 {
			property = property[:end]
		}
		if !slices.Contains(properties, property) {
			properties = append(properties, property)
		}
	}
	return f.Step.Op + ": " + strings.Join(properties, ", ")
}

func (f ImportFound) replacement() string {
	return fmt.Sprintf("%s (%s)", label(f.Type, f.ID), f.replaceReasons())
}

// replaceReasons returns the properties that require a replacement, before and after.
func (f ImportFound) replaceReasons() string {
	replacing := list.Filter(f.Step.Differences, func(d engine.Difference) bool { return d.Replaces })
	return strings.Join(list.Map(replacing, func(d engine.Difference) string {
		return fmt.Sprintf("%s: %s → %s", d.Path, formatValue(d.Old), formatValue(d.New))
	}), ", ")
}

func (m ImportMissing) outcome() string {
	switch {
	case len(m.Candidates) > 0:
		return "ambiguous: " + strings.Join(m.Candidates, ", ")
	case m.Foreign != "":
		return m.Foreign + " belongs to another stack"
	case m.SkipReason != "":
		return "not imported: " + m.SkipReason
	}
	return "will be created"
}

// warnings returns what needs a decision before the first deployment.
func (r ImportReport) warnings() []string {
	var lines []string
	for _, f := range r.Found {
		if f.Step.Replaces {
			lines = append(lines, "the first up would replace "+f.replacement())
		}
	}
	for _, m := range r.Missing {
		name := label(m.Type, m.Name)
		switch {
		case len(m.Candidates) > 0:
			lines = append(lines, fmt.Sprintf("%s could be any of %s: rename or delete the others, or write the right one into the import file",
				name, strings.Join(m.Candidates, ", ")))
		case m.Foreign != "":
			lines = append(lines, fmt.Sprintf("%s: %s has its name, but its tags name another stack", name, m.Foreign))
		case m.Stateful:
			lines = append(lines, name+" was not found: the first up creates an empty one")
		}
	}
	return lines
}
