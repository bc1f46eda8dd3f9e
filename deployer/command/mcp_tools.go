package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/logs"
	"github.com/balancer/v3-backend-infra/deployer/mcp"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/pricing"
)

func (m mcpServer) status(ctx context.Context, in mcp.StatusArguments) (*mcp.Status, error) {
	var report struct {
		mcp.Status
		Services []mcp.Finding `json:"services"`
	}
	warnings, err := m.read(ctx, in.Env, &report, func(ctx context.Context, s *services) error {
		timeout := statusTimeout
		if m.flags.timeout > 0 {
			timeout = m.flags.timeout
		}
		return statusOptions{
			targets: s.targets, terminal: s.terminal, stacks: s.stacks, format: "json", timeout: timeout, only: in.Only, hiddenOnly: true,
		}.run(ctx, ctx)
	})
	doc := &report.Status
	doc.Warnings, doc.Findings, doc.Asleep = warnings, []mcp.Finding{}, m.asleep(ctx, in.Env)
	rank := []string{string(checks.Error), string(checks.Unknown), string(checks.Warning), string(checks.Healthy)}
	slices.SortStableFunc(report.Services, func(a, b mcp.Finding) int {
		return slices.Index(rank, a.Status) - slices.Index(rank, b.Status)
	})
	for _, f := range report.Services {
		if lines, found := f.Details[checks.LogLines]; found {
			delete(f.Details, checks.LogLines)
			f.Details["untrusted_log_lines"] = lines
		}
		listed := slices.ContainsFunc(doc.Findings, func(other mcp.Finding) bool { return other.Component == f.Component })
		switch {
		case f.Status != string(checks.Healthy) || len(in.Only) > 0:
			doc.Findings = append(doc.Findings, f)
		case !listed && !slices.Contains(doc.Healthy, f.Component):
			doc.Healthy = append(doc.Healthy, f.Component)
		}
	}
	return doc, err
}

// asleep returns that an environment is asleep, and how a person wakes it; nil where it is awake, and where that is unknown.
func (m mcpServer) asleep(ctx context.Context, env string) *mcp.Asleep {
	asleep := false
	_, _, err := m.output(ctx, env, func(ctx context.Context, s *services) error {
		return s.targets.with(ctx, env, func(t *target.Target) error {
			err := explainAsleep(ctx, t, nil)
			asleep = err != nil
			return err
		})
	})
	if !asleep {
		return nil
	}
	return &mcp.Asleep{Message: err.Error(), Hint: hint.Of(err)}
}

func (m mcpServer) health(ctx context.Context, in mcp.EnvironmentArguments) (*mcp.Health, error) {
	var results []struct {
		mcp.Probe
		DNS  []string `json:"dns"`
		Body struct{ Status, Database string }
		TLS  *struct {
			DaysLeft int `json:"days_left"`
		} `json:"tls"`
		Steps struct {
			Total float64 `json:"total_ms"`
		} `json:"steps"`
	}
	warnings, err := m.read(ctx, in.Env, &results, func(ctx context.Context, s *services) error {
		return s.targets.with(ctx, in.Env, func(t *target.Target) error { return health(ctx, s.terminal, t, "json") })
	})
	doc := &mcp.Health{Environment: m.fullName(in.Env), Healthy: true, Probes: []mcp.Probe{}, Notes: mcp.Notes{Warnings: warnings}}
	for _, r := range results {
		r.Probe.Addresses, r.Probe.Status, r.Probe.Database, r.Probe.TotalMS = r.DNS, r.Body.Status, r.Body.Database, r.Steps.Total
		if r.TLS != nil {
			r.Probe.DaysLeft = &r.TLS.DaysLeft
		}
		doc.Healthy = doc.Healthy && r.Problem == nil
		doc.Probes = append(doc.Probes, r.Probe)
	}
	return doc, err
}

// An mcpChange is a change in the JSON of drift and preview.
type mcpChange struct {
	Operation, Change, Type, Name, ID string
	Differences                       []struct {
		Path                     string
		Old, New, Stack, Account any
		Replaces, AsProgram      bool
	}
}

// changesFor returns changes whose type or name contains one of the words; all without words.
func changesFor(where string, all []mcpChange, only []string) []mcp.Change {
	found := []mcp.Change{}
	for _, c := range all {
		if !containsAny(only, c.Type, c.Name) {
			continue
		}
		change := mcp.Change{Where: where, Change: c.Operation + c.Change, Type: c.Type, Name: c.Name, ID: c.ID}
		for _, d := range c.Differences {
			difference := mcp.Difference{Path: d.Path, Before: d.Old, After: d.New, Replaces: d.Replaces, AsProgram: d.AsProgram}
			if where == "account" {
				difference.Before, difference.After = d.Stack, d.Account
			}
			change.Differences = append(change.Differences, difference)
		}
		found = append(found, change)
	}
	return found
}

// containsAny reports whether a text contains one of the words, in any case; also without words.
func containsAny(words []string, texts ...string) bool {
	all := strings.ToLower(strings.Join(texts, "\n"))
	found := func(word string) bool { return strings.Contains(all, strings.ToLower(word)) }
	return len(words) == 0 || slices.ContainsFunc(words, found)
}

func (m mcpServer) drift(ctx context.Context, in mcp.DriftArguments) (*mcp.Drift, error) {
	var found struct {
		mcp.Drift
		Account, Program []mcpChange
		Pending          []mcpChange
		UnderWay         string
		Error            *struct{ Message string } `json:"error"`
	}
	warnings, err := m.read(ctx, in.Env, &found, func(ctx context.Context, s *services) error {
		return driftOptions{targets: s.targets, terminal: s.terminal, stacks: s.stacks, format: "json"}.run(ctx)
	})
	doc := &found.Drift
	doc.Running, doc.Warnings = found.UnderWay, warnings
	if found.Error != nil {
		doc.Error = found.Error.Message
	}
	doc.Changes = slices.Concat(changesFor("account", found.Account, in.Only), changesFor("unknown outcome", found.Pending, in.Only),
		changesFor("program", found.Program, in.Only))
	return doc, err
}

func (m mcpServer) preview(ctx context.Context, in mcp.PreviewArguments) (*mcp.Preview, error) {
	var found struct {
		mcp.Preview
		Attention []string
		Warnings  []string `json:"warnings"`
		Steps     []mcpChange
	}
	warnings, err := m.read(ctx, in.Env, &found, func(ctx context.Context, s *services) error {
		return previewOptions{
			targets: s.targets, terminal: s.terminal, stacks: s.stacks, shared: s.shared, format: "json", tag: in.ImageTag,
		}.run(ctx)
	})
	doc := &found.Preview
	doc.Risks, doc.Changes = found.Attention, changesFor("", found.Steps, in.Only)
	doc.Warnings = slices.Concat(found.Warnings, warnings)
	return doc, err
}

func (m mcpServer) tasks(ctx context.Context, in mcp.TasksArguments) (*mcp.Tasks, error) {
	var found struct {
		mcp.Tasks
		All []struct {
			mcp.Task
			Image struct{ Tag, Digest string } `json:"image"`
		} `json:"tasks"`
	}
	warnings, err := m.read(ctx, in.Env, &found, func(ctx context.Context, s *services) error {
		return tasksOptions{targets: s.targets, terminal: s.terminal, format: "json", services: in.Service}.run(ctx)
	})
	doc := &found.Tasks
	doc.Timestamp, doc.Warnings, doc.Tasks, doc.Asleep = inSeconds(doc.Timestamp), warnings, []mcp.Task{}, m.asleep(ctx, in.Env)
	for _, t := range found.All {
		t.Task.Image = cmp.Or(t.Image.Tag, t.Image.Digest)
		t.ID, t.Stopped = ecstasks.ShortID(t.ID), inSeconds(t.Stopped)
		doc.Tasks = append(doc.Tasks, t.Task)
	}
	return doc, err
}

func (m mcpServer) images(ctx context.Context, in mcp.ImagesArguments) (*mcp.Images, error) {
	doc := &mcp.Images{}
	warnings, err := m.read(ctx, in.Env, doc, func(ctx context.Context, s *services) error {
		return imagesOptions{targets: s.targets, shared: s.shared, terminal: s.terminal, format: "json"}.run(ctx)
	})
	doc.Warnings = warnings
	for i := range doc.Images {
		doc.Images[i].Pushed = inSeconds(doc.Images[i].Pushed)
	}
	return doc, err
}

// inSeconds returns a time of JSON in whole seconds.
func inSeconds(at string) string {
	parsed, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return at
	}
	return parsed.UTC().Format(time.RFC3339)
}

func (m mcpServer) vars(ctx context.Context, in mcp.VarsArguments) (*mcp.Vars, error) {
	var found struct {
		mcp.Vars
		Findings   []mcp.Finding `json:"findings"`
		Containers []struct {
			Role      string
			Variables []mcp.Variable
		}
	}
	warnings, err := m.read(ctx, in.Env, &found, func(ctx context.Context, s *services) error {
		return varsOptions{
			targets: s.targets, terminal: s.terminal, format: "json", timeout: m.flags.timeout, services: in.Service, filter: in.Only,
		}.run(ctx)
	})
	doc := &found.Vars
	doc.Warnings, doc.Variables, doc.Asleep = warnings, []mcp.Variable{}, m.asleep(ctx, in.Env)
	doc.Findings = list.Filter(found.Findings, func(f mcp.Finding) bool { return f.Status != string(checks.Healthy) })
	for _, c := range found.Containers {
		for _, v := range c.Variables {
			same := func(other mcp.Variable) bool {
				other.Services = nil
				return reflect.DeepEqual(v, other)
			}
			if at := slices.IndexFunc(doc.Variables, same); at >= 0 {
				doc.Variables[at].Services = append(doc.Variables[at].Services, c.Role)
				continue
			}
			v.Services = []string{c.Role}
			doc.Variables = append(doc.Variables, v)
		}
	}
	return doc, err
}

func (m mcpServer) cost(ctx context.Context, in mcp.CostArguments) (*mcp.Cost, error) {
	var found struct {
		Environment         string
		MonthlyUSD, MostUSD float64
		BudgetUSD           float64
		Unpriced            []string
		Lines               []struct {
			Area, Resource string
			MonthlyUSD     float64
		}
		InUse, Savings []struct {
			Setting    string
			From       string
			To         string
			MonthlyUSD float64
			Price      string
		}
	}
	warnings, err := m.read(ctx, in.Env, &found, func(ctx context.Context, s *services) error {
		return costOptions{targets: s.targets, terminal: s.terminal, format: "json", assumed: pricing.DefaultAssumptions()}.run(ctx)
	})
	doc := &mcp.Cost{
		Environment: found.Environment, MonthlyUSD: found.MonthlyUSD, MostUSD: found.MostUSD, BudgetUSD: found.BudgetUSD,
		Unpriced: found.Unpriced, Lines: []mcp.CostLine{}, Notes: mcp.Notes{Warnings: warnings},
	}
	for _, l := range found.Lines {
		if containsAny(in.Only, l.Area, l.Resource) {
			doc.Lines = append(doc.Lines, mcp.CostLine{Area: l.Area, Resource: l.Resource, MonthlyUSD: l.MonthlyUSD})
		}
	}
	slices.SortStableFunc(doc.Lines, func(a, b mcp.CostLine) int { return int(100 * (b.MonthlyUSD - a.MonthlyUSD)) })
	for _, s := range found.InUse {
		doc.InUse = append(doc.InUse, mcp.Saving(s))
	}
	for _, s := range found.Savings {
		doc.Savings = append(doc.Savings, mcp.Saving(s))
	}
	return doc, err
}

func (m mcpServer) outputs(ctx context.Context, in mcp.OutputsArguments) (*mcp.Outputs, error) {
	found := map[string]any{}
	warnings, err := m.read(ctx, in.Env, &found, func(ctx context.Context, s *services) error {
		return outputsOptions{targets: s.targets, terminal: s.terminal, stacks: s.stacks, format: "json"}.run(ctx)
	})
	doc := &mcp.Outputs{Environment: m.fullName(in.Env), Outputs: []mcp.Output{}, Notes: mcp.Notes{Warnings: warnings}}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		// The environment's whole description is for the deployer itself.
		if containsAny(in.Only, name) && (name != infra.OutputEnvironment || slices.Contains(in.Only, name)) {
			doc.Outputs = append(doc.Outputs, mcp.Output{Name: name, Value: found[name]})
		}
	}
	return doc, err
}

func (m mcpServer) history(ctx context.Context, in mcp.HistoryArguments) (*mcp.History, error) {
	var all []history.Deployment
	var one history.Deployment
	into := any(&all)
	if in.ID != "" {
		into = &one
	}
	// One more than is shown, so that the result names that there are more.
	limit := cmp.Or(in.Limit, defaultHistoryLimit) + in.Offset + 1
	warnings, err := m.read(ctx, in.Env, into, func(ctx context.Context, s *services) error {
		return historyOptions{targets: s.targets, terminal: s.terminal, format: "json", id: in.ID, limit: limit}.run(ctx)
	})
	if in.ID != "" {
		all = []history.Deployment{one}
	}
	doc := &mcp.History{
		Environment: m.fullName(in.Env), Deployments: []mcp.Deployment{}, Detailed: in.ID != "", More: len(all) == limit,
		Notes: mcp.Notes{Warnings: warnings},
	}
	for _, d := range all {
		doc.Deployments = append(doc.Deployments, deploymentFor(d, in.ID != ""))
	}
	return doc, err
}

// deploymentFor returns a record for a document, with its phases and its whole error where it was asked for.
func deploymentFor(d history.Deployment, detailed bool) mcp.Deployment {
	found := mcp.Deployment{
		ID: d.ID, Kind: string(d.Kind), By: d.By, Started: d.Started.UTC().Format(time.RFC3339), Outcome: string(d.Outcome),
		Verified: d.Verified, Snapshot: d.Snapshot, Error: text.Headline(d.Error),
	}
	if !d.Ended.IsZero() {
		found.Seconds = int(d.Ended.Sub(d.Started).Seconds())
	}
	if d.DeploysImage() {
		found.Image = cmp.Or(d.Image.Tag, d.Image.Digest)
	}
	if d.RolledBackTo != nil {
		found.RolledBackTo = cmp.Or(d.RolledBackTo.Tag, d.RolledBackTo.Digest)
	}
	for _, p := range d.Phases {
		if p.Outcome == history.Failed || p.Outcome == history.Interrupted {
			found.FailedPhase = cmp.Or(found.FailedPhase, p.Name)
		}
		if detailed {
			found.Phases = append(found.Phases, mcp.Phase{
				Name: p.Name, Outcome: string(p.Outcome), Seconds: math.Round(p.Seconds*10) / 10, Message: p.Message,
			})
		}
	}
	if detailed {
		found.Error, found.Hint, found.Warnings = d.Error, d.Hint, d.Warnings
	}
	return found
}

// defaultLogWindow declares how far back the tool logs reads without since.
const defaultLogWindow = "1h"

// defaultLogLines declares how many lines it returns at most; a result has room for fewer.
const defaultLogLines = 100

// searchedLogLines declares how many of the newest lines it searches for the words of filter.
const searchedLogLines = 10_000

// logs returns log lines. CloudWatch is never given the words of filter: it would compare them with what the container wrote, and
// that it finds a line, or how many, would reveal a part of a value that is hidden. Filter and limit apply to the lines as shown.
func (m mcpServer) logs(ctx context.Context, in mcp.LogsArguments) (*mcp.Logs, error) {
	doc := &mcp.Logs{
		Environment: m.fullName(in.Env), Since: cmp.Or(in.Since, defaultLogWindow), Note: mcp.Untrusted, Lines: []mcp.Line{},
	}
	words, limit := strings.Fields(in.Filter), cmp.Or(in.Limit, defaultLogLines)
	if strings.ContainsAny(in.Filter, `"\`) {
		return nil, hint.With(errors.New("filter takes words, not a pattern"), "leave quotes and backslashes out")
	}
	read := limit + 1 // the one more is not returned: it shows that there are older ones
	if len(words) > 0 {
		read = searchedLogLines
	}
	printed, warnings, err := m.output(ctx, in.Env, func(ctx context.Context, s *services) error {
		return logsOptions{
			targets: s.targets, terminal: s.terminal, format: logs.JSON, services: in.Service, since: doc.Since, until: in.Until,
			limit: read, hiddenOnly: true, newest: true,
		}.run(ctx)
	})
	if err != nil {
		return nil, err
	}
	doc.Warnings, doc.Asleep = warnings, m.asleep(ctx, in.Env)
	var oldest string
	searched := 0
	for line := range bytes.Lines(printed) {
		var e logs.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read a line: %w", err)
		}
		found := mcp.Line{
			Time: e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), Service: e.Service, Task: ecstasks.ShortID(e.Task),
			Untrusted: strings.TrimRight(e.Message, "\r\n"),
		}
		searched, oldest = searched+1, cmp.Or(oldest, found.Time)
		if containsAll(found.Untrusted, words) {
			doc.Lines = append(doc.Lines, found)
		}
	}
	if over := len(doc.Lines) - limit; over > 0 {
		doc.Lines, doc.More = doc.Lines[over:], true
	}
	if searched == searchedLogLines {
		doc.Truncated = append(doc.Truncated, fmt.Sprintf(`only the newest %d lines were searched; for older ones call logs with "until" %s, `+
			`or with "service"`, searched, oldest))
	}
	return doc, nil
}

// containsAll reports whether a text contains all words.
func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

func (m mcpServer) lock(ctx context.Context, in mcp.EnvironmentArguments) (*mcp.Lock, error) {
	doc := &mcp.Lock{}
	warnings, err := m.read(ctx, in.Env, doc, lockStatus)
	doc.Warnings = warnings
	return doc, err
}

// fullName returns the name of an environment that its documents have.
func (m mcpServer) fullName(stack string) string {
	env, err := environment.Load(m.flags.Dir, stack)
	if err != nil {
		return stack
	}
	return env.Name
}
