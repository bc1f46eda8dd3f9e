// Package docs embeds the pages that the program quotes.
package docs

import (
	_ "embed" // the page
	"regexp"
	"strings"
)

//go:embed environment.md
var environmentPage string

// Rule is a row of a table in environment.md; tests compare the tables with the code.
type Rule struct {
	// Shared is set for a key of the shared stack's file.
	Shared  bool   `json:"shared"`
	Section string `json:"section"`
	Key     string `json:"key"`
	Type    string `json:"type"`
	// Default is "" if there is none; Required is set if the key must be given.
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required"`
	Text     string `json:"rule"`
	// Source is the URL of a rule that is not our own.
	Source string `json:"source,omitempty"`
}

var (
	heading = regexp.MustCompile(`^## (.*)$`)
	row     = regexp.MustCompile("^\\| `([^`]+)` \\| ([a-z ]+) \\|(.*)\\|$")
	link    = regexp.MustCompile(`\[([^\]]+)\]\((https://[^)]+)\)`)
)

// Rules returns the rules of every key, in the page's order.
func Rules() []Rule {
	var (
		rules   []Rule
		section string
	)
	for line := range strings.Lines(environmentPage) {
		line = strings.TrimRight(line, "\n")
		if found := heading.FindStringSubmatch(line); found != nil {
			section = found[1]
		}
		found := row.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		// A bar inside a cell is escaped.
		cells := strings.SplitN(strings.ReplaceAll(found[3], `\|`, "\x00"), "|", 2)
		if len(cells) < 2 {
			continue
		}
		value, text := plain(cells[0]), plain(cells[1])
		rule := Rule{
			Shared: section == "The shared stack", Section: section, Key: found[1], Type: found[2],
			Default: strings.TrimPrefix(value, "–"), Required: value == "", Text: text,
		}
		if source := link.FindStringSubmatch(cells[1]); source != nil {
			rule.Source = source[2]
		}
		rules = append(rules, rule)
	}
	return rules
}

// plain strips the markup of a cell.
func plain(cell string) string {
	cell = link.ReplaceAllString(cell, "$1")
	return strings.TrimSpace(strings.NewReplacer("`", "", "\x00", "|").Replace(cell))
}

var index = regexp.MustCompile(`\[\d+\]`)

// RulesOf returns the rules for a key of an environment's file, or of the shared stack's: its own and those below it.
// The worker and the scheduler have the API's.
func RulesOf(path string, shared bool) []Rule {
	path = index.ReplaceAllString(path, "")
	for _, service := range []string{"services.worker.", "services.scheduler."} {
		if below, ok := strings.CutPrefix(path, service); ok {
			path = "services.api." + below
		}
	}
	var found []Rule
	for _, rule := range Rules() {
		if rule.Shared == shared && (rule.Key == path || strings.HasPrefix(rule.Key, path+".")) {
			found = append(found, rule)
		}
	}
	return found
}
