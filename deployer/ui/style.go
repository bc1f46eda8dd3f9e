// Package ui is all that a person sees: progress, tables, reports. It decides nothing.
package ui

import (
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Style is how something is shown.
type Style struct {
	// Colour allows colours.
	Colour bool
	// Width is the terminal's, in columns; 0 where there is none.
	Width int
	// Words says statuses in words, where signs such as ✅ cannot be shown.
	Words bool
}

// paint colours a word, where colours are allowed.
func (s Style) paint(word string, colours ...text.Color) string {
	if !s.Colour {
		return word
	}
	return text.Colors(colours).EscapeSeq() + word + text.Reset.EscapeSeq()
}

// table is an empty table in the one style of this program, its columns two spaces apart.
func (s Style) table(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	style := t.Style()
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.AppendHeader(table.Row(header))
	return t
}

// wrap shares what the terminal has beside taken columns among the columns that may break.
func (s Style) wrap(t table.Writer, taken int, columns ...int) {
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

// status is the sign of something that is well or not.
func (s Style) status(ok bool) string {
	if ok {
		return s.paint("✓", text.FgGreen)
	}
	return s.paint("✗", text.FgRed)
}
