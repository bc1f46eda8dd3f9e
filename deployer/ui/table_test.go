package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/pricing"
)

// shownTables returns what writes each table of the deployer, with values as long as they get in practice.
func shownTables(t *testing.T) map[string]func(io.Writer, Style) error {
	var envs []*environment.Environment
	var costs []Cost
	for _, stack := range []string{"dev", "production", "staging"} {
		env, err := environment.Load("../..", stack)
		require.NoError(t, err)
		envs = append(envs, env)
		costs = append(costs, Cost{Environment: env.Name, Stack: stack, Region: env.Region, Estimate: pricing.EstimateEnvironment(env, pricing.DefaultAssumptions()), BudgetUSD: 50})
	}
	at := time.Date(2026, 11, 23, 16, 15, 30, 0, time.UTC)
	variable := func(name, value string) checks.Variable {
		return checks.Variable{Name: name, Value: checks.Public(value), Secret: "balancer-production-config", Key: name, Origin: checks.FromReference, State: checks.Set, Required: true}
	}
	inspected := checks.Inspection{Containers: []checks.Container{{
		Service: "v3-backend-production-scheduler-service", Container: "balancer-scheduler", Running: "v3-backend-production-scheduler:12",
		Variables: []checks.Variable{variable("SUBGRAPH_API_URL", "https://gateway.thegraph.com/api/subgraphs/id/v3-backend-production"), variable("PORT", "3000")},
	}}}
	holder := lock.Holder{Command: "up", Image: "1.41.8-abc123def", Phase: "provision", By: "anna@build-host", Host: "build-host", PID: 123456, Started: at}
	return map[string]func(io.Writer, Style) error{
		"env list": func(w io.Writer, s Style) error { return Environments(w, envs, "text", s) },
		"history":  func(w io.Writer, s Style) error { return History(w, deploymentsOfEveryKind(), "text", s) },
		"a deployment": func(w io.Writer, s Style) error {
			return Deployment(w, deploymentsOfEveryKind()[0], "text", s)
		},
		"tasks":  func(w io.Writer, s Style) error { return Tasks(w, tasksOfEveryKind(), "table", s) },
		"images": func(w io.Writer, s Style) error { return Images(w, manyImages(at), "text", s) },
		"snapshots": func(w io.Writer, s Style) error {
			return Snapshots(w, []database.Snapshot{{
				Name: "v3-backend-development-pre-deploy-20261122-090807", Status: "available", SizeGiB: 20, Version: "16.8", Created: at,
				Deployment: "20261123-161530-1f3a", CreatedBy: "alice@workstation",
			}}, at.Add(time.Hour), "text", s)
		},
		"lock": func(w io.Writer, s Style) error {
			return Lock(w, "production", &lock.Status{State: lock.StateExpired, Holder: holder}, nil, "text", s)
		},
		"cost":     func(w io.Writer, s Style) error { return Costs(w, costs[1:2], false, "text", s) },
		"cost all": func(w io.Writer, s Style) error { return Costs(w, costs, true, "text", s) },
		"vars": func(w io.Writer, s Style) error {
			return Variables(w, []VariablesReport{{Inspection: inspected}}, false, "table", s)
		},
		"faults": func(w io.Writer, s Style) error { return Faults(w, local.Faults(), "text", s) },
	}
}

func manyImages(at time.Time) ImageList {
	run := func(env string, role environment.Role) release.Run { return release.Run{Environment: env, Role: role} }
	return ImageList{Total: 2, Images: []release.StoredImage{
		{
			Digest: "sha256:" + strings.Repeat("a", 64), Tags: []string{"1.41.8-abc123def", "dev-latest", "latest", "production-latest", "staging-latest"},
			Pushed: at, SizeBytes: 187_000_000, Scanned: true, Findings: map[string]int{"CRITICAL": 12},
			Runs:     []release.Run{run("qa", "api"), run("dev", "api"), run("dev", "scheduler"), run("production", "api")},
			Verified: []string{"dev", "staging"},
		},
		{Digest: "sha256:" + strings.Repeat("b", 64), Tags: []string{"1.41.7-9f8e7d6c5"}, Pushed: at, ScanStatus: ecrtypes.ScanStatusFailed,
			ScanDescription: "UnsupportedImageError: The operating system 'x' is not supported.", Runs: []release.Run{run("qa", "worker"), run("qa", "scheduler")}},
	}}
}

// No table is wider than the terminal, except for a word that has to be copied whole, and none loses a word but for values that
// are truncated.
func TestTablesFitTheTerminal(t *testing.T) {
	for name, show := range shownTables(t) {
		var whole strings.Builder
		require.NoError(t, show(&whole, Style{}))
		for _, width := range []int{40, 80, 200} {
			for _, ascii := range []bool{false, true} {
				t.Run(fmt.Sprint(name, width, ascii), func(t *testing.T) {
					var out strings.Builder
					require.NoError(t, show(&out, Style{Width: width, ASCII: ascii}))
					for line := range strings.Lines(out.String()) {
						line = strings.TrimSuffix(line, "\n")
						longest := 0
						for word := range strings.FieldsSeq(line) {
							longest = max(longest, text.Width(word))
						}
						whole := longest > width-len("  ")
						require.True(t, text.Width(line) <= width || whole, "%d columns: %q\n%s", text.Width(line), line, out.String())
						require.Equal(t, strings.TrimRight(line, " "), line, "trailing spaces")
						require.NotContains(t, line, noBreakSpace)
						if ascii && !strings.ContainsRune(line, 'ä') {
							require.Equal(t, strings.ToValidUTF8(line, "?"), line)
							require.False(t, strings.ContainsFunc(line, func(r rune) bool { return r > 127 }), line)
						}
					}
					_, rows, _ := strings.Cut(whole.String(), "\n") // what is below a row has no title
					for word := range strings.FieldsSeq(rows) {
						shortened := strings.Contains(out.String(), "…") || strings.Contains(out.String(), "...")
						require.True(t, shortened || strings.Contains(out.String(), Style{ASCII: ascii}.plain(word)), "%s is missing in\n%s", word, out.String())
					}
				})
			}
		}
	}
}

func TestTable(t *testing.T) {
	table := newTable("name", "n", "where", "value", "when")
	table.setColumns(slices.Concat(alignRight(2), wrapped(3), below(5), []column{{number: 4, fit: snipMiddles, min: 7}}))
	table.addRow([]any{"one", 5, unbroken("qa api") + ", " + unbroken("qa worker"), "0123456789abcdef", "today"})
	table.addRow([]any{"three", 120})
	table.addNote("a note on three")
	for name, test := range map[string]struct {
		width int
		want  string
	}{
		"a pipe": {0, `
name     n  where              value             when
one      5  qa api, qa worker  0123456789abcdef  today
three  120
  a note on three`},
		"as wide as it is": {54, `
name     n  where              value             when
one      5  qa api, qa worker  0123456789abcdef  today
three  120
  a note on three`},
		"a column goes below": {53, `
name     n  where              value
one      5  qa api, qa worker  0123456789abcdef
  today
three  120
  a note on three`},
		"a cell wraps between pairs, another is truncated": {37, `
name     n  where        value
one      5  qa api,      01234…abcdef
            qa worker
  today
three  120
  a note on three`},
		"as narrow as it gets": {30, `
name     n  where      value
one      5  qa api,    012…def
            qa worker
  today
three  120
  a note on three`},
		"a block for each row": {29, `
name: one
n: 5
where: qa api, qa worker
value: 0123456789abcdef
when: today

name: three
n: 120
  a note on three`},
	} {
		require.Equal(t, test.want, "\n"+strings.Join(table.render(Style{Width: test.width}), "\n"), name)
	}
	two := newTable("lock", "production")
	two.setColumns(wrapped(2))
	two.addRow([]any{"state", "unbreakable-value"})
	require.Equal(t, "lock   production\nstate  unbreakable-value", strings.Join(two.render(Style{Width: 12}), "\n"),
		"a table of two columns is no block: its first column is the title of the second")
	ascii := strings.Join(table.render(Style{Width: 37, ASCII: true}), "\n")
	require.Contains(t, ascii, "  0123...bcdef\n")
}

func TestImagesHaveTheirScan(t *testing.T) {
	for want, image := range map[string]release.StoredImage{
		"not scanned: UnsupportedImageError: x": {ScanStatus: ecrtypes.ScanStatusFailed, ScanDescription: "UnsupportedImageError: x"},
		"not scanned: in progress":              {ScanStatus: ecrtypes.ScanStatusInProgress},
		"not scanned":                           {},
		"clean":                                 {Scanned: true},
		"2 high":                                {Scanned: true, Findings: map[string]int{"LOW": 3, "HIGH": 2}},
	} {
		var out strings.Builder
		require.NoError(t, Images(&out, ImageList{Images: []release.StoredImage{image}}, "text", Style{}))
		require.Contains(t, out.String(), "  "+want+"\n")
	}
}
