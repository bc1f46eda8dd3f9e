package ui

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/docs"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/probe"
)

// Outputs shows a stack's outputs.
func Outputs(w io.Writer, values map[string]any, format string) error {
	switch format {
	case "json":
		return JSON(w, values)
	case "yaml":
		return YAML(w, values)
	}
	t := Style{}.newTable("output", "value")
	for _, key := range slices.Sorted(maps.Keys(values)) {
		t.AppendRow(table.Row{key, oneLine(values[key])})
	}
	return renderTable(w, t)
}

func oneLine(value any) string {
	var items []string
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			items = append(items, fmt.Sprint(item))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			items = append(items, fmt.Sprintf("%s=%v", key, value[key]))
		}
	default:
		return fmt.Sprint(value)
	}
	return strings.Join(items, ", ")
}

func renderTable(w io.Writer, t table.Writer) error {
	for line := range strings.Lines(t.Render() + "\n") {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Environments shows the environments side by side.
func Environments(w io.Writer, envs []*environment.Environment, format string, _ Style) error {
	type row struct {
		Stack     string `json:"stack"`
		Name      string `json:"name"`
		URL       string `json:"url"`
		Account   string `json:"account"`
		Region    string `json:"region"`
		Protected bool   `json:"protected"`
		Database  string `json:"database"`
		Tasks     string `json:"tasks"`
		BudgetUSD int    `json:"budgetUSD"`
		// Repository is where the images lie; the rest is what a pipeline asks.
		Repository string              `json:"repository"`
		Branch     string              `json:"branch"`
		Trigger    environment.Trigger `json:"trigger"`
		Approval   bool                `json:"approval"`
		Tests      []string            `json:"tests"`
	}
	rows := []row{}
	for _, e := range envs {
		api := e.Services.API
		rows = append(rows, row{
			e.Stack, e.Name, e.URL(), e.Account, e.Region, e.Protected, e.Database.InstanceClass,
			fmt.Sprintf("%d-%d × %d/%d", api.Tasks.Min, api.Tasks.Max, api.CPU, api.Memory), e.Budget.MonthlyUSD,
			e.RepositoryURL(), e.Delivery.Branch, e.Delivery.Trigger, e.Delivery.Approval, e.Delivery.Tests,
		})
	}
	if format == "json" {
		return JSON(w, rows)
	}
	t := Style{}.newTable("env", "name", "url", "region", "protected", "api tasks", "database", "budget")
	for _, r := range rows {
		t.AppendRow(table.Row{r.Stack, r.Name, r.URL, r.Region, yesNo(r.Protected), r.Tasks, r.Database, fmt.Sprintf("$%d", r.BudgetUSD)})
	}
	return renderTable(w, t)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Validation names the files that are valid; the others are an error.
func Validation(w io.Writer, files []string, format string) error {
	if format == "json" {
		return JSON(w, map[string]any{"valid": files})
	}
	for _, f := range files {
		if _, err := fmt.Fprintf(w, "%s is valid\n", f); err != nil {
			return err
		}
	}
	return nil
}

// Rules explains what the files of environments may say.
func Rules(w io.Writer, rules []docs.Rule, format string, style Style) error {
	if format == "json" {
		return JSON(w, rules)
	}
	section := ""
	for _, r := range rules {
		if r.Section != section {
			section = r.Section
			if _, err := fmt.Fprintf(w, "%s\n", style.colorize(section, text.Bold)); err != nil {
				return err
			}
		}
		requirement := "must be given"
		switch {
		case r.Default != "":
			requirement = "default " + r.Default
		case !r.Required:
			requirement = "may be left out"
		}
		paragraphs := []string{fmt.Sprintf("%s (%s, %s)", r.Key, r.Type, requirement)}
		for _, more := range []string{r.Text, r.Source} {
			if more != "" {
				paragraphs = append(paragraphs, more)
			}
		}
		for i, line := range paragraphs {
			indent := strings.Repeat(" ", 2+2*min(i, 1))
			if style.Width > 0 && !strings.HasPrefix(line, "https://") {
				line = text.WrapSoft(line, max(20, style.Width-len(indent)))
			}
			for part := range strings.SplitSeq(line, "\n") {
				if _, err := fmt.Fprintln(w, indent+strings.TrimRight(part, " ")); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Faults shows what can go wrong in the simulated account.
func Faults(w io.Writer, faults []local.Fault, format string, style Style) error {
	if format == "json" {
		return JSON(w, faults)
	}
	t := style.newTable("fault", "what goes wrong", "what it should lead to")
	for _, f := range faults {
		t.AppendRow(table.Row{f.Name, f.Effect, f.Expect})
	}
	style.wrapColumns(t, 22, 2, 3)
	return renderTable(w, t)
}

// Probes shows what each probe saw.
func Probes(w io.Writer, results []probe.Result, format string, style Style) error {
	switch format {
	case "json":
		return JSON(w, results)
	case "yaml":
		return YAML(w, results)
	}
	for _, r := range results {
		if err := printProbe(w, r, style); err != nil {
			return err
		}
	}
	return nil
}

func printProbe(w io.Writer, r probe.Result, style Style) error {
	line := fmt.Sprintf("%s %s through the %s", style.okSign(r.OK()), r.URL, r.Side)
	if r.StatusCode != 0 {
		line += fmt.Sprintf(": HTTP %d", r.StatusCode)
	}
	if r.Body != nil && r.Body.Status != "" {
		line += ", " + r.Body.Status
	}
	if r.Body != nil && r.Body.Database != "" {
		line += ", database " + r.Body.Database
	}
	lines := []string{line}
	if r.Problem != nil {
		lines = append(lines, "    "+r.Problem.Message, "    hint: "+r.Problem.Hint)
	}
	if len(r.DNS) > 0 {
		lines = append(lines, fmt.Sprintf("    %s is %s", r.Host, strings.Join(r.DNS, ", ")))
	}
	if r.TLS != nil {
		lines = append(lines, fmt.Sprintf("    %s, certificate of %s by %s, %d days left", r.TLS.Version, r.TLS.Subject, r.TLS.Issuer, r.TLS.DaysLeft))
	}
	s := r.Steps
	lines = append(lines, fmt.Sprintf("    %.0f ms: DNS %.0f, connect %.0f, TLS %.0f, first byte %.0f", s.Total, s.DNS, s.Connect, s.TLS, s.FirstByte))
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
