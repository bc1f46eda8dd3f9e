// Package ui is all that a person sees: progress, tables, reports. It decides nothing.
package ui

import (
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Style is how something is shown.
type Style struct {
	// Color allows colours.
	Color bool
	// Width is the terminal's, in columns; 0 where there is none.
	Width int
	// NoEmoji says statuses in words, where signs such as ✅ cannot be shown.
	NoEmoji bool
}

// colorize colours a word, where colours are allowed.
func (s Style) colorize(word string, colors ...text.Color) string {
	if !s.Color {
		return word
	}
	return text.Colors(colors).EscapeSeq() + word + text.Reset.EscapeSeq()
}

// newTable is an empty table in the one style of this program, its columns two spaces apart.
func (s Style) newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	style := t.Style()
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.AppendHeader(table.Row(header))
	return t
}

// wrapColumns shares what the terminal has beside taken columns among the columns that may break.
func (s Style) wrapColumns(t table.Writer, taken int, columns ...int) {
	if s.Width <= 0 {
		return
	}
	width := max(16, (s.Width-taken)/len(columns)-2)
	var configs []table.ColumnConfig
	for _, n := range columns {
		configs = append(configs, table.ColumnConfig{Number: n, WidthMax: width, WidthMaxEnforcer: text.WrapSoft})
	}
	t.SetColumnConfigs(configs)
}

// okSign is the sign of something that is well or not.
func (s Style) okSign(ok bool) string {
	if ok {
		return s.colorize("✓", text.FgGreen)
	}
	return s.colorize("✗", text.FgRed)
}
