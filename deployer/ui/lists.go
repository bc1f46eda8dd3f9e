package ui

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/docs"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/probe"
)

// Outputs shows a stack's outputs.
func Outputs(w io.Writer, values map[string]any, format string, style Style) error {
	return show(w, values, format, style, func(d *document) {
		t := newTable("output", "value")
		t.setColumns(wrapped(2))
		for _, key := range slices.Sorted(maps.Keys(values)) {
			t.addRow([]any{key, oneLine(values[key])})
		}
		d.table(t)
	})
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

// Environments shows the environments side by side.
func Environments(w io.Writer, envs []*environment.Environment, format string, style Style) error {
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
		// Repository is the registry's address of the images. It and what follows are for pipelines.
		Repository string              `json:"repository"`
		Branch     string              `json:"branch"`
		Trigger    environment.Trigger `json:"trigger"`
		Approval   bool                `json:"approval"`
		Tests      []string            `json:"tests"`
		// Platform is that of the images: linux/amd64 or linux/arm64.
		Platform string `json:"platform"`
	}
	rows := []row{}
	for _, e := range envs {
		api := e.Services.API
		rows = append(rows, row{
			e.Stack, e.Name, e.URL(), e.Account, e.Region, e.Protected, e.Database.InstanceClass,
			fmt.Sprintf("%d-%d × %d/%d", api.Tasks.Min, api.Tasks.Max, api.CPU, api.Memory), e.Budget.MonthlyUSD,
			e.RepositoryURL(), e.Delivery.Branch, e.Delivery.Trigger, e.Delivery.Approval, e.Delivery.Tests, e.Platform(),
		})
	}
	return show(w, rows, format, style, func(d *document) {
		t := newTable("env", "name", "url", "region", "protected", "api tasks", "database", "budget")
		t.setColumns(slices.Concat(below(3, 4), alignRight(8)))
		for _, r := range rows {
			protected := map[bool]string{true: "yes", false: "no"}[r.Protected]
			t.addRow([]any{r.Stack, r.Name, r.URL, r.Region, protected, r.Tasks, r.Database, fmt.Sprintf("$%d", r.BudgetUSD)})
		}
		d.table(t)
	})
}

// ValidFile is an environment's file that is valid, and a note about it for people; "" for none.
type ValidFile struct{ Name, Note string }

// Validation lists the files that are valid; the others are an error.
func Validation(w io.Writer, files []ValidFile, format string) error {
	names := list.Map(files, func(f ValidFile) string { return f.Name })
	return show(w, map[string]any{"valid": names}, format, Style{}, func(d *document) {
		for _, f := range files {
			d.add("", f.Name+" is valid")
			if f.Note != "" {
				d.add("  ", "  "+f.Note)
			}
		}
	})
}

// Rules explains the keys of environment files.
func Rules(w io.Writer, rules []docs.Rule, format string, style Style) error {
	if format == "json" {
		return JSON(w, rules)
	}
	d := document{style: style}
	section := ""
	for _, r := range rules {
		if r.Section != section {
			section = r.Section
			d.add("", style.bold(section))
		}
		requirement := "required"
		switch {
		case r.Default != "":
			requirement = "default " + r.Default
		case !r.Required:
			requirement = "optional"
		}
		d.addf("  ", "  %s (%s, %s)", r.Key, r.Type, requirement)
		for _, paragraph := range []string{r.Text, r.Source} {
			if paragraph != "" {
				d.add("    ", "    "+paragraph)
			}
		}
	}
	return d.writeTo(w)
}

// Faults lists the faults of the simulated account.
func Faults(w io.Writer, faults []local.Fault, format string, style Style) error {
	return show(w, faults, format, style, func(d *document) {
		t := newTable("fault", "what goes wrong", "what it should lead to")
		for _, f := range faults {
			t.addRow([]any{f.Name, f.Effect, f.Expect})
		}
		t.setColumns(wrapped(2, 3))
		d.table(t)
	})
}

// Probes shows the result of each probe.
func Probes(w io.Writer, results []probe.Result, format string, style Style) error {
	return show(w, results, format, style, func(d *document) {
		for _, r := range results {
			d.probe(r, style.okSign(r.OK()))
		}
	})
}

func (d *document) probe(r probe.Result, sign string) {
	line := fmt.Sprintf("%s %s through the %s", sign, r.URL, r.Side)
	if r.StatusCode != 0 {
		line += fmt.Sprintf(": HTTP %d", r.StatusCode)
	}
	if r.Body != nil && r.Body.Status != "" {
		line += ", " + r.Body.Status
	}
	if r.Body != nil && r.Body.Database != "" {
		line += ", database " + r.Body.Database
	}
	d.add("    ", line)
	if r.Problem != nil {
		d.add("    ", "    "+r.Problem.Message)
		d.addWhole("    hint: " + r.Problem.Hint)
	}
	for _, w := range r.Warnings {
		d.add("    ", "    warning: "+w.Message)
		d.addWhole("    hint: " + w.Hint)
	}
	if len(r.DNS) > 0 {
		d.addf("      ", "    %s is %s", r.Host, strings.Join(r.DNS, ", "))
	}
	if r.TLS != nil {
		d.addf("      ", "    %s, certificate of %s by %s, %d days left", r.TLS.Version, r.TLS.Subject, r.TLS.Issuer, r.TLS.DaysLeft)
	}
	s := r.Steps
	d.addf("      ", "    %.0f ms: DNS %.0f, connect %.0f, TLS %.0f, first byte %.0f", s.Total, s.DNS, s.Connect, s.TLS, s.FirstByte)
}

// Snapshots shows a database's snapshots.
func Snapshots(w io.Writer, all []database.Snapshot, now time.Time, format string, style Style) error {
	if all == nil {
		all = []database.Snapshot{}
	}
	return show(w, all, format, style, func(d *document) { d.snapshots(all, now) })
}

func (d *document) snapshots(all []database.Snapshot, now time.Time) {
	if len(all) == 0 {
		d.add("", "no snapshots")
		return
	}
	t := newTable("snapshot", "status", "size", "engine", "created", "age", "occasion", "by")
	t.setColumns(slices.Concat(alignRight(3), below(5, 6, 7, 8)))
	for _, s := range all {
		engine, status := s.Version, s.Status
		if !s.Encrypted {
			engine += ", not encrypted"
		}
		if status == "creating" {
			status = fmt.Sprintf("%d %% done", s.Progress)
		}
		t.addRow([]any{
			s.Name, status, fmt.Sprintf("%d GiB", s.SizeGiB), engine, formatMinute(s.Created), Age(now.Sub(s.Created)), s.Occasion(), s.CreatedBy,
		})
	}
	d.table(t)
}

// KeyDifference is how a key of a secret differs: added, removed, changed or same. It contains no value.
type KeyDifference struct {
	Key    string `json:"key"`
	Result string `json:"result"`
}

// KeyDifferences shows how one version of a secret differs from another.
func KeyDifferences(w io.Writer, before, after string, differences []KeyDifference, format string) error {
	value := map[string]any{"from": before, "to": after, "keys": differences}
	return show(w, value, format, Style{}, func(d *document) {
		d.addf("", "from %s\nto   %s", before, after)
		signs := map[string]string{"added": "+", "removed": "-", "changed": "~", "same": " "}
		for _, difference := range differences {
			d.addf("", "%s %s (%s)", signs[difference.Result], difference.Key, difference.Result)
		}
	})
}

// Lock shows the state of an environment's lock; with a nil status it is free.
func Lock(w io.Writer, environment string, status *lock.Status, background []string, format string, style Style) error {
	view := struct {
		Environment string `json:"environment"`
		// State is free, held, ending or expired.
		State string `json:"state"`
		// SilentSeconds is the time since the last heartbeat.
		SilentSeconds float64      `json:"silentSeconds,omitempty"`
		Holder        *lock.Holder `json:"holder,omitempty"`
	}{Environment: environment, State: "free"}
	if status != nil {
		view.State, view.Holder, view.SilentSeconds = string(status.State), &status.Holder, status.SinceHeartbeat.Seconds()
	}
	return show(w, view, format, style, func(d *document) {
		d.lock(environment, status)
		for _, running := range background {
			d.add("  ", "but "+running)
		}
	})
}

func (d *document) lock(environment string, status *lock.Status) {
	if status == nil {
		d.add("", environment+" is free: no deployer is changing it")
		return
	}
	state := map[lock.State]string{
		lock.StateHeld:    "held",
		lock.StateEnding:  "ending: its deployer crashed or was killed, its engine is still running",
		lock.StateExpired: "expired: its holder crashed or was killed; the next deployment takes it over",
	}[status.State]
	h, t := status.Holder, newTable("lock", environment)
	t.setColumns(wrapped(2))
	rows := [][2]string{
		{"state", state},
		{"doing", strings.TrimSpace(h.Command + " " + h.Image)},
		{"phase", h.Phase}, {"by", h.By}, {"from", fmt.Sprintf("%s, process %d", h.Host, h.PID)}, {"run", h.Run},
		{"since", formatTime(h.Started)},
		{"last heartbeat", status.SinceHeartbeat.Round(time.Second).String() + " ago"},
	}
	if !h.Expires.IsZero() {
		rows = append(rows, [2]string{"expires", formatTime(h.Expires) + ", unless a heartbeat arrives"})
	}
	for _, row := range rows {
		if row[1] != "" {
			t.addRow([]any{row[0], row[1]})
		}
	}
	d.table(t)
}
