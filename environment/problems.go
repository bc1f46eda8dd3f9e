package environment

import (
	"fmt"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/problem"
	"github.com/balancer/v3-backend-infra/internal/suggest"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// problemList collects problems; its methods are the forms that many rules share.
type problemList []problem.Problem

func (l *problemList) add(path, remedy, format string, args ...any) {
	*l = append(*l, problem.Problem{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (l *problemList) match(path, value string, pattern *lazyregexp.Regexp, remedy string) {
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
		l.add(path, fmt.Sprintf("give a time from %s to %s", formatDuration(low), formatDuration(high)),
			"%s is out of range", formatDuration(value))
	}
}

// formatDuration omits the units that are zero: 15m, where String returns 15m0s.
func formatDuration(d time.Duration) string {
	formatted := d.String()
	if strings.HasSuffix(formatted, "m0s") {
		formatted = strings.TrimSuffix(formatted, "0s")
	}
	if strings.HasSuffix(formatted, "h0m") {
		formatted = strings.TrimSuffix(formatted, "0m")
	}
	return formatted
}

// otherNames maps names that other tools have for a value, which may look like those of another value, to the value.
// Source: https://go.dev/doc/install/source#environment
var otherNames = map[string]string{
	"amd64": string(X86), "x86-64": string(X86), "x64": string(X86), "linux/amd64": string(X86),
	"aarch64": string(ARM64), "graviton": string(ARM64), "linux/arm64": string(ARM64), "linux/arm64/v8": string(ARM64),
}

// oneOf adds a problem where a value is none of those that are allowed, with what was probably meant.
func oneOf[T ~string](l *problemList, path string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	words := make([]string, len(allowed))
	for i, word := range allowed {
		words[i] = string(word)
	}
	remedy := "give " + text.Join(words, "or")
	if value == "" {
		l.add(path, remedy, "it is missing")
		return
	}
	suggested := suggest.Hint(string(value), words, remedy)
	if meant := otherNames[strings.ToLower(string(value))]; slices.Contains(words, meant) {
		suggested = suggest.Hint(meant, []string{meant}, remedy)
	}
	l.add(path, suggested, "%q is not a valid value", value)
}
