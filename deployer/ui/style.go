// Package ui writes what users see: progress, tables and reports. It makes no decisions.
package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A Style is what the terminal can show.
type Style struct {
	// Color allows colors.
	Color bool
	// Width is the terminal's width in columns; 0 where the output is not a terminal.
	Width int
	// NoEmoji replaces signs such as ✅ by words.
	NoEmoji bool
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
		return s.green("✓")
	}
	return s.red("✗")
}

// newTable returns an empty table without borders, its columns two spaces apart.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	style := t.Style()
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = pretty.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.AppendHeader(table.Row(header))
	return t
}

// alignRight returns the configuration of columns with numbers.
func alignRight(columns ...int) []table.ColumnConfig {
	return list.Map(columns, func(n int) table.ColumnConfig {
		return table.ColumnConfig{Number: n, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight}
	})
}

// wrapped returns the configuration of a column that breaks lines at a width.
func wrapped(column, width int) table.ColumnConfig {
	return table.ColumnConfig{Number: column, WidthMax: width, WidthMaxEnforcer: pretty.WrapSoft}
}

// A document collects lines of text, which are written at once.
type document struct {
	strings.Builder
	style Style
}

// add appends a line. What is wider than the terminal continues on the next line, after indent.
func (d *document) add(indent, line string) {
	d.WriteString(text.Wrap(strings.TrimRight(line, " "), d.style.Width, indent) + "\n")
}

func (d *document) addf(indent, format string, args ...any) {
	d.add(indent, fmt.Sprintf(format, args...))
}

// changes appends changes. Their lines are fitted into the terminal's width already, but for what has to be copied whole.
func (d *document) changes(changes []change) {
	for _, c := range changes {
		d.WriteString(strings.Join(c.lines(d.style), "\n") + "\n")
	}
}

func (d *document) table(t table.Writer) {
	for line := range strings.Lines(t.Render()) {
		d.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

func (d *document) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, d.String())
	return err
}
