// Package running describes operations that have begun and not ended.
package running

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// maxShown is how many operations a description names.
const maxShown = 2

// An Operation has begun and not ended.
type Operation struct {
	// Name names it, such as rds/instance database.
	Name    string
	Started time.Time
}

// Describe returns the operations that have taken the longest, each with its time, and the number of the others:
// rds/instance database 4m31s, acm/certificateValidation domain 2m10s (+3). It returns "" where there are none.
func Describe(operations []Operation, now time.Time) string {
	sorted := Sorted(operations)
	shown := make([]string, 0, maxShown)
	for _, o := range sorted[:min(maxShown, len(sorted))] {
		shown = append(shown, o.Name+" "+text.Duration(now.Sub(o.Started)))
	}
	described := strings.Join(shown, ", ")
	if others := len(sorted) - len(shown); others > 0 {
		described += fmt.Sprintf(" (+%d)", others)
	}
	return described
}

// Sorted returns the operations that began first before the others, those of the same time by name.
func Sorted(operations []Operation) []Operation {
	return slices.SortedFunc(slices.Values(operations), func(a, b Operation) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Name, b.Name))
	})
}
