package ui

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// VariableFormats returns the formats of Variables, the default first.
func VariableFormats() []string { return []string{"table", "json", "compact"} }

// VariablesReport is what the containers of one environment get.
type VariablesReport struct {
	checks.Inspection
	// Failure is why the inspection is empty; nil where the environment could be inspected.
	Failure *Failure `json:"error,omitempty"`
}

// FailedVariablesReport returns the report about an environment that could not be inspected: what its containers get is
// unknown.
func FailedVariablesReport(environment string, why Failure) VariablesReport {
	return VariablesReport{checks.Inspection{
		Environment: environment, Status: checks.Unknown, Containers: []checks.Container{}, Findings: []checks.Finding{},
	}, &why}
}

// Variables shows what the containers of environments get, and what is wrong with it. As JSON the reports are an array
// where several environments were selected.
func Variables(w io.Writer, all []VariablesReport, multiple bool, format string, style Style) error {
	if format == "json" {
		return jsonByEnvironment(w, all, multiple)
	}
	d := document{style: style}
	for _, report := range all {
		if format == "compact" {
			d.compactVariables(report, multiple)
			continue
		}
		for _, c := range report.Containers {
			d.container(c)
		}
		for _, f := range report.Findings {
			if f.Status != checks.Healthy {
				d.finding(f, "")
			}
		}
	}
	return d.writeTo(w)
}

// compactVariables appends a line for each variable, for grep and diff.
func (d *document) compactVariables(report VariablesReport, multiple bool) {
	prefix := ""
	if multiple {
		prefix = report.Environment + "/"
	}
	for _, c := range report.Containers {
		for _, v := range c.Variables {
			remarks := []string{string(v.Origin)}
			if v.Required {
				remarks = append(remarks, "required")
			}
			if v.State != checks.Set {
				remarks = append(remarks, string(v.State))
			}
			fmt.Fprintf(d, "%s%s/%s %s=%s (%s)\n", prefix, c.Role, c.Container, v.Name, text.PrintableLine(v.Value.String()), strings.Join(remarks, ", "))
		}
	}
}

// container appends the variables of a container as a table. The service's name contains the environment's.
func (d *document) container(c checks.Container) {
	d.add("", d.style.bold(c.Service+", container "+c.Container))
	d.add("", revisionText(c))
	var sides []string
	differences := map[string][]string{}
	for _, difference := range c.Differences {
		side := difference.Against
		if differences[side] == nil {
			sides = append(sides, side)
		}
		differences[side] = append(differences[side], difference.Name+" "+difference.Kind)
	}
	for _, side := range sides {
		d.add("", "differs from "+side+": "+strings.Join(differences[side], ", "))
	}
	if len(c.Variables) == 0 {
		d.add("", "no variables\n")
		return
	}
	t := newTable("variable", "value", "source", "needed", "state")
	t.setColumns([]column{{number: 2, fit: snipMiddles, min: 11}})
	for _, v := range c.Variables {
		needed := ""
		if v.Required {
			needed = "yes"
		}
		t.addRow([]any{v.Name, text.PrintableLine(v.Value.String()), sourceText(v), needed, d.style.variableState(v)})
	}
	d.table(t)
	for _, u := range c.Unused {
		d.add("", "key without effect: "+text.PrintableLine(u.Key)+", "+u.Why)
	}
	d.add("", "")
}

// revisionText returns which revision the variables are from, and which other revisions there are.
func revisionText(c checks.Container) string {
	line := c.Running + " runs in " + text.Plural(c.Tasks, "task", "")
	if len(c.Others) > 0 {
		line += ", others still run " + strings.Join(c.Others, ", ")
	}
	switch {
	case c.Latest != c.Running && c.Latest != "":
		line += "; the latest revision is " + c.Latest
	case c.Latest != "":
		line += "; there is no newer revision"
	}
	if c.Deployed != "" && c.Deployed != c.Running {
		line += "; the last deployment left " + c.Deployed
	}
	if c.Stale > 0 {
		line += fmt.Sprintf("; %d started before the configuration last changed", c.Stale)
	}
	return line
}

// sourceText returns where a variable's value is from, with the key unless it has the variable's name.
func sourceText(v checks.Variable) string {
	source := map[checks.Origin]string{
		checks.FromTaskDefinition: "definition", checks.FromReference: "secret", checks.FromSecretAtStart: "secret",
		checks.BuiltAtStart: "at start", checks.FromNowhere: "nowhere",
	}[v.Origin]
	if v.Key != "" && v.Key != v.Name {
		source += " " + v.Key
	}
	return source
}

func (s Style) variableState(v checks.Variable) string {
	switch {
	case v.Broken():
		return s.red(string(v.State))
	case !v.OK():
		return s.yellow(string(v.State))
	}
	return string(v.State)
}

// Comparison shows how the variables of two environments differ.
func Comparison(w io.Writer, compared checks.Comparison, format string, style Style) error {
	return show(w, compared, format, style, func(d *document) {
		for _, c := range compared.Containers {
			if format != "compact" {
				d.comparedContainer(c, compared)
				continue
			}
			for _, v := range c.Variables {
				fmt.Fprintf(d, "%s/%s %s: %s\n", c.Role, c.Container, v.Name, v.Result)
			}
		}
	})
}

func (d *document) comparedContainer(c checks.ComparedContainer, compared checks.Comparison) {
	d.add("", d.style.bold(c.Role+", container "+c.Container))
	results := map[checks.ComparisonResult]string{
		checks.OnlyHere: "only " + compared.Environment, checks.OnlyThere: "only " + compared.Other,
	}
	shown := func(v *checks.Value) string {
		if v == nil {
			return ""
		}
		return text.PrintableLine(v.String())
	}
	t := newTable("variable", compared.Environment, compared.Other, "result")
	t.setColumns([]column{{number: 2, fit: snipMiddles, min: 9}, {number: 3, fit: snipMiddles, min: 9}})
	for _, v := range c.Variables {
		t.addRow([]any{v.Name, shown(v.Here), shown(v.There), cmp.Or(results[v.Result], string(v.Result))})
	}
	d.table(t)
	d.add("", "")
}
