package ui

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Emoji returns the sign of a status in a report for people.
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

// statusSign returns a status as a sign, or as a word where the terminal cannot show signs.
func (s Style) statusSign(status checks.Status) string {
	if s.ASCII {
		return s.statusColor(status, fmt.Sprintf("%-7s", status))
	}
	return Emoji(status)
}

// statusPrefix returns the sign for a line that contains the status; nothing where the terminal cannot show signs.
func (s Style) statusPrefix(status checks.Status) string {
	if s.ASCII {
		return ""
	}
	return Emoji(status) + " "
}

func (s Style) statusWord(status checks.Status) string { return s.statusColor(status, string(status)) }

func (s Style) statusColor(status checks.Status, words string) string {
	switch status {
	case checks.Healthy:
		return s.green(words)
	case checks.Error:
		return s.red(words)
	}
	return s.yellow(words)
}

// statusCount is how many findings have a status.
type statusCount struct {
	Status checks.Status
	N      int
}

// statusCounts returns the counts of a summary that are not 0, the worst first.
func statusCounts(s checks.Summary) []statusCount {
	all := []statusCount{{checks.Error, s.Error}, {checks.Warning, s.Warning}, {checks.Unknown, s.Unknown}, {checks.Healthy, s.Healthy}}
	return list.Filter(all, func(c statusCount) bool { return c.N > 0 })
}

// Counts returns the counts of a summary as words.
func Counts(s checks.Summary) string {
	if s.Total == 0 {
		return "nothing was checked"
	}
	plural := map[checks.Status]string{checks.Unknown: "unknown", checks.Healthy: "healthy"}
	parts := list.Map(statusCounts(s), func(c statusCount) string { return text.Plural(c.N, string(c.Status), plural[c.Status]) })
	return fmt.Sprintf("%s of %d", strings.Join(parts, ", "), s.Total)
}

// detail is one value of a finding's details. The name of a nested value has dots, as in rollout.state.
type detail struct{ Name, Value string }

// String returns the detail as NAME=VALUE, with quotes around a value that has spaces.
func (d detail) String() string {
	if strings.ContainsAny(d.Value, " \t\n\"") {
		return fmt.Sprintf("%s=%q", d.Name, d.Value)
	}
	return d.Name + "=" + d.Value
}

func sortedDetails(details map[string]any) []detail {
	plain, err := plainJSON(details)
	if err != nil {
		return []detail{{"unreadable", err.Error()}}
	}
	return flattenDetails("", plain)
}

// plainJSON returns a value as it would be read from JSON.
func plainJSON(details map[string]any) (plain map[string]any, err error) {
	encoded, err := json.Marshal(details)
	if err == nil {
		err = json.Unmarshal(encoded, &plain)
	}
	return plain, err
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

func joinDetails(details []detail) string {
	return strings.Join(list.Map(details, detail.String), " ")
}

// inline returns a value on one line.
func inline(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "{" + joinDetails(flattenDetails("", v)) + "}"
	case []any:
		return strings.Join(list.Map(v, inline), ", ")
	case float64:
		return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
