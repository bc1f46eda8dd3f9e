package ui

import (
	"fmt"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// topology is a drawing of a request's path: internet, firewall, load balancer, target group, services, and what those
// depend on. Its parts have the colors of the findings about them.
type topology struct {
	Width, Height int
	// Label is the alternative text.
	Label string
	Nodes []node
	Edges []edge
}

// node is a box of the drawing.
type node struct {
	Key, Name, Message string
	// Tip lists its findings, Link is the area of the page that shows them.
	Tip, Link           string
	Status              checks.Status
	X, Y, Width, Height int
}

// Glyph returns the status for those who do not see the color.
func (n node) Glyph() string {
	glyphs := map[checks.Status]string{checks.Healthy: "✓", checks.Warning: "!", checks.Error: "×", checks.Unknown: "?"}
	if g, ok := glyphs[n.Status]; ok {
		return g
	}
	return "–"
}

// edge is an arrow. It has the status of the node that it leads to.
type edge struct {
	D      string
	Status checks.Status
}

// notChecked is the status of a part without findings.
const notChecked checks.Status = "none"

// Lengths in the drawing, in its own units.
const (
	nodeWidth, nodeHeight = 160, 58
	gapX, gapY            = 32, 16
	margin                = 4
	// maxNodeText is how many characters of a message fit into a node.
	maxNodeText = 23
	// maxServiceNodes is how many services have a node of their own.
	maxServiceNodes = 6
)

func newTopology(r checks.Report) *topology {
	services, traffic := serviceNodes(r)
	stores := []node{
		componentNode(r, "database", "Database", "Data", "database", "database_backups"),
		componentNode(r, "queue", "Queue", "Data", "queue", "dead_letter_queue"),
	}
	balancer := componentNode(r, "balancer", "Load balancer", "Traffic", "load_balancer", "listeners", "certificate", "tls")
	if balancer.Status == checks.Healthy {
		balancer.Message = listenerText(r)
	}
	columns := [][]node{
		{componentNode(r, "internet", "Internet", "Domain", "endpoint", "readiness", "dns", "delegation", "hosted_zone")},
		{componentNode(r, "waf", "WAF", "Traffic", "waf")},
		{balancer},
		{componentNode(r, "targets", "Target group", "Traffic", "target_groups")},
		services,
		stores,
	}
	rows := max(len(services), len(stores))
	drawn := &topology{
		Width:  len(columns)*(nodeWidth+gapX) - gapX + 2*margin,
		Height: rows*(nodeHeight+gapY) - gapY + 2*margin,
		Label:  "Internet, WAF, load balancer, target group, services, database and queue, colored by status",
	}
	for x, column := range columns {
		top := (drawn.Height - len(column)*(nodeHeight+gapY) + gapY) / 2
		for y := range column {
			column[y].X, column[y].Y = margin+x*(nodeWidth+gapX), top+y*(nodeHeight+gapY)
			column[y].Width, column[y].Height = nodeWidth, nodeHeight
		}
		drawn.Nodes = append(drawn.Nodes, column...)
	}
	for x := range 3 {
		drawn.Edges = append(drawn.Edges, arrow(columns[x][0], columns[x+1][0]))
	}
	for i, service := range services {
		if traffic[i] {
			drawn.Edges = append(drawn.Edges, arrow(columns[3][0], service))
		}
		for _, store := range stores {
			drawn.Edges = append(drawn.Edges, arrow(service, store))
		}
	}
	return drawn
}

// componentNode returns the node of some components. It shows the message of the worst finding.
func componentNode(r checks.Report, key, name, title string, components ...string) node {
	var found []checks.Finding
	for _, component := range components {
		found = append(found, withComponent(r.Services, component)...)
	}
	return newNode(r, key, name, title, found)
}

func withComponent(findings []checks.Finding, component string) []checks.Finding {
	return list.Filter(findings, func(f checks.Finding) bool { return f.Component == component })
}

func newNode(r checks.Report, key, name, title string, findings []checks.Finding) node {
	n := node{Key: key, Name: name, Message: "not checked", Tip: name + ": not checked", Link: areaID(r.Environment, title), Status: notChecked}
	if len(findings) == 0 {
		return n
	}
	n.Status = checks.Aggregate(findings).Status
	n.Message = shortMessage(worst(findings))
	tips := list.Map(findings, func(f checks.Finding) string { return fmt.Sprintf("%s %s: %s", f.Status, f.Service, f.Message) })
	n.Tip = strings.Join(tips, "\n")
	return n
}

// serviceNodes returns the services with their tasks, and which of them get requests from the target group.
func serviceNodes(r checks.Report) (nodes []node, traffic []bool) {
	services := withComponent(r.Services, "ecs_service")
	if len(services) == 0 {
		return []node{newNode(r, "services", "Services", "Containers", nil)}, []bool{true}
	}
	shown := services
	if len(services) > maxServiceNodes {
		shown = services[:maxServiceNodes-1]
	}
	targets := rolesWithTargets(r)
	for _, f := range shown {
		name := strings.TrimPrefix(f.Service, "ECS-Service-")
		tasks := list.Filter(withComponent(r.Services, "ecs_tasks"), func(t checks.Finding) bool { return strings.HasSuffix(t.Service, name) })
		role := roleOf(r.Environment, name, "-service")
		nodes = append(nodes, newNode(r, "service-"+role, role, "Containers", append([]checks.Finding{f}, tasks...)))
		traffic = append(traffic, targets[role])
	}
	if rest := services[len(shown):]; len(rest) > 0 {
		nodes = append(nodes, newNode(r, "service-others", fmt.Sprintf("%d more", len(rest)), "Containers", rest))
		traffic = append(traffic, false)
	}
	return nodes, traffic
}

// rolesWithTargets returns the roles that have a target group. Where none is known, the API has one.
func rolesWithTargets(r checks.Report) map[string]bool {
	roles := map[string]bool{}
	for _, b := range r.LoadBalancers {
		for _, g := range b.TargetGroups {
			roles[roleOf(r.Environment, g.Name, "-tg")] = true
		}
	}
	if len(roles) == 0 {
		roles["api"] = true
	}
	return roles
}

// roleOf returns what is between the environment's name and an ending: the role of v3-backend-staging-api-tg is api.
func roleOf(environment, name, ending string) string {
	if _, rest, found := strings.Cut(name, environment+"-"); found {
		name = rest
	}
	return strings.TrimSuffix(name, ending)
}

// listenerText returns the ports of the load balancers: "443 HTTPS, 80 redirect".
func listenerText(r checks.Report) string {
	var parts []string
	for _, b := range r.LoadBalancers {
		for _, l := range b.Listeners {
			target := l.Protocol
			if l.Action == "redirect" {
				target = l.Action
			}
			parts = append(parts, fmt.Sprintf("%d %s", l.Port, target))
		}
	}
	return text.SnipWords(strings.Join(parts, ", "), maxNodeText)
}

// arrow draws an edge from the right side of a node to the left side of another.
func arrow(from, to node) edge {
	x1, y1 := from.X+from.Width, from.Y+from.Height/2
	x2, y2 := to.X-2, to.Y+to.Height/2
	bend := (x2 - x1) / 2
	return edge{
		D:      fmt.Sprintf("M%d %dC%d %d %d %d %d %dM%d %dl5 4l-5 4", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2, x2-5, y2-4),
		Status: to.Status,
	}
}

// shortMessage returns a finding in a few words: its message, or its reason where a problem needs more of them.
func shortMessage(f checks.Finding) string {
	if f.Status != checks.Healthy && len([]rune(f.Message)) > maxNodeText {
		return text.SnipWords(f.Reason, maxNodeText)
	}
	return text.SnipWords(f.Message, maxNodeText)
}
