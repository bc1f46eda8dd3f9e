package ui

import (
	"bytes"
	"cmp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/internal/running"
)

var began = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

// events are a deployment in which a rollout warns and fails.
var events = []release.Event{
	{Time: began, Kind: release.PhaseStarted, Phase: "provision"},
	{Time: began, Kind: release.Progress, Phase: "provision", Message: "creating rds/instance database"},
	{Time: began, Kind: release.PhaseEnded, Phase: "provision", Message: "2 resources changed", Outcome: history.Succeeded, Took: 245 * time.Second},
	{Time: began, Kind: release.PhaseEnded, Phase: "backup", Message: "deployment.backup is none in Pulumi.staging.yaml", Outcome: history.Skipped},
	{Time: began, Kind: release.PhaseStarted, Phase: "rollout"},
	{Time: began, Kind: release.Warning, Phase: "rollout", Message: "task 1 stopped: 100% full\nreally"},
	{Time: began, Kind: release.Note, Phase: "rollout", Message: "last log line: x"},
	{Time: began, Kind: release.PhaseEnded, Phase: "rollout", Message: "a long story", Outcome: history.Failed, Took: time.Second},
}

func TestProgress(t *testing.T) {
	for name, test := range map[string]struct {
		options ProgressOptions
		want    string
	}{
		"a line a step": {ProgressOptions{}, `provision  started
provision  ✓  4m05s  2 resources changed
backup     - skipped: deployment.backup is none in Pulumi.staging.yaml
rollout    started
rollout    warning: task 1 stopped: 100% full
really
rollout    last log line: x
rollout    ✗   1.0s  failed
`},
		"verbose": {ProgressOptions{Verbose: true}, `provision  started
provision  creating rds/instance database
provision  ✓  4m05s  2 resources changed
backup     - skipped: deployment.backup is none in Pulumi.staging.yaml
rollout    started
rollout    warning: task 1 stopped: 100% full
really
rollout    last log line: x
rollout    ✗   1.0s  failed
`},
		"quiet": {ProgressOptions{Quiet: true}, "rollout    warning: task 1 stopped: 100% full\nreally\n"},
		"quiet in GitHub Actions": {
			ProgressOptions{Quiet: true, Actions: true},
			"::warning title=rollout::task 1 stopped: 100%25 full%0Areally\n::error title=rollout failed::a long story\n",
		},
		"GitHub Actions": {ProgressOptions{Actions: true}, `::group::provision
::endgroup::
provision  ✓  4m05s  2 resources changed
backup     - skipped: deployment.backup is none in Pulumi.staging.yaml
::group::rollout
::warning title=rollout::task 1 stopped: 100%25 full%0Areally
rollout    last log line: x
::endgroup::
::error title=rollout failed::a long story
rollout    ✗   1.0s  failed
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			test.options.Now = func() time.Time { return began }
			p := NewProgress(&out, test.options)
			for _, e := range events {
				p.Report(e)
			}
			p.Close()
			require.Equal(t, test.want, out.String())
		})
	}
}

// A terminal's line is rewritten, and never longer than the terminal is wide.
func TestLiveProgress(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, ProgressOptions{Style: Style{Width: 40}, Live: true, Now: func() time.Time { return began }})
	p.Report(events[0])
	p.Report(events[1])
	p.Report(events[2])
	p.Close()
	require.Contains(t, out.String(), "\r\x1b[Kprovision  …   0.0s  creating rds/inst…\r")
	require.NotContains(t, out.String(), "creating rds/instance")
	require.Contains(t, out.String(), "\r\x1b[Kprovision  ✓  4m05s  2 resources changed\n")
}

// Where the output is not a terminal, a silent phase writes keep-alive lines.
func TestKeepAlive(t *testing.T) {
	out, now := &lineListener{received: make(chan struct{})}, began
	var mu sync.Mutex
	p := NewProgress(out, ProgressOptions{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	p.Report(events[0])
	p.Report(events[1])
	mu.Lock()
	now = began.Add(31 * time.Second)
	mu.Unlock()
	<-out.received
	p.Close()
	require.Equal(t, "provision  started\nprovision  still running after 31.0s: creating rds/instance database\n", out.String())
}

// The live line and the keep-alive line name the changes that are running, not the last one that began.
func TestRunningChanges(t *testing.T) {
	database := running.Operation{Name: "rds/instance database", Started: began.Add(-31 * time.Second)}
	policy := running.Operation{Name: "iam/rolePolicy task", Started: began}
	for name, test := range map[string]struct {
		events []release.Event
		want   string
	}{
		"before the first change": {nil, "creating rds/instance database"},
		"two changes": {
			[]release.Event{{Message: "creating iam/rolePolicy task", Activity: release.Activity{Running: []running.Operation{policy, database}, Done: 3}}},
			"3 resources done; rds/instance database 31s, iam/rolePolicy task 0s",
		},
		"the last that began has ended": {
			[]release.Event{
				{Message: "creating iam/rolePolicy task", Activity: release.Activity{Running: []running.Operation{database, policy}, Done: 3, Total: 126}},
				{Activity: release.Activity{Running: []running.Operation{database}, Done: 4, Total: 126}},
			}, "4 of 126 resources; rds/instance database 31s",
		},
		"everything that began has ended": {
			[]release.Event{{Activity: release.Activity{Done: 1}}}, "1 resource done",
		},
		"more than was expected": {
			[]release.Event{{Activity: release.Activity{Done: 3, Total: 2}}}, "3 resources done",
		},
		"another phase": {
			[]release.Event{
				{Activity: release.Activity{Running: []running.Operation{database}, Done: 4}},
				{Kind: release.PhaseStarted, Time: began, Phase: "migrate", Message: "waiting"},
			}, "waiting",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := NewProgress(&out, ProgressOptions{Style: Style{Width: 200}, Live: true, Now: func() time.Time { return began }})
			p.Report(events[0])
			p.Report(events[1])
			for _, e := range test.events {
				e.Kind = cmp.Or(e.Kind, release.Progress)
				p.Report(e)
			}
			p.Close()
			lines := strings.Split(strings.TrimSuffix(out.String(), eraseLine), eraseLine)
			_, shown, _ := strings.Cut(lines[len(lines)-1], "0.0s  ")
			require.Equal(t, test.want, shown)
		})
	}
}

// lineListener reports when a second line has arrived.
type lineListener struct {
	bytes.Buffer
	received chan struct{}
	n        int
}

func (l *lineListener) Write(p []byte) (int, error) {
	if l.n++; l.n == 2 {
		defer close(l.received)
	}
	return l.Buffer.Write(p)
}
