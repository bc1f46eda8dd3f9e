package ui

import (
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// Explanation gives the reason why a property of a resource differs although no one changed it, such as a change that RDS
// applies in the maintenance window. What is explained is pending, and no drift.
type Explanation struct {
	// URN is the resource's, Path the property's; it covers everything below that path, too.
	URN, Path string
	// Reason continues the line of the property: waits for the maintenance window, tue:08:30-tue:09:00 UTC.
	Reason string
}

// reasonFor returns the reason for a difference of a resource, or "".
func reasonFor(urn string, d engine.Difference, explanations []Explanation) string {
	i := slices.IndexFunc(explanations, func(e Explanation) bool {
		rest, below := strings.CutPrefix(d.Path, e.Path)
		return e.URN == urn && below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
	if i < 0 {
		return ""
	}
	return explanations[i].Reason
}

// explain returns the reasons for the differences of a step, by path.
func explain(s engine.Step, explanations []Explanation) map[string]string {
	reasons := map[string]string{}
	for _, d := range s.Differences {
		if reason := reasonFor(s.URN, d, explanations); reason != "" {
			reasons[d.Path] = reason
		}
	}
	return reasons
}

// isExplained reports whether all differences of a step have an explanation.
func isExplained(s engine.Step, explanations []Explanation) bool {
	return !s.Deletes && !s.Replaces && len(s.Differences) > 0 && len(explain(s, explanations)) == len(s.Differences)
}

// unexplained returns the steps of a plan that something is left to explain of.
func unexplained(p engine.Plan, explanations []Explanation) []engine.Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s engine.Step) bool { return isExplained(s, explanations) })
}
