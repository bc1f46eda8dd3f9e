package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/configuration"
)

// variables makes a map of NAME=value. Where a name comes twice the first counts, as it does for getenv.
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
	// origins say, for each variable of the settings and for a DATABASE_URL that was built, where its value comes from.
	origins map[string]string
}

const fromEnvironment, built = "the environment", "built from the database's secret"

// merge says which value wins: what is set already, then the settings, then the DATABASE_URL that was built. With
// override the settings come first. An empty DATABASE_URL is none.
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

// list returns NAME=value: what was there in its order, then what was added in order of the alphabet.
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

// summary says in one line what was found.
func (m mergedVariables) summary(settings *configuration.Settings) string {
	count := 0
	for _, origin := range m.origins {
		if origin == settings.Source {
			count++
		}
	}
	text := fmt.Sprintf("%d variables from %s", count, settings.Source)
	if kept := len(settings.Values) - count; kept > 0 {
		text += fmt.Sprintf(", %d set already", kept)
	}
	if m.origins[databaseURL] == built {
		text += "; " + databaseURL + " " + built
	}
	return text
}
