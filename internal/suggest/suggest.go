// Package suggest finds the name that a mistyped word was probably meant to be.
package suggest

import (
	"slices"
	"strings"
)

// Nearest returns the names that a word was probably meant to be, the nearest first: those that are a few typing errors away, and those
// that contain it. It ignores the case of letters, and returns nil where no name is near.
func Nearest(word string, names []string) []string {
	word = strings.ToLower(strings.TrimSpace(word))
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	for _, name := range names {
		lower := strings.ToLower(name)
		switch d := distance(word, lower); {
		case d <= limit(word, lower):
			found = append(found, candidate{name, d})
		case len(word) >= minPart && strings.HasPrefix(lower, word):
			found = append(found, candidate{name, minPart})
		case len(word) >= minPart && strings.Contains(lower, word):
			found = append(found, candidate{name, minPart + 1})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var nearest []string
	for _, c := range found[:min(len(found), maxNames)] {
		if !slices.Contains(nearest, c.name) {
			nearest = append(nearest, c.name)
		}
	}
	return nearest
}

const (
	// minPart is the least length of a word that is compared with parts of names.
	minPart = 4
	// maxNames limits the names of an answer.
	maxNames = 3
)

// limit returns how many typing errors the word for a name may have.
func limit(word, name string) int {
	switch n := min(len(word), len(name)); {
	case n <= 2:
		return 0
	case n <= 4:
		return 1
	case n <= 8:
		return 2
	}
	return 3
}

// Hint returns "did you mean NAME?" in front of a remedy, and the remedy alone where no name is near.
func Hint(word string, names []string, remedy string) string {
	nearest := Nearest(word, names)
	if len(nearest) == 0 {
		return remedy
	}
	return "did you mean " + strings.Join(nearest, " or ") + "? " + remedy
}

// distance returns the number of letters to insert, delete, replace or swap with their neighbours to get from one word to the other.
// Source: https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance#Optimal_string_alignment_distance
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := range a {
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			best := min(rows[i][j+1]+1, rows[i+1][j]+1, rows[i][j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				best = min(best, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = best
		}
	}
	return rows[len(a)][len(b)]
}
