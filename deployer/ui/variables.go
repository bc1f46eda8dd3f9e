package ui

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
)

// VariableFormats are the forms in which variables are shown, the default first.
func VariableFormats() []string { return []string{"table", "json", "compact"} }

// VariablesReport is what the containers of one environment get.
type VariablesReport struct {
	checks.Inspection
	// Failure says why there is nothing in the inspection; nil where the environment could be looked at.
	Failure *Failure `json:"error,omitempty"`
}

// FailedVariablesReport is an environment that could not be looked at: what its containers get is unknown.
func FailedVariablesReport(environment string, why Failure) VariablesReport {
	return VariablesReport{checks.Inspection{
		Environment: environment, Status: checks.Unknown, Containers: []checks.Container{}, Findings: []checks.Finding{},
	}, &why}
}

// Variables shows what the containers of environments get, and what is not as it should be about that. listed says that
// several environments were asked for, though there may be one.
func Variables(w io.Writer, all []VariablesReport, multiple bool, format string, style Style) error {
	if format == "json" {
		if multiple {
			return JSON(w, all)
		}
		return JSON(w, all[0])
	}
	for _, report := range all {
		var err error
		if format == "compact" {
			err = compactVariables(w, report.Inspection, multiple)
		} else {
			err = variablesTable(w, report.Inspection, style)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// variablesTable is a table for each container, then the findings. The services' names say which environment it is.
func variablesTable(w io.Writer, found checks.Inspection, style Style) error {
	for _, c := range found.Containers {
		if err := containerTable(w, c, style); err != nil {
			return err
		}
	}
	problems := slices.DeleteFunc(slices.Clone(found.Findings), func(f checks.Finding) bool { return f.Status == checks.Healthy })
	return Findings(w, problems, "text", style)
}

// compactVariables is a line for each variable, for grep and diff. Of several environments it begins with theirs.
func compactVariables(w io.Writer, found checks.Inspection, multiple bool) error {
	prefix := ""
	if multiple {
		prefix = found.Environment + "/"
	}
	for _, c := range found.Containers {
		for _, v := range c.Variables {
			remarks := []string{string(v.Origin)}
			if v.Required {
				remarks = append(remarks, "required")
			}
			if v.State != checks.Set {
				remarks = append(remarks, string(v.State))
			}
			if _, err := fmt.Fprintf(w, "%s%s/%s %s=%s (%s)\n", prefix, c.Role, c.Container, v.Name, printable(v.Value.String()), strings.Join(remarks, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}

func containerTable(w io.Writer, c checks.Container, style Style) error {
	head := []string{style.colorize(c.Service+", container "+c.Container, text.Bold), revisionText(c)}
	for _, side := range sidesOf(c.Differences) {
		head = append(head, "differs from "+side+": "+differencesFrom(c.Differences, side))
	}
	for _, line := range head {
		if err := printWrapped(w, line, style); err != nil {
			return err
		}
	}
	if len(c.Variables) == 0 {
		_, err := fmt.Fprint(w, "no variables\n\n")
		return err
	}
	t := style.newTable("variable", "value", "source", "needed", "state")
	for _, v := range c.Variables {
		t.AppendRow(table.Row{v.Name, fitValue(printable(v.Value.String()), c.Variables, style), sourceOf(v), requiredText(v), style.variableState(v)})
	}
	if err := renderTable(w, t); err != nil {
		return err
	}
	for _, u := range c.Unused {
		if err := printWrapped(w, "key without effect: "+printable(u.Key)+", "+u.Why, style); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// revisionText says which revision the variables are of, and which others there are.
func revisionText(c checks.Container) string {
	text := c.Running + " runs in " + plural(c.Tasks, "task", "tasks")
	if len(c.Others) > 0 {
		text += ", others still run " + strings.Join(c.Others, ", ")
	}
	switch {
	case c.Latest != c.Running && c.Latest != "":
		text += "; the latest revision is " + c.Latest
	case c.Latest != "":
		text += "; no newer revision is there"
	}
	if c.Deployed != "" && c.Deployed != c.Running {
		text += "; the last deployment left " + c.Deployed
	}
	if c.Stale > 0 {
		text += fmt.Sprintf("; %d started before the configuration last changed", c.Stale)
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func sidesOf(all []checks.Difference) []string {
	var sides []string
	for _, d := range all {
		if !slices.Contains(sides, d.Against) {
			sides = append(sides, d.Against)
		}
	}
	return sides
}

func differencesFrom(all []checks.Difference, side string) string {
	var words []string
	for _, d := range all {
		if d.Against == side {
			words = append(words, d.Name+" "+d.Kind)
		}
	}
	return strings.Join(words, ", ")
}

// printWrapped writes a line within the terminal's width.
func printWrapped(w io.Writer, line string, style Style) error {
	if style.Width > 0 {
		line = text.WrapSoft(line, style.Width)
	}
	for part := range strings.SplitSeq(line, "\n") {
		if _, err := fmt.Fprintln(w, strings.TrimRight(part, " ")); err != nil {
			return err
		}
	}
	return nil
}

// sourceOf is where a variable comes from in a word or two; a key that is called otherwise is named.
func sourceOf(v checks.Variable) string {
	source := map[checks.Origin]string{
		checks.FromTaskDefinition: "definition", checks.FromReference: "secret", checks.FromSecretAtStart: "secret", checks.BuiltAtStart: "at start", checks.FromNowhere: "nowhere",
	}[v.Origin]
	if v.Key != "" && v.Key != v.Name {
		source += " " + v.Key
	}
	return source
}

func requiredText(v checks.Variable) string {
	if v.Required {
		return "yes"
	}
	return ""
}

// variableState is a variable's state, coloured where it is not well.
func (s Style) variableState(v checks.Variable) string {
	switch {
	case v.Broken():
		return s.colorize(string(v.State), text.FgRed)
	case !v.OK():
		return s.colorize(string(v.State), text.FgYellow)
	}
	return string(v.State)
}

// fitValue cuts the middle out of a value that the terminal has no room for beside the other columns. In a pipe, and in
// the other forms, values are whole.
func fitValue(value string, beside []checks.Variable, style Style) string {
	if style.Width <= 0 {
		return value
	}
	names, sources, states := len("variable"), len("source"), len("state")
	for _, v := range beside {
		names, sources, states = max(names, len(v.Name)), max(sources, len(sourceOf(v))), max(states, len(v.State))
	}
	return truncateMiddle(value, max(11, style.Width-names-sources-states-len("needed")-4*2))
}

// truncateMiddle cuts the middle out of a text that is longer than the room for it; no room is all the room.
func truncateMiddle(value string, room int) string {
	runes := []rune(value)
	if room <= 0 || len(runes) <= room {
		return value
	}
	half := (room - 1) / 2
	return string(runes[:half]) + "…" + string(runes[len(runes)-(room-1-half):])
}

// printable is a value on one line, without anything that a terminal would act on.
func printable(value string) string {
	if !strings.ContainsFunc(value, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return value
	}
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1]
}

// Comparison shows how the variables of two environments are to each other.
func Comparison(w io.Writer, compared checks.Comparison, format string, style Style) error {
	if format == "json" {
		return JSON(w, compared)
	}
	for _, c := range compared.Containers {
		if format == "compact" {
			for _, v := range c.Variables {
				if _, err := fmt.Fprintf(w, "%s/%s %s: %s\n", c.Role, c.Container, v.Name, v.Result); err != nil {
					return err
				}
			}
			continue
		}
		if err := comparedTable(w, c, compared, style); err != nil {
			return err
		}
	}
	return nil
}

func comparedTable(w io.Writer, c checks.ComparedContainer, compared checks.Comparison, style Style) error {
	if err := printWrapped(w, style.colorize(c.Role+", container "+c.Container, text.Bold), style); err != nil {
		return err
	}
	results := map[checks.ComparisonResult]string{
		checks.OnlyHere: "only " + compared.Environment, checks.OnlyThere: "only " + compared.Other,
	}
	t := style.newTable("variable", compared.Environment, compared.Other, "")
	room := 0
	if style.Width > 0 {
		longest := 0
		for _, v := range c.Variables {
			longest = max(longest, len(v.Name))
		}
		room = max(9, (style.Width-longest-len("only ")-max(len(compared.Environment), len(compared.Other), len("different")-5)-3*2)/2)
	}
	for _, v := range c.Variables {
		result := string(v.Result)
		if named, ok := results[v.Result]; ok {
			result = named
		}
		t.AppendRow(table.Row{v.Name, fitComparedValue(v.Here, room), fitComparedValue(v.There, room), result})
	}
	if err := renderTable(w, t); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// fitComparedValue is a value in so many columns.
func fitComparedValue(v *checks.Value, room int) string {
	if v == nil {
		return ""
	}
	return truncateMiddle(printable(v.String()), room)
}
