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

// Inspected is what the containers of one environment get.
type Inspected struct {
	checks.Inspection
	// Failure says why there is nothing in the inspection; nil where the environment could be looked at.
	Failure *Failure `json:"error,omitempty"`
}

// Uninspected is an environment that could not be looked at: what its containers get is unknown.
func Uninspected(environment string, why Failure) Inspected {
	return Inspected{checks.Inspection{
		Environment: environment, Status: checks.Unknown, Containers: []checks.Container{}, Findings: []checks.Finding{},
	}, &why}
}

// Variables shows what the containers of environments get, and what is not as it should be about that. listed says that
// several environments were asked for, though there may be one.
func Variables(w io.Writer, all []Inspected, listed bool, format string, style Style) error {
	if format == "json" {
		if listed {
			return JSON(w, all)
		}
		return JSON(w, all[0])
	}
	for _, one := range all {
		var err error
		if format == "compact" {
			err = compactVariables(w, one.Inspection, listed)
		} else {
			err = variablesTable(w, one.Inspection, style)
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
	ill := slices.DeleteFunc(slices.Clone(found.Findings), func(f checks.Finding) bool { return f.Status == checks.Healthy })
	return Findings(w, ill, "text", style)
}

// compactVariables is a line for each variable, for grep and diff. Of several environments it begins with theirs.
func compactVariables(w io.Writer, found checks.Inspection, listed bool) error {
	of := ""
	if listed {
		of = found.Environment + "/"
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
			if _, err := fmt.Fprintf(w, "%s%s/%s %s=%s (%s)\n", of, c.Role, c.Container, v.Name, printable(v.Value.String()), strings.Join(remarks, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}

func containerTable(w io.Writer, c checks.Container, style Style) error {
	head := []string{style.paint(c.Service+", container "+c.Container, text.Bold), revisionsOf(c)}
	for _, side := range sidesOf(c.Differences) {
		head = append(head, "differs from "+side+": "+differencesFrom(c.Differences, side))
	}
	for _, line := range head {
		if err := wrapped(w, line, style); err != nil {
			return err
		}
	}
	if len(c.Variables) == 0 {
		_, err := fmt.Fprint(w, "no variables\n\n")
		return err
	}
	t := style.table("variable", "value", "source", "needed", "state")
	for _, v := range c.Variables {
		t.AppendRow(table.Row{v.Name, shortened(printable(v.Value.String()), c.Variables, style), sourceOf(v), needed(v), style.state(v)})
	}
	if err := render(w, t); err != nil {
		return err
	}
	for _, u := range c.Unused {
		if err := wrapped(w, "key without effect: "+printable(u.Key)+", "+u.Why, style); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// revisionsOf says which revision the variables are of, and which others there are.
func revisionsOf(c checks.Container) string {
	said := c.Running + " runs in " + count(c.Tasks, "task", "tasks")
	if len(c.Others) > 0 {
		said += ", others still run " + strings.Join(c.Others, ", ")
	}
	switch {
	case c.Latest != c.Running && c.Latest != "":
		said += "; the latest revision is " + c.Latest
	case c.Latest != "":
		said += "; no newer revision is there"
	}
	if c.Deployed != "" && c.Deployed != c.Running {
		said += "; the last deployment left " + c.Deployed
	}
	if c.Stale > 0 {
		said += fmt.Sprintf("; %d started before the configuration last changed", c.Stale)
	}
	return said
}

func count(n int, one, many string) string {
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

// wrapped writes a line within the terminal's width.
func wrapped(w io.Writer, line string, style Style) error {
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
		checks.OfDefinition: "definition", checks.OfReference: "secret", checks.OfSecret: "secret", checks.Built: "at start", checks.OfNothing: "nowhere",
	}[v.Origin]
	if v.Key != "" && v.Key != v.Name {
		source += " " + v.Key
	}
	return source
}

func needed(v checks.Variable) string {
	if v.Required {
		return "yes"
	}
	return ""
}

// state is a variable's state, coloured where it is not well.
func (s Style) state(v checks.Variable) string {
	switch {
	case v.Broken():
		return s.paint(string(v.State), text.FgRed)
	case !v.Well():
		return s.paint(string(v.State), text.FgYellow)
	}
	return string(v.State)
}

// shortened cuts the middle out of a value that the terminal has no room for beside the other columns. In a pipe, and in
// the other forms, values are whole.
func shortened(value string, beside []checks.Variable, style Style) string {
	if style.Width <= 0 {
		return value
	}
	names, sources, states := len("variable"), len("source"), len("state")
	for _, v := range beside {
		names, sources, states = max(names, len(v.Name)), max(sources, len(sourceOf(v))), max(states, len(v.State))
	}
	return middle(value, max(11, style.Width-names-sources-states-len("needed")-4*2))
}

// middle cuts the middle out of a text that is longer than the room for it; no room is all the room.
func middle(value string, room int) string {
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
	if err := wrapped(w, style.paint(c.Role+", container "+c.Container, text.Bold), style); err != nil {
		return err
	}
	results := map[checks.Likeness]string{
		checks.OnlyHere: "only " + compared.Environment, checks.OnlyThere: "only " + compared.Other,
	}
	t := style.table("variable", compared.Environment, compared.Other, "")
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
		t.AppendRow(table.Row{v.Name, fitting(v.Here, room), fitting(v.There, room), result})
	}
	if err := render(w, t); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// fitting is a value in so many columns.
func fitting(v *checks.Value, room int) string {
	if v == nil {
		return ""
	}
	return middle(printable(v.String()), room)
}
