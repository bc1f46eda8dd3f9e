package ui

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
)

// Emoji is the sign of a status that a report for people begins a line with.
func Emoji(s checks.Status) string {
	switch s {
	case checks.Healthy:
		return "✅"
	case checks.Warning:
		return "⚠️"
	case checks.Error:
		return "❌"
	}
	return "❓"
}

// statusSign is a status as a sign, or as a word where the terminal cannot show signs.
func (s Style) statusSign(status checks.Status) string {
	if s.NoEmoji {
		return s.colorize(fmt.Sprintf("%-7s", status), statusColor(status))
	}
	return Emoji(status)
}

// statusPrefix is the sign before something that names the status itself; nothing where the terminal cannot show signs.
func (s Style) statusPrefix(status checks.Status) string {
	if s.NoEmoji {
		return ""
	}
	return Emoji(status) + " "
}

// statusWord is a status in its colour.
func (s Style) statusWord(status checks.Status) string {
	return s.colorize(string(status), statusColor(status))
}

func statusColor(status checks.Status) text.Color {
	switch status {
	case checks.Healthy:
		return text.FgGreen
	case checks.Error:
		return text.FgRed
	}
	return text.FgYellow
}

// Counts is the counts of a summary as a sentence has them: those that are not nothing, the worst first.
func Counts(s checks.Summary) string {
	if s.Total == 0 {
		return "nothing was judged"
	}
	var parts []string
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{s.Error, "error", "errors"}, {s.Warning, "warning", "warnings"}, {s.Unknown, "unknown", "unknown"}, {s.Healthy, "healthy", "healthy"},
	} {
		switch c.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+c.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.many))
		}
	}
	return fmt.Sprintf("%s of %d", strings.Join(parts, ", "), s.Total)
}

// wrapLine breaks a line between words where it is wider than the terminal. The lines after the first are indented. A word
// that is wider than a line stays whole, so that it can be copied.
func (s Style) wrapLine(line, indent string) string {
	if s.Width <= 0 || text.StringWidthWithoutEscSequences(line) <= s.Width {
		return line
	}
	var b strings.Builder
	margin := line[:len(line)-len(strings.TrimLeft(line, " "))]
	b.WriteString(margin)
	column := len(margin)
	for i, word := range strings.Split(strings.TrimLeft(line, " "), " ") {
		width := text.StringWidthWithoutEscSequences(word)
		switch {
		case i == 0:
		case column+1+width > s.Width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += width
	}
	return b.String()
}

// detail is one piece of a finding's evidence.
type detail struct{ Name, Value string }

// String is the fact as NAME=VALUE, the value in quotes where it has spaces.
func (f detail) String() string {
	if strings.ContainsAny(f.Value, " \t\n\"") {
		return fmt.Sprintf("%s=%q", f.Name, f.Value)
	}
	return f.Name + "=" + f.Value
}

// sortedDetails is a finding's details, sorted by name; what is inside of something has a name such as rollout.state.
func sortedDetails(details map[string]any) []detail {
	encoded, err := json.Marshal(details)
	var plain map[string]any
	if err == nil {
		err = json.Unmarshal(encoded, &plain)
	}
	if err != nil {
		return []detail{{"unreadable", err.Error()}}
	}
	return flattenDetails("", plain)
}

func flattenDetails(prefix string, object map[string]any) []detail {
	var found []detail
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if inner, ok := object[key].(map[string]any); ok && len(inner) > 0 {
			found = append(found, flattenDetails(prefix+key+".", inner)...)
			continue
		}
		found = append(found, detail{prefix + key, inline(object[key])})
	}
	return found
}

// joinDetails joins facts to one line.
func joinDetails(facts []detail, separator string) string {
	var all []string
	for _, f := range facts {
		all = append(all, f.String())
	}
	return strings.Join(all, separator)
}

// inline is a value on one line.
func inline(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "{" + joinDetails(flattenDetails("", v), " ") + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, inline(item))
		}
		return strings.Join(items, ", ")
	case float64:
		return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
