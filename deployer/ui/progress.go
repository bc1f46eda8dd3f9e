package ui

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

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
	// Columns returns the terminal's width at each redraw, since it can be resized; nil where Style.Width does not change.
	Columns func() int
}

const (
	// keepAliveInterval is how long a phase may be silent where the output is not a terminal.
	keepAliveInterval = 30 * time.Second
	// redrawInterval is how often the live line is rewritten.
	redrawInterval = 200 * time.Millisecond
)

// eraseLive erases the live line from its first character, also where a terminal that became narrower has wrapped it: the cursor stays
// on that character, wherever the terminal moves it. The line is erased before what follows: tmux moves what it clears at the top of the
// screen into the history.
// Source: https://man.openbsd.org/tmux.1 (scroll-on-clear)
const eraseLive = "\r\x1b[K\x1b[J"

// Between these the terminal does not wrap: the live line keeps to one row, even if the terminal becomes narrower before it is written.
// Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (DECAWM)
const autowrapOff, autowrapOn = "\x1b[?7l", "\x1b[?7h"

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
	mark, message := p.okSign(true), text.FirstLine(e.Message)
	switch e.Outcome {
	case history.Failed:
		// The error itself is printed at the end, in full.
		mark, message = p.okSign(false), "failed"
	case history.Interrupted:
		mark, message = p.okSign(false), "interrupted"
	case history.Incomplete:
		mark = p.okSign(false)
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
	width := p.Width
	if p.Columns != nil {
		width = p.Columns()
	}
	_, _ = fmt.Fprint(p.out, eraseLive+autowrapOff+p.liveLine(max(1, width-1))+autowrapOn+"\r")
	p.drawn = true
}

// liveLine returns the phase, its time and what it is doing: in the form of the lines that remain, or shorter where that does not fit.
func (p *Progress) liveLine(width int) string {
	took := p.Now().Sub(p.started)
	line := p.plain(fmt.Sprintf("%-10s … %6s  %s", p.phase, formatDuration(took), p.current()))
	if text.Width(line) > width {
		line = p.snip(fmt.Sprintf("%s %s %s", p.phase, text.Duration(took), p.brief()), width)
	}
	return line
}

// brief returns what the phase is doing in a few words: the number of resources and the change that has taken the longest, without its
// type, or the phase's last message.
func (p *Progress) brief() string {
	doing, done, total := p.activity.Running, p.activity.Done, p.activity.Total
	if len(doing) == 0 {
		return p.current()
	}
	longest := running.Sorted(doing)[0]
	names := strings.Fields(longest.Name)
	line := names[len(names)-1] + " " + text.Duration(p.Now().Sub(longest.Started))
	if total > 0 && done <= total {
		line = fmt.Sprintf("%d/%d %s", done, total, line)
	}
	if others := len(doing) - 1; others > 0 {
		line += fmt.Sprintf(" (+%d)", others)
	}
	return line
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
		_, _ = fmt.Fprint(p.out, eraseLive)
		p.drawn = false
	}
}

// ErrorAnnotation returns the workflow command that shows an error on the page of a GitHub Actions run.
func ErrorAnnotation(message string) string { return "::error::" + escapeAnnotation(message) }

// escapeAnnotation escapes a message for a workflow command.
// Source: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
func escapeAnnotation(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}
