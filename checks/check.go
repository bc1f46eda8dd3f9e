package checks

import (
	"context"
	"slices"
)

// Check judges one component of an environment.
type Check struct {
	// Component is the word by which people choose it.
	Component string
	// Summary says in a few words what is looked at.
	Summary string
	// run reads and judges. An error is what kept it from judging, and becomes an unknown finding.
	run func(context.Context, *estate) ([]Finding, error)
}

// Components returns the words that --only and --skip take, in the order in which a report lists them.
func Components() []string {
	var names []string
	for _, c := range All() {
		names = append(names, c.Component)
	}
	return names
}

// UnknownComponents returns those of names that no check has.
func UnknownComponents(names []string) []string {
	known := Components()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(known, name) })
}

// All is the table of checks. Names, help and the validation of --only derive from it.
func All() []Check {
	return nil
}
