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
	require.Contains(t, out.String(), "\r\x1b[K\x1b[J\x1b[?7lprovision 0s creating rds/instance dat…\x1b[?7h\r")
	require.Contains(t, out.String(), "\r\x1b[K\x1b[Jprovision  ✓  4m05s  2 resources changed\n")
}

// A narrow terminal shows how long the phase has taken and what it waits for; a wide one all of it.
func TestLiveLine(t *testing.T) {
	operation := func(name string, d time.Duration) running.Operation {
		return running.Operation{Name: name, Started: began.Add(-d)}
	}
	activity := release.Activity{Done: 43, Total: 126, Running: []running.Operation{
		operation("acm/certificateValidation domain", 130*time.Second), operation("rds/instance database", 271*time.Second),
	}}
	rollout := "api 1/1 running, 1 old, 1 healthy; worker 0/1 running, 1 old"
	for name, test := range map[string]struct {
		style    Style
		message  string
		activity release.Activity
		want     string
	}{
		"provision at 40":           {Style{Width: 40}, "", activity, "provision 5m00s 43/126 database 4m31s …"},
		"provision at 40 in ASCII":  {Style{Width: 40, ASCII: true}, "", activity, "provision 5m00s 43/126 database 4m31..."},
		"provision at 80":           {Style{Width: 80}, "", activity, "provision 5m00s 43/126 database 4m31s (+1)"},
		"provision at 200":          {Style{Width: 200}, "", activity, "provision  …  5m00s  43 of 126 resources; rds/instance database 4m31s, acm/certificateValidation domain 2m10s"},
		"provision at 200 in ASCII": {Style{Width: 200, ASCII: true}, "", activity, "provision  ...  5m00s  43 of 126 resources; rds/instance database 4m31s, acm/certificateValidation domain 2m10s"},
		"a message at 40":           {Style{Width: 40}, rollout, release.Activity{}, "provision 5m00s api 1/1 running, 1 old…"},
		"a message at 80":           {Style{Width: 80}, rollout, release.Activity{}, "provision 5m00s api 1/1 running, 1 old, 1 healthy; worker 0/1 running, 1 old"},
		"20 columns":                {Style{Width: 20}, rollout, release.Activity{}, "provision 5m00s ap…"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Progress{
				ProgressOptions: ProgressOptions{Style: test.style, Now: func() time.Time { return began }},
				phase:           "provision", started: began.Add(-5 * time.Minute), message: test.message, activity: test.activity,
			}
			require.Equal(t, test.want, p.liveLine(test.style.Width-1))
		})
	}
}

// A terminal that is resized while the line is live wraps it. No part of it stays, even where the width is read before a resize and the
// line written after it.
func TestLiveProgressInResizedTerminal(t *testing.T) {
	for _, widths := range [][3]int{{80, 40, 200}, {200, 80, 40}, {200, 13, 80}, {40, 80, 40}} {
		screen := &emulator{width: widths[0]}
		columns := screen.columns
		if widths[1] == 13 {
			columns = func() int { return 200 }
		}
		p := NewProgress(screen, ProgressOptions{Live: true, Now: func() time.Time { return began }, Columns: columns})
		p.Report(release.Event{Time: began, Kind: release.PhaseStarted, Phase: "rollout"})
		for i, width := range widths {
			screen.resize(width)
			p.Report(release.Event{Kind: release.Progress, Phase: "rollout", Message: strings.Repeat("waiting for tasks ", 20)})
			require.Len(t, screen.lines, i+1, "the notes before, and the live line")
			p.Report(release.Event{Kind: release.Note, Phase: "rollout", Message: "last log line: x"})
		}
		screen.resize(widths[0])
		p.Report(release.Event{Kind: release.PhaseEnded, Phase: "rollout", Message: "done", Outcome: history.Succeeded, Took: time.Second})
		p.Close()
		note := "rollout    last log line: x"
		require.Equal(t, []string{note, note, note, "rollout    ✓   1.0s  done", ""}, screen.lines, widths)
	}
}

// An emulator is a terminal that wraps lines again when it is resized, as most do. It understands what Progress writes.
type emulator struct {
	mu    sync.Mutex
	width int
	// lines have no breaks where the terminal wraps them. The cursor is on a character of one of them.
	lines  []string
	line   int
	column int
	// clips is true while lines are not wrapped, full where the cursor is still on the last character of a row.
	clips, full bool
}

func (e *emulator) columns() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.width
}

func (e *emulator) resize(width int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.width = width
}

func (e *emulator) Write(written []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.lines) == 0 {
		e.lines = []string{""}
	}
	for rest := string(written); rest != ""; {
		if after, found := strings.CutPrefix(rest, "\x1b[K\x1b[J"); found {
			e.lines = e.lines[:e.line+1]
			e.lines[e.line] = string([]rune(e.lines[e.line])[:e.column])
			rest = after
			continue
		}
		if after, found := strings.CutPrefix(rest, autowrapOff); found {
			e.clips, rest = true, after
			continue
		}
		if after, found := strings.CutPrefix(rest, autowrapOn); found {
			e.clips, rest = false, after
			continue
		}
		r := []rune(rest)[0]
		rest = rest[len(string(r)):]
		switch r {
		case '\r':
			if e.full {
				e.column--
			}
			e.column, e.full = e.column-e.column%e.width, false
		case '\n':
			e.line, e.column, e.full = e.line+1, 0, false
			if e.line == len(e.lines) {
				e.lines = append(e.lines, "")
			}
		case '\x1b':
			panic("unknown control sequence before " + rest)
		default:
			if e.clips && e.full {
				e.column--
			}
			line := []rune(e.lines[e.line])
			e.lines[e.line] = string(append(line[:min(e.column, len(line))], append([]rune{r}, line[min(e.column+1, len(line)):]...)...))
			e.column++
			e.full = e.column%e.width == 0
		}
	}
	return len(written), nil
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
			lines := strings.Split(strings.TrimSuffix(out.String(), eraseLive), eraseLive)
			_, shown, _ := strings.Cut(strings.TrimSuffix(lines[len(lines)-1], autowrapOn+"\r"), "0.0s  ")
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
