package ui

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/internal/running"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// ProgressOptions configure how progress is shown.
type ProgressOptions struct {
	Style
	// Live rewrites one line in a terminal; otherwise each step has a line.
	Live bool
	// Quiet writes only warnings, Verbose every step of the engine.
	Quiet, Verbose bool
	// Actions adds the workflow commands of GitHub Actions: groups and annotations.
	Actions bool
	Now     func() time.Time
}

const (
	// keepAliveInterval is how long a phase may be silent where the output is not a terminal.
	keepAliveInterval = 30 * time.Second
	// redrawInterval is how often the live line is rewritten.
	redrawInterval = 200 * time.Millisecond
)

var eraseLine = "\r" + pretty.EraseLine.Sprint()

// Progress shows the events of a deployment as they arrive.
type Progress struct {
	ProgressOptions
	out  io.Writer
	stop chan struct{}
	done sync.WaitGroup

	mu        sync.Mutex
	phase     string
	started   time.Time
	message   string
	activity  release.Activity
	lastWrite time.Time
	drawn     bool
}

// NewProgress returns a running Progress, which Close ends.
func NewProgress(out io.Writer, o ProgressOptions) *Progress {
	p := &Progress{ProgressOptions: o, out: out, stop: make(chan struct{})}
	p.done.Go(p.tick)
	return p
}

// Close erases the live line. It returns when nothing more will be written.
func (p *Progress) Close() {
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Step runs something that is not a deployment, and shows it as a phase: as interrupted where it failed after ctx had ended.
func (p *Progress) Step(ctx context.Context, name string, run func(report func(string)) (string, error)) error {
	started := p.Now()
	p.Report(release.Event{Time: started, Kind: release.PhaseStarted, Phase: name})
	summary, err := run(func(s string) {
		p.Report(release.Event{Time: p.Now(), Kind: release.Progress, Phase: name, Message: s})
	})
	ended := release.Event{
		Time: p.Now(), Kind: release.PhaseEnded, Phase: name, Message: summary, Outcome: history.Succeeded, Took: p.Now().Sub(started),
	}
	if err != nil {
		ended.Outcome, ended.Message = history.Failed, ""
		if ctx.Err() != nil {
			ended.Outcome = history.Interrupted
		}
	}
	p.Report(ended)
	return err
}

// Report shows one event.
func (p *Progress) Report(e release.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case release.PhaseStarted:
		p.phase, p.started, p.message, p.activity = e.Phase, e.Time, e.Message, release.Activity{}
		switch {
		case p.Quiet:
		case p.Actions:
			p.printLine("::group::%s", e.Phase)
		case !p.Live:
			p.printLine("%-10s %s", e.Phase, strings.TrimSpace("started "+e.Message))
		}
	case release.Progress:
		p.activity = e.Activity
		if e.Message != "" {
			p.message = e.Message
		}
		if !p.Live && p.Verbose && e.Message != "" {
			p.printLine("%-10s %s", e.Phase, e.Message)
		}
	case release.Note:
		if !p.Quiet {
			p.printLine("%-10s %s", e.Phase, e.Message)
		}
	case release.Warning:
		if p.Actions {
			p.printLine("::warning title=%s::%s", e.Phase, escapeAnnotation(e.Message))
		} else {
			p.printLine("%-10s %s %s", e.Phase, p.yellow("warning:"), e.Message)
		}
	case release.PhaseEnded:
		p.phaseEnded(e)
		p.phase = ""
	}
	p.draw()
}

// phaseEnded writes the line that remains of a phase.
func (p *Progress) phaseEnded(e release.Event) {
	if p.Actions && !p.Quiet && p.phase != "" {
		p.printLine("::endgroup::")
	}
	if p.Actions && e.Outcome == history.Failed {
		p.printLine("::error title=%s failed::%s", e.Phase, escapeAnnotation(e.Message))
	}
	if p.Quiet {
		return
	}
	mark, message := p.green("✓"), text.FirstLine(e.Message)
	switch e.Outcome {
	case history.Failed:
		// The error itself is printed at the end, in full.
		mark, message = p.red("✗"), "failed"
	case history.Interrupted:
		mark, message = p.red("✗"), "interrupted"
	case history.Skipped:
		p.printLine("%-10s - skipped: %s", e.Phase, e.Message)
		return
	}
	p.printLine("%-10s %s %6s  %s", e.Phase, mark, formatDuration(e.Took), message)
}

// tick updates the duration on the live line, and elsewhere writes keep-alive lines.
func (p *Progress) tick() {
	ticker := time.NewTicker(redrawInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			if p.phase != "" && !p.Live && !p.Quiet && p.Now().Sub(p.lastWrite) >= keepAliveInterval {
				p.printLine("%-10s still running after %s: %s", p.phase, formatDuration(p.Now().Sub(p.started)), p.current())
			}
			p.draw()
			p.mu.Unlock()
		}
	}
}

// printLine writes a line that remains, above the live one.
func (p *Progress) printLine(format string, args ...any) {
	p.erase()
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
	p.lastWrite = p.Now()
}

func (p *Progress) draw() {
	if !p.Live || p.Quiet || p.phase == "" {
		return
	}
	line := fmt.Sprintf("%-10s … %6s  %s", p.phase, formatDuration(p.Now().Sub(p.started)), p.current())
	_, _ = fmt.Fprint(p.out, eraseLine+text.Snip(line, max(20, p.Width-1)))
	p.drawn = true
}

// current returns what the phase is doing: how many resources are done and the changes that are running, each with its time, or the
// phase's last message. Between two changes there is only the number: a message of the engine is about a change that has ended.
func (p *Progress) current() string {
	doing, done, total := running.Describe(p.activity.Running, p.Now()), p.activity.Done, p.activity.Total
	separator := "; "
	if doing == "" {
		separator = ""
	}
	switch {
	case total > 0 && done <= total && done+len(p.activity.Running) > 0:
		return fmt.Sprintf("%d of %d resources%s%s", done, total, separator, doing)
	case done > 0:
		return text.Plural(done, "resource", "") + " done" + separator + doing
	}
	return cmp.Or(doing, p.message)
}

func (p *Progress) erase() {
	if p.drawn {
		_, _ = fmt.Fprint(p.out, eraseLine)
		p.drawn = false
	}
}

// escapeAnnotation escapes a message for a workflow command.
// Source: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
func escapeAnnotation(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}
