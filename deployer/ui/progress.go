package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
)

// ProgressOptions say how progress is shown.
type ProgressOptions struct {
	Style
	// Live rewrites one line in a terminal; otherwise there is a line a step.
	Live bool
	// Quiet says nothing but warnings; Verbose says every step of the engine.
	Quiet, Verbose bool
	// Actions adds the workflow commands of GitHub Actions: groups and annotations.
	Actions bool
	// Now is the time.
	Now func() time.Time
}

// keepAliveInterval is how long a phase may be silent where the output is no terminal.
const keepAliveInterval = 30 * time.Second

// redrawInterval is how often the live line counts on.
const redrawInterval = 200 * time.Millisecond

// Progress shows the events of a deployment as they come.
type Progress struct {
	ProgressOptions
	out  io.Writer
	stop chan struct{}
	done sync.WaitGroup

	mu        sync.Mutex
	phase     string
	started   time.Time
	message   string
	lastWrite time.Time
	drawn     bool
}

// NewProgress starts showing; Close ends it.
func NewProgress(out io.Writer, o ProgressOptions) *Progress {
	p := &Progress{ProgressOptions: o, out: out, stop: make(chan struct{})}
	p.done.Go(p.tick)
	return p
}

// Close takes the live line away and returns when nothing more will be written.
func (p *Progress) Close() {
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Step shows something that is no deployment as a phase of its own.
func (p *Progress) Step(name string, run func(report func(string)) (string, error)) error {
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
		p.phase, p.started, p.message = e.Phase, e.Time, e.Message
		switch {
		case p.Quiet:
		case p.Actions:
			p.printLine("::group::%s", e.Phase)
		case !p.Live:
			p.printLine("%-10s %s", e.Phase, strings.TrimSpace("started "+e.Message))
		}
	case release.Progress:
		p.message = e.Message
		if !p.Live && p.Verbose {
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
			p.printLine("%-10s %s %s", e.Phase, p.colorize("warning:", text.FgYellow), e.Message)
		}
	case release.PhaseEnded:
		p.phaseEnded(e)
		p.phase = ""
	}
	p.draw()
}

// phaseEnded is the line that stays of a phase.
func (p *Progress) phaseEnded(e release.Event) {
	if p.Actions && !p.Quiet {
		p.printLine("::endgroup::")
	}
	if p.Actions && e.Outcome == history.Failed {
		p.printLine("::error title=%s failed::%s", e.Phase, escapeAnnotation(e.Message))
	}
	if p.Quiet {
		return
	}
	sign, message := p.colorize("✓", text.FgGreen), firstLine(e.Message)
	switch e.Outcome {
	case history.Failed:
		// The error itself is printed at the end, in full.
		sign, message = p.colorize("✗", text.FgRed), "failed"
	case history.Interrupted:
		sign, message = p.colorize("✗", text.FgRed), "interrupted"
	case history.Skipped:
		p.printLine("%-10s - skipped: %s", e.Phase, e.Message)
		return
	}
	p.printLine("%-10s %s %6s  %s", e.Phase, sign, formatDuration(e.Took), message)
}

// tick keeps the live line counting, and elsewhere gives a sign of life.
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
				p.printLine("%-10s still at it after %s: %s", p.phase, formatDuration(p.Now().Sub(p.started)), p.message)
			}
			p.draw()
			p.mu.Unlock()
		}
	}
}

// printLine writes a line that stays, above the live one.
func (p *Progress) printLine(format string, args ...any) {
	p.erase()
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
	p.lastWrite = p.Now()
}

// draw rewrites the live line.
func (p *Progress) draw() {
	if !p.Live || p.Quiet || p.phase == "" {
		return
	}
	line := fmt.Sprintf("%-10s … %6s  %s", p.phase, formatDuration(p.Now().Sub(p.started)), p.message)
	_, _ = fmt.Fprint(p.out, "\r"+text.EraseLine.Sprint()+text.Trim(line, max(20, p.Width-1)))
	p.drawn = true
}

func (p *Progress) erase() {
	if p.drawn {
		_, _ = fmt.Fprint(p.out, "\r"+text.EraseLine.Sprint())
		p.drawn = false
	}
}

// escapeAnnotation follows the rules of workflow commands.
// Source: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
func escapeAnnotation(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// formatDuration is a duration as people say it: 0.4s, 12.3s, 4m05s.
func formatDuration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
