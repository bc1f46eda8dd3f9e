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
	Missing     []ImportMissing
}

// ImportFound is a resource that is in the account.
type ImportFound struct {
	engine.ImportCandidate
	// MatchedBy is what makes it a match, Step what the first deployment does to it, if anything.
	MatchedBy string
	Step      engine.Step
	// Stateful marks what cannot be made again.
	Stateful bool
}

// ImportMissing is a resource that was not found, or not taken for what it is.
type ImportMissing struct {
	engine.PlannedResource
	// Candidates are several that it could be, Strange is the one of another stack, Unsought why it was not looked for.
	Candidates          []string
	Foreign, SkipReason string
	Stateful            bool
}

// Unambiguous reports whether nobody has to decide anything.
func (r ImportReport) Unambiguous() bool {
	return !slices.ContainsFunc(r.Found, func(f ImportFound) bool { return f.Step.Replaces }) &&
		!slices.ContainsFunc(r.Missing, func(a ImportMissing) bool { return len(a.Candidates) > 0 || a.Foreign != "" })
}

// DataLosses are the resources with data that would be replaced, with the reason.
func (r ImportReport) DataLosses() []string {
	var lost []string
	for _, f := range r.Found {
		if f.Stateful && f.Step.Replaces {
			lost = append(lost, fmt.Sprintf("%s %s (%s)", engine.ShortType(f.Type), f.ID, strings.Join(replaceReasons(f.Step), ", ")))
		}
	}
	return lost
}

// Ambiguous are the resources that could be any of several.
func (r ImportReport) Ambiguous() []string {
	var ambiguous []string
	for _, a := range r.Missing {
		if len(a.Candidates) > 0 {
			ambiguous = append(ambiguous, fmt.Sprintf("%s %s (%s)", engine.ShortType(a.Type), a.Name, strings.Join(a.Candidates, ", ")))
		}
	}
	return ambiguous
}

// replaceReasons are the properties because of which something is replaced.
func replaceReasons(step engine.Step) []string {
	var paths []string
	for _, d := range step.Differences {
		if d.Replaces {
			paths = append(paths, fmt.Sprintf("%s: %v there, %v here", d.Path, formatValue(d.Old), formatValue(d.New)))
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
		lines = append(lines, fmt.Sprintf("  %s %s: %s (by %s), %s", engine.ShortType(f.Type), f.Name, f.ID, f.MatchedBy, style.firstUpdate(f.Step)))
	}
	if len(r.Missing) > 0 {
		lines = append(lines, "Not found, or not taken:")
	}
	for _, a := range r.Missing {
		lines = append(lines, fmt.Sprintf("  %s %s: %s", engine.ShortType(a.Type), a.Name, a.outcome()))
	}
	for _, line := range r.warnings() {
		lines = append(lines, style.colorize("warning:", text.FgYellow)+" "+line)
	}
	lines = append(lines, fmt.Sprintf("%s: %d resources found, %d to be created", r.Environment, len(r.Found), len(r.Missing)))
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// firstUpdate says what the first deployment does to a resource.
func (s Style) firstUpdate(step engine.Step) string {
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
		return s.colorize("REPLACED", text.FgRed) + ": " + strings.Join(replaceReasons(step), ", ")
	case step.Op != "":
		return step.Op + ": " + strings.Join(paths, ", ")
	}
	return "unchanged"
}

func (a ImportMissing) outcome() string {
	switch {
	case len(a.Candidates) > 0:
		return "ambiguous: " + strings.Join(a.Candidates, ", ")
	case a.Foreign != "":
		return a.Foreign + " is another stack's"
	case a.SkipReason != "":
		return "not imported: " + a.SkipReason
	}
	return "will be created"
}

// warnings are the things that a person has to look at before the first deployment.
func (r ImportReport) warnings() []string {
	var lines []string
	for _, f := range r.Found {
		if f.Step.Replaces {
			lines = append(lines, fmt.Sprintf("the first up would replace %s %s (%s)", engine.ShortType(f.Type), f.ID, strings.Join(replaceReasons(f.Step), ", ")))
		}
	}
	for _, a := range r.Missing {
		switch {
		case len(a.Candidates) > 0:
			lines = append(lines, fmt.Sprintf("%s %s could be any of %s: rename or delete the others, or write the right one into the import file",
				engine.ShortType(a.Type), a.Name, strings.Join(a.Candidates, ", ")))
		case a.Foreign != "":
			lines = append(lines, fmt.Sprintf("%s %s: %s has its name, and its tags say that another stack has made it", engine.ShortType(a.Type), a.Name, a.Foreign))
		case a.Stateful:
			lines = append(lines, fmt.Sprintf("%s %s was not found: the first up makes an empty one", engine.ShortType(a.Type), a.Name))
		}
	}
	return lines
}
