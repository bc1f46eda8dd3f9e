package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// ImportReport is what an account has of a program, and what the first deployment would do to it.
type ImportReport struct {
	Environment string
	Found       []ImportFound
	Absent      []ImportAbsent
}

// ImportFound is a resource that is in the account.
type ImportFound struct {
	engine.Found
	// By is what makes it a match, Step what the first deployment does to it, if anything.
	By   string
	Step engine.Step
	// Data marks what cannot be made again.
	Data bool
}

// ImportAbsent is a resource that was not found, or not taken for what it is.
type ImportAbsent struct {
	engine.Creation
	// Candidates are several that it could be, Strange is the one of another stack, Unsought why it was not looked for.
	Candidates        []string
	Strange, Unsought string
	Data              bool
}

// Clear reports whether nobody has to decide anything.
func (r ImportReport) Clear() bool {
	return !slices.ContainsFunc(r.Found, func(f ImportFound) bool { return f.Step.Replaces }) &&
		!slices.ContainsFunc(r.Absent, func(a ImportAbsent) bool { return len(a.Candidates) > 0 || a.Strange != "" })
}

// Lost are the resources with data that would be replaced, with the reason.
func (r ImportReport) Lost() []string {
	var lost []string
	for _, f := range r.Found {
		if f.Data && f.Step.Replaces {
			lost = append(lost, fmt.Sprintf("%s %s (%s)", ShortType(f.Type), f.ID, strings.Join(reasons(f.Step), ", ")))
		}
	}
	return lost
}

// Unclear are the resources that could be any of several.
func (r ImportReport) Unclear() []string {
	var unclear []string
	for _, a := range r.Absent {
		if len(a.Candidates) > 0 {
			unclear = append(unclear, fmt.Sprintf("%s %s (%s)", ShortType(a.Type), a.Name, strings.Join(a.Candidates, ", ")))
		}
	}
	return unclear
}

// reasons are the properties because of which something is replaced.
func reasons(step engine.Step) []string {
	var paths []string
	for _, d := range step.Differences {
		if d.Replaces {
			paths = append(paths, fmt.Sprintf("%s: %v there, %v here", d.Path, shown(d.Old), shown(d.New)))
		}
	}
	return paths
}

// Import shows what was found, what would be created, and at the end what a person has to look at. A resource has a line: an ARN
// leaves no room for columns.
func Import(w io.Writer, r ImportReport, style Style) error {
	var lines []string
	if len(r.Found) > 0 {
		lines = append(lines, "Found in the account:")
	}
	for _, f := range r.Found {
		lines = append(lines, fmt.Sprintf("  %s %s: %s (by %s), %s", ShortType(f.Type), f.Name, f.ID, f.By, style.firstUp(f.Step)))
	}
	if len(r.Absent) > 0 {
		lines = append(lines, "Not found, or not taken:")
	}
	for _, a := range r.Absent {
		lines = append(lines, fmt.Sprintf("  %s %s: %s", ShortType(a.Type), a.Name, a.why()))
	}
	for _, line := range r.attention() {
		lines = append(lines, style.paint("warning:", text.FgYellow)+" "+line)
	}
	lines = append(lines, fmt.Sprintf("%s: %d resources found, %d to be created", r.Environment, len(r.Found), len(r.Absent)))
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// firstUp says what the first deployment does to a resource.
func (s Style) firstUp(step engine.Step) string {
	var paths []string
	for _, d := range step.Differences {
		top := d.Path
		if end := strings.IndexAny(top, ".["); end > 0 {
			top = top[:end]
		}
		if !slices.Contains(paths, top) {
			paths = append(paths, top)
		}
	}
	switch {
	case step.Replaces:
		return s.paint("REPLACED", text.FgRed) + ": " + strings.Join(reasons(step), ", ")
	case step.Op != "":
		return step.Op + ": " + strings.Join(paths, ", ")
	}
	return "unchanged"
}

func (a ImportAbsent) why() string {
	switch {
	case len(a.Candidates) > 0:
		return "ambiguous: " + strings.Join(a.Candidates, ", ")
	case a.Strange != "":
		return a.Strange + " is another stack's"
	case a.Unsought != "":
		return "not imported: " + a.Unsought
	}
	return "will be created"
}

// attention are the things that a person has to look at before the first deployment.
func (r ImportReport) attention() []string {
	var lines []string
	for _, f := range r.Found {
		if f.Step.Replaces {
			lines = append(lines, fmt.Sprintf("the first up would replace %s %s (%s)", ShortType(f.Type), f.ID, strings.Join(reasons(f.Step), ", ")))
		}
	}
	for _, a := range r.Absent {
		switch {
		case len(a.Candidates) > 0:
			lines = append(lines, fmt.Sprintf("%s %s could be any of %s: rename or delete the others, or write the right one into the import file",
				ShortType(a.Type), a.Name, strings.Join(a.Candidates, ", ")))
		case a.Strange != "":
			lines = append(lines, fmt.Sprintf("%s %s: %s has its name, and its tags say that another stack has made it", ShortType(a.Type), a.Name, a.Strange))
		case a.Data:
			lines = append(lines, fmt.Sprintf("%s %s was not found: the first up makes an empty one", ShortType(a.Type), a.Name))
		}
	}
	return lines
}
