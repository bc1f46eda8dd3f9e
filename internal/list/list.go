// Package list has what package slices does not: functions that make a list of another.
package list

import "slices"

// Map returns f of each item; nil where there are none.
func Map[Item, Result any](items []Item, f func(Item) Result) []Result {
	var results []Result
	for _, item := range items {
		results = append(results, f(item))
	}
	return results
}

// Filter returns the items that match, and leaves the list itself as it is.
func Filter[Item any](items []Item, matches func(Item) bool) []Item {
	return slices.DeleteFunc(slices.Clone(items), func(item Item) bool { return !matches(item) })
}

// Find returns the first item that matches, or nil.
func Find[Item any](items []Item, matches func(Item) bool) *Item {
	if at := slices.IndexFunc(items, matches); at >= 0 {
		return &items[at]
	}
	return nil
}
