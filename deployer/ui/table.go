package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A column is how a table shows one of its columns. Without a way to fit, its cells stay whole.
type column struct {
	// number counts from 1.
	number int
	// right aligns numbers.
	right bool
	// fit shortens the column's cells to a width of at least min.
	fit fitting
	min int
}

// fitting is how the cells of a column are shortened.
type fitting int

const (
	// wholeCells cannot be shortened.
	wholeCells fitting = iota
	// wrapCells continue on another line, between words.
	wrapCells
	// snipCells lose their end, snipMiddles their middle.
	snipCells
	snipMiddles
	// belowCells move to a line below the row's first cell.
	belowCells
)

// alignRight returns columns with numbers.
func alignRight(columns ...int) []column {
	return list.Map(columns, func(n int) column { return column{number: n, right: true} })
}

// wrapped returns columns whose cells break lines where the terminal is too narrow.
func wrapped(columns ...int) []column {
	return list.Map(columns, func(n int) column { return column{number: n, fit: wrapCells} })
}

// below returns columns that move to a line of their own where the terminal is too narrow.
func below(columns ...int) []column {
	return list.Map(columns, func(n int) column { return column{number: n, fit: belowCells} })
}

// unbroken returns words that a wrapped cell keeps on one line.
func unbroken(words string) string { return strings.ReplaceAll(words, " ", noBreakSpace) }

const noBreakSpace = "\u00a0"

// A grid is a table without borders, its columns two spaces apart. It fits a terminal: columns become narrower where they allow it, and
// where that is not enough each row becomes a block with a line for each cell.
type grid struct {
	titles  []string
	columns []column
	rows    [][]string
	// notes has what is below each row at any width, "" for nothing.
	notes []string
}

// columnGap separates columns.
const columnGap = "  "

// newTable returns an empty table.
func newTable(header ...any) *grid {
	g := &grid{titles: list.Map(header, cell)}
	g.columns = make([]column, len(header))
	return g
}

func cell(value any) string { return fmt.Sprint(value) }

// addRow adds a row. Cells that it lacks at its end are empty.
func (g *grid) addRow(cells []any) {
	row := make([]string, len(g.titles))
	copy(row, list.Map(cells, cell))
	g.rows, g.notes = append(g.rows, row), append(g.notes, "")
}

// addNote adds a line below the last row.
func (g *grid) addNote(note string) { g.notes[len(g.notes)-1] = note }

// setColumns sets how columns are shown.
func (g *grid) setColumns(columns []column) {
	for _, c := range columns {
		g.columns[c.number-1] = c
	}
}

// render returns the lines of the table, at most width columns wide where its cells allow it; 0 is any width.
func (g *grid) render(style Style) []string {
	fitted := g
	if style.ASCII {
		fitted = g.mapped(text.ASCII)
	}
	if widths := fitted.widths(); style.Width <= 0 || tableWidth(widths) <= style.Width {
		return fitted.lines(widths, style.Width)
	}
	narrow := fitted.moveBelow()
	widths := narrow.shrink(style.Width)
	if len(narrow.titles) > 2 && tableWidth(widths) > style.Width {
		return fitted.blocks(style.Width)
	}
	return narrow.shorten(widths, style).lines(widths, style.Width)
}

// mapped returns the table with another text in each cell.
func (g *grid) mapped(change func(string) string) *grid {
	rows := list.Map(g.rows, func(row []string) []string { return list.Map(row, change) })
	return &grid{list.Map(g.titles, change), g.columns, rows, list.Map(g.notes, change)}
}

// widths returns the width of each column in full.
func (g *grid) widths() []int {
	widths := list.Map(g.titles, text.Width)
	for _, row := range g.rows {
		for i, value := range row {
			for line := range strings.SplitSeq(value, "\n") {
				widths[i] = max(widths[i], text.Width(line))
			}
		}
	}
	return widths
}

func tableWidth(widths []int) int {
	total := len(columnGap) * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	return total
}

// moveBelow returns the table with the columns that can be below a row there, above the row's note.
func (g *grid) moveBelow() *grid {
	kept := &grid{rows: make([][]string, len(g.rows)), notes: make([]string, len(g.rows))}
	for i, c := range g.columns {
		if c.fit != belowCells {
			kept.titles, kept.columns = append(kept.titles, g.titles[i]), append(kept.columns, c)
		}
		for n, row := range g.rows {
			switch {
			case c.fit != belowCells:
				kept.rows[n] = append(kept.rows[n], row[i])
			case row[i] != "" && kept.notes[n] != "":
				kept.notes[n] += ", " + row[i]
			case row[i] != "":
				kept.notes[n] = row[i]
			}
		}
	}
	for n, note := range g.notes {
		kept.notes[n] = strings.Trim(kept.notes[n]+"\n"+note, "\n")
	}
	return kept
}

// shrink returns widths with which the table fits a width: the widest column that can be narrower gives way first. Where that is not
// enough, every column is as narrow as it can be.
func (g *grid) shrink(width int) []int {
	widths, least := g.widths(), make([]int, len(g.columns))
	for i := range g.columns {
		least[i] = g.least(i, widths[i])
	}
	for tableWidth(widths) > width {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// least returns the least width of a column.
func (g *grid) least(i, full int) int {
	c, least := g.columns[i], text.Width(g.titles[i])
	switch c.fit {
	case wholeCells, belowCells:
		return full
	case snipCells, snipMiddles:
		return max(least, c.min)
	case wrapCells:
		for _, row := range g.rows {
			for _, word := range strings.Fields(strings.ReplaceAll(row[i], noBreakSpace, "_")) {
				least = max(least, text.Width(word))
			}
		}
	}
	return max(least, c.min)
}

// shorten returns the table with its cells reduced to widths.
func (g *grid) shorten(widths []int, style Style) *grid {
	fitted := g.mapped(func(value string) string { return value })
	for i, c := range g.columns {
		for _, row := range fitted.rows {
			switch c.fit {
			case wrapCells:
				row[i] = text.Wrap(row[i], widths[i], "")
			case snipCells:
				row[i] = style.snip(row[i], widths[i])
			case snipMiddles:
				row[i] = style.snipMiddle(row[i], widths[i])
			case wholeCells, belowCells:
			}
		}
	}
	return fitted
}

// lines returns the rows below the header. A note follows its row, indented.
func (g *grid) lines(widths []int, width int) []string {
	lines := g.rowLines(g.titles, widths)
	for n, row := range g.rows {
		lines = append(lines, g.rowLines(row, widths)...)
		lines = append(lines, noteLines(g.notes[n], width)...)
	}
	return list.Map(lines, breakable)
}

func noteLines(note string, width int) []string {
	if note == "" {
		return nil
	}
	return strings.Split(text.Wrap(columnGap+strings.ReplaceAll(note, "\n", "\n"+columnGap), width, columnGap), "\n")
}

// rowLines returns the lines of a row: as many as its longest cell has.
func (g *grid) rowLines(row []string, widths []int) []string {
	cells := list.Map(row, func(value string) []string { return strings.Split(value, "\n") })
	height := len(slices.MaxFunc(cells, func(a, b []string) int { return len(a) - len(b) }))
	lines := make([]string, height)
	for n := range lines {
		parts := make([]string, len(row))
		for i, cell := range cells {
			value := ""
			if n < len(cell) {
				value = cell[n]
			}
			room := strings.Repeat(" ", max(0, widths[i]-text.Width(value)))
			if g.columns[i].right {
				parts[i] = room + value
			} else {
				parts[i] = value + room
			}
		}
		lines[n] = strings.TrimRight(strings.Join(parts, columnGap), " ")
	}
	return lines
}

// blocks returns a block for each row: its cells that are not empty, each after its column's title.
func (g *grid) blocks(width int) []string {
	var lines []string
	for n, row := range g.rows {
		if n > 0 {
			lines = append(lines, "")
		}
		for i, value := range row {
			if value = strings.TrimSpace(strings.ReplaceAll(value, "\n", " ")); value == "" {
				continue
			}
			if g.titles[i] != "" {
				value = g.titles[i] + ": " + value
			}
			lines = append(lines, strings.Split(text.Wrap(value, width, columnGap), "\n")...)
		}
		lines = append(lines, noteLines(g.notes[n], width)...)
	}
	return list.Map(lines, breakable)
}

// breakable returns a line without the marks of unbroken.
func breakable(line string) string { return strings.ReplaceAll(line, noBreakSpace, " ") }
