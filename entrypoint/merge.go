package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/configuration"
)

// variables returns a map of NAME=value. Of duplicate names the first counts, as with getenv.
func variables(environment []string) map[string]string {
	all := make(map[string]string, len(environment))
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if _, found := all[name]; !found {
			all[name] = value
		}
	}
	return all
}

// mergedVariables are the variables of the application.
type mergedVariables struct {
	values map[string]string
	// origins are the sources of each variable of the settings and of a DATABASE_URL that was built.
	origins map[string]string
}

const fromEnvironment, built = "the environment", "built from the database's secret"

// merge applies the precedence: existing variables, then the settings, then the DATABASE_URL that was built. With
// override the settings come first. An empty DATABASE_URL counts as missing.
func merge(existing map[string]string, settings *configuration.Settings, url string, override bool) mergedVariables {
	all := mergedVariables{values: maps.Clone(existing), origins: map[string]string{}}
	for name, value := range settings.Values {
		_, set := existing[name]
		switch {
		case name == databaseURL && value == "" && (url != "" || set):
		case set && !override && (name != databaseURL || existing[name] != ""):
			all.origins[name] = fromEnvironment
		default:
			all.values[name], all.origins[name] = value, settings.Source
		}
	}
	if url != "" && all.values[databaseURL] == "" {
		all.values[databaseURL], all.origins[databaseURL] = url, built
	}
	return all
}

// list returns NAME=value: the existing variables in their order, then the added ones, sorted.
func (m mergedVariables) list(environment []string) []string {
	var list []string
	listed := map[string]bool{}
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if value, known := m.values[name]; known && !listed[name] {
			list = append(list, name+"="+value)
			listed[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.origins)) {
		if value, known := m.values[name]; known && !listed[name] {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// summary returns one line about the sources of the variables.
func (m mergedVariables) summary(settings *configuration.Settings) string {
	count := 0
	for _, origin := range m.origins {
		if origin == settings.Source {
			count++
		}
	}
	text := fmt.Sprintf("%d variables from %s", count, settings.Source)
	if kept := len(settings.Values) - count; kept > 0 {
		text += fmt.Sprintf(", %d already set", kept)
	}
	if m.origins[databaseURL] == built {
		text += "; " + databaseURL + " " + built
	}
	return text
}
