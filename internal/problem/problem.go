// Package problem describes what is wrong with a file: where, what, and how to correct it.
package problem

import (
	"fmt"
	"strings"
)

// A Problem is one mistake in a file.
type Problem struct {
	// Line counts from 1; it is 0 where the line is not known or there is only one.
	Line int
	// Path is the key in a nested document, with dots between the levels: services.api.cpu.
	Path string
	// Variable is the environment variable that Message is about, which begins with a verb then.
	Variable string
	Message  string
	// Remedy is an instruction, such as "give a number from 1 to 10".
	Remedy string
	// Other is the other file of a conflict between two; "" for a problem of one.
	Other string
	// Excerpt is the line as the file has it.
	Excerpt string
}

// Text returns the problem on one line, after its location in the source.
func (p Problem) Text(source string) string {
	text := Location(source, p.Line) + ": "
	if p.Path != "" {
		text += p.Path + ": "
	}
	if p.Variable != "" {
		text += p.Variable + " "
	}
	return text + p.Message + "; " + p.Remedy
}

// Location returns SOURCE:LINE, or the source alone where the line is 0.
func Location(source string, line int) string {
	if line == 0 {
		return source
	}
	return fmt.Sprintf("%s:%d", source, line)
}

// Error holds every problem of one source.
type Error struct {
	// Source is the name of a file, or of whatever else was read.
	Source   string
	Problems []Problem
}

// Error returns a line for each problem, and an excerpt below the last problem of its line.
func (e *Error) Error() string {
	var lines []string
	for i, p := range e.Problems {
		lines = append(lines, p.Text(e.Source))
		if rest := e.Problems[i+1:]; p.Excerpt != "" && (len(rest) == 0 || rest[0].Line != p.Line) {
			lines = append(lines, p.Excerpt)
		}
	}
	return strings.Join(lines, "\n")
}
