package environment

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Problem is one thing that is wrong with a file, where it stands, and what to do about it.
type Problem struct {
	// Line counts from 1; 0 where the value did not come from a file.
	Line int `json:"line,omitempty"`
	// Path is the key, with dots between the levels: services.api.cpu.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
	// Excerpt shows the line as the file has it.
	Excerpt string `json:"-"`
}

// InvalidError holds every problem of one file.
type InvalidError struct {
	File     string
	Problems []Problem
}

// Error has a line for each problem: file, line, key, what is wrong, and the remedy. Below the problems of one line
// stands that line.
func (e *InvalidError) Error() string {
	var text []string
	for i, p := range e.Problems {
		where := e.File
		if p.Line > 0 {
			where += fmt.Sprintf(":%d", p.Line)
		}
		if p.Path != "" {
			where += ": " + p.Path
		}
		text = append(text, where+": "+p.Message+"; "+p.Remedy)
		if more := e.Problems[i+1:]; p.Excerpt != "" && (len(more) == 0 || more[0].Line != p.Line) {
			text = append(text, p.Excerpt)
		}
	}
	return strings.Join(text, "\n")
}

// problemList collects problems; its methods are the forms that many rules share.
type problemList []Problem

func (l *problemList) add(path, remedy, format string, args ...any) {
	*l = append(*l, Problem{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (l *problemList) match(path, value string, pattern *regexp.Regexp, remedy string) {
	switch {
	case value == "":
		l.add(path, remedy, "it is missing")
	case !pattern.MatchString(value):
		l.add(path, remedy, "%q is not valid", value)
	}
}

func (l *problemList) within(path string, value, low, high int) {
	if value < low || value > high {
		l.add(path, fmt.Sprintf("give a number from %d to %d", low, high), "%d is out of range", value)
	}
}

func (l *problemList) duration(path string, value, low, high time.Duration) {
	if value < low || value > high {
		l.add(path, fmt.Sprintf("give a time from %s to %s", formatDuration(low), formatDuration(high)), "%s is out of range", formatDuration(value))
	}
}

// formatDuration writes a duration without the units that are zero: 15m, where its String has 15m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func oneOf[T ~string](l *problemList, path string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	words := make([]string, len(allowed))
	for i, word := range allowed {
		words[i] = string(word)
	}
	remedy := "give " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if value == "" {
		l.add(path, remedy, "it is missing")
		return
	}
	l.add(path, remedy, "%q is not known", value)
}
