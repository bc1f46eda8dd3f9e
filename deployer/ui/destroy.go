package ui

import (
	"io"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// A DestroyPlan is what a destroy would delete, and what would stay.
type DestroyPlan struct {
	DryRun      bool                `json:"dry_run"`
	Environment string              `json:"environment"`
	Stack       string              `json:"stack"`
	Kind        history.Kind        `json:"kind"`
	Delete      []DestroyedResource `json:"delete"`
	Keep        []string            `json:"keep"`
}

// A DestroyedResource is a resource that would be deleted.
type DestroyedResource struct {
	// Type is the short type, such as ec2/subnet, ID the provider's.
	Type string `json:"type"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Destroy shows a plan: a line for each type of resource, then what stays.
func Destroy(w io.Writer, plan DestroyPlan, format string) error {
	if plan.Delete == nil {
		plan.Delete = []DestroyedResource{}
	}
	return show(w, plan, format, Style{}, func(out *document) {
		names := map[string][]string{}
		var types []string
		for _, r := range plan.Delete {
			if names[r.Type] == nil {
				types = append(types, r.Type)
			}
			names[r.Type] = append(names[r.Type], r.Name)
		}
		slices.Sort(types)
		out.add("", "would be deleted:")
		for _, typ := range types {
			slices.Sort(names[typ])
			out.addf("", "  %s: %s", typ, strings.Join(names[typ], ", "))
		}
		out.add("", "would stay:")
		for _, kept := range plan.Keep {
			out.add("", "  "+kept)
		}
	})
}
