// Package ui writes what users see: progress, tables and reports. It makes no decisions.
package ui

import (
	"fmt"
	"io"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// A Style is what the terminal can show.
type Style struct {
	// Color allows colors.
	Color bool
	// Width and Height are the terminal's, in columns and lines; 0 where the output is not a terminal.
	Width, Height int
	// ASCII replaces symbols: ✅ by words, … and → by ASCII characters.
	ASCII bool
}

func (s Style) colorize(words string, color pretty.Color) string {
	if !s.Color {
		return words
	}
	return pretty.Colors{color}.EscapeSeq() + words + pretty.Reset.EscapeSeq()
}

func (s Style) bold(words string) string      { return s.colorize(words, pretty.Bold) }
func (s Style) faint(words string) string     { return s.colorize(words, pretty.Faint) }
func (s Style) underline(words string) string { return s.colorize(words, pretty.Underline) }
func (s Style) red(words string) string       { return s.colorize(words, pretty.FgRed) }
func (s Style) green(words string) string     { return s.colorize(words, pretty.FgGreen) }
func (s Style) yellow(words string) string    { return s.colorize(words, pretty.FgYellow) }

func (s Style) okSign(ok bool) string {
	if ok {
		return s.green(s.plain("✓"))
	}
	return s.red(s.plain("✗"))
}

// plain returns words as the terminal can show them.
func (s Style) plain(words string) string {
	if s.ASCII {
		return text.ASCII(words)
	}
	return words
}

// snip truncates a line that is wider than width.
func (s Style) snip(line string, width int) string {
	line = s.plain(line)
	if s.ASCII && text.Width(line) > width {
		width -= len("..") // the mark takes three columns instead of one
	}
	return s.plain(text.Snip(line, width))
}

// snipMiddle removes the middle of a line that is wider than width.
func (s Style) snipMiddle(line string, width int) string {
	line = s.plain(line)
	if s.ASCII && text.Width(line) > width {
		width -= len("..")
	}
	return s.plain(text.SnipMiddle(line, width))
}

// A document collects lines of text, which are written at once.
type document struct {
	strings.Builder
	style Style
}

// add appends a line. What is wider than the terminal continues on the next line, after indent.
func (d *document) add(indent, line string) {
	line = d.style.plain(line)
	d.WriteString(text.Wrap(strings.TrimRight(line, " "), d.style.Width, indent) + "\n")
}

// addWhole appends lines that the terminal wraps, so that a command in them can be copied whole.
func (d *document) addWhole(lines string) { d.WriteString(d.style.plain(lines) + "\n") }

func (d *document) addf(indent, format string, args ...any) {
	d.add(indent, fmt.Sprintf(format, args...))
}

// changes appends changes. Their lines are fitted into the terminal's width already, but for what has to be copied whole.
func (d *document) changes(changes []change) {
	for _, c := range changes {
		d.WriteString(d.style.plain(strings.Join(c.lines(d.style), "\n")) + "\n")
	}
}

func (d *document) table(t *grid) {
	for _, line := range t.render(d.style) {
		d.WriteString(line + "\n")
	}
}

func (d *document) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, d.String())
	return err
}
