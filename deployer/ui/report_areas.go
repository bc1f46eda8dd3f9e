package ui

import (
	"slices"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// area is a group of related components.
type area struct {
	title      string
	components []string
}

// areas returns every component of a report, by area, in the order in which people read them.
func areas() []area {
	return []area{
		{"Containers", []string{"ecs_cluster", "ecs_service", "ecs_tasks", "task_definition", "autoscaling"}},
		{"Traffic", []string{"load_balancer", "listeners", "target_groups", "waf", "endpoint", "readiness", "tls"}},
		{"Domain", []string{"certificate", "hosted_zone", "dns", "delegation"}},
		{"Data", []string{"database", "database_backups", "queue", "dead_letter_queue", "buckets"}},
		{"Image and configuration", []string{"image_repository", "image", "secrets", "roles", "stack", "compliance"}},
		{"Network", []string{"vpc", "subnets", "nat", "security_groups"}},
		{"Operations", []string{"alarms", "log_groups", "budget"}},
	}
}

// section is an area of one report.
type section struct {
	Title  string
	Groups []group
}

// Summary counts the findings of the section.
func (s section) Summary() checks.Summary { return checks.Aggregate(s.findings()) }

func (s section) findings() []checks.Finding {
	var all []checks.Finding
	for _, g := range s.Groups {
		all = append(all, g.Findings...)
	}
	return all
}

// sections returns the areas that have findings. Components without an area come last.
func sections(findings []checks.Finding) []section {
	found := list.Map(append(areas(), area{title: "Other"}), func(a area) section { return section{Title: a.title} })
	for _, g := range groupByComponent(findings) {
		at := slices.IndexFunc(areas(), func(a area) bool { return slices.Contains(a.components, g.Component) })
		if at < 0 {
			at = len(found) - 1
		}
		found[at].Groups = append(found[at].Groups, g)
	}
	return slices.DeleteFunc(found, func(s section) bool { return len(s.Groups) == 0 })
}

// group is the findings of one component.
type group struct {
	Component string
	Findings  []checks.Finding
}

// groupByComponent groups findings, which are ordered by component.
func groupByComponent(findings []checks.Finding) []group {
	var groups []group
	for _, f := range findings {
		if n := len(groups); n == 0 || groups[n-1].Component != f.Component {
			groups = append(groups, group{Component: f.Component})
		}
		last := &groups[len(groups)-1]
		last.Findings = append(last.Findings, f)
	}
	return groups
}

func (g group) healthy() bool { return checks.Aggregate(g.Findings).Status == checks.Healthy }

// bySeverity returns the groups with errors before those with warnings, unknown and healthy ones.
func bySeverity(groups []group) []group {
	order := []checks.Status{checks.Error, checks.Warning, checks.Unknown, checks.Healthy}
	return slices.SortedStableFunc(slices.Values(groups), func(a, b group) int {
		return slices.Index(order, checks.Aggregate(a.Findings).Status) - slices.Index(order, checks.Aggregate(b.Findings).Status)
	})
}

func healthyGroups(findings []checks.Finding) []group {
	return groupByComponent(withStatus(findings, checks.Healthy))
}

// worst returns the first of the findings that determine the status of all of them.
func worst(findings []checks.Finding) checks.Finding {
	status := checks.Aggregate(findings).Status
	return append(withStatus(findings, status), checks.Finding{Status: status})[0]
}

// unhealthy returns the findings that are not healthy: errors first, then warnings, then unknown ones.
func unhealthy(findings []checks.Finding) []checks.Finding {
	return slices.Concat(withStatus(findings, checks.Error), withStatus(findings, checks.Warning), withStatus(findings, checks.Unknown))
}

func withStatus(findings []checks.Finding, status checks.Status) []checks.Finding {
	return list.Filter(findings, func(f checks.Finding) bool { return f.Status == status })
}
