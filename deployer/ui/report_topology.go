package ui

import (
	"fmt"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
)

// topology is the way of a request as a drawing: internet, firewall, load balancer, target group, services, and what those
// stand on. Its parts have the colours of the findings about them.
type topology struct {
	Width, Height int
	// Label says in words what the drawing shows.
	Label string
	Nodes []node
	Edges []edge
}

// node is a box of the drawing.
type node struct {
	// Key tells the nodes of a drawing apart.
	Key        string
	Name, Says string
	// Tip is all that is to be said about it; Link the area of the page that has it.
	Tip, Link           string
	Status              checks.Status
	X, Y, Width, Height int
}

// Glyph is the status for those who do not see the colour.
func (n node) Glyph() string {
	glyphs := map[checks.Status]string{checks.Healthy: "✓", checks.Warning: "!", checks.Error: "×", checks.Unknown: "?"}
	if g, ok := glyphs[n.Status]; ok {
		return g
	}
	return "–"
}

// edge is an arrow; it has the status of what it leads to.
type edge struct {
	D      string
	Status checks.Status
}

// notChecked is the status of a part that the report says nothing about.
const notChecked checks.Status = "none"

// The measures of the drawing, in its own units.
const (
	nodeWidth, nodeHeight = 160, 58
	gapX, gapY            = 32, 16
	margin                = 4
	// maxNodeText is how many characters of a message fit into a node.
	maxNodeText = 23
	// maxServiceNodes is how many services have a node of their own.
	maxServiceNodes = 6
)

// newTopology draws the report.
func newTopology(r checks.Report) topology {
	services, traffic := serviceNodes(r)
	stores := []node{
		componentNode(r, "database", "Database", "Data", "database", "database_backups"),
		componentNode(r, "queue", "Queue", "Data", "queue", "dead_letter_queue"),
	}
	balancer := componentNode(r, "balancer", "Load balancer", "Traffic", "load_balancer", "listeners", "certificate", "tls")
	if balancer.Status == checks.Healthy {
		balancer.Says = listenerText(r)
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
	drawn := topology{
		Width:  len(columns)*(nodeWidth+gapX) - gapX + 2*margin,
		Height: rows*(nodeHeight+gapY) - gapY + 2*margin,
		Label:  "Internet, WAF, load balancer, target group, services, database and queue, coloured by status",
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

// componentNode is the node of some components. It says the message of the first where all is well, else of the worst.
func componentNode(r checks.Report, key, name, title string, components ...string) node {
	var about []checks.Finding
	for _, component := range components {
		for _, f := range r.Services {
			if f.Component == component {
				about = append(about, f)
			}
		}
	}
	return newNode(r, key, name, title, about)
}

func newNode(r checks.Report, key, name, title string, about []checks.Finding) node {
	n := node{Key: key, Name: name, Says: "not looked at", Tip: name + ": not looked at", Link: areaID(r.Environment, title), Status: notChecked}
	if len(about) == 0 {
		return n
	}
	n.Status = checks.Aggregate(about).Status
	n.Says = shortMessage(worst(about))
	var tips []string
	for _, f := range about {
		tips = append(tips, fmt.Sprintf("%s %s: %s", f.Status, f.Service, f.Message))
	}
	n.Tip = strings.Join(tips, "\n")
	return n
}

// serviceNodes are the services with their tasks, and which of them the target group sends requests to.
func serviceNodes(r checks.Report) (nodes []node, traffic []bool) {
	var services []checks.Finding
	for _, f := range r.Services {
		if f.Component == "ecs_service" {
			services = append(services, f)
		}
	}
	if len(services) == 0 {
		return []node{newNode(r, "services", "Services", "Containers", nil)}, []bool{true}
	}
	shown := services
	if len(services) > maxServiceNodes {
		shown = services[:maxServiceNodes-1]
	}
	for _, f := range shown {
		about := []checks.Finding{f}
		name := strings.TrimPrefix(f.Service, "ECS-Service-")
		for _, other := range r.Services {
			if other.Component == "ecs_tasks" && strings.HasSuffix(other.Service, name) {
				about = append(about, other)
			}
		}
		role := roleOf(r.Environment, name, "-service")
		nodes = append(nodes, newNode(r, "service-"+role, role, "Containers", about))
		traffic = append(traffic, hasTargets(r, role))
	}
	if rest := services[len(shown):]; len(rest) > 0 {
		nodes = append(nodes, newNode(r, "service-others", fmt.Sprintf("%d more", len(rest)), "Containers", rest))
		traffic = append(traffic, false)
	}
	return nodes, traffic
}

// hasTargets reports whether a target group is the role's: where none is known, the API's is meant.
func hasTargets(r checks.Report, role string) bool {
	known := false
	for _, b := range r.LoadBalancers {
		for _, g := range b.TargetGroups {
			known = true
			if roleOf(r.Environment, g.Name, "-tg") == role {
				return true
			}
		}
	}
	return !known && role == "api"
}

// roleOf is what is left of a name between the environment's and an ending: v3-backend-staging-api-tg is api's.
func roleOf(environment, name, ending string) string {
	if _, rest, found := strings.Cut(name, environment+"-"); found {
		name = rest
	}
	return strings.TrimSuffix(name, ending)
}

// listenerText is where the load balancers listen: "443 HTTPS, 80 redirect".
func listenerText(r checks.Report) string {
	var words []string
	for _, b := range r.LoadBalancers {
		for _, l := range b.Listeners {
			does := l.Protocol
			if l.Action == "redirect" {
				does = l.Action
			}
			words = append(words, fmt.Sprintf("%d %s", l.Port, does))
		}
	}
	return truncateWords(strings.Join(words, ", "))
}

// arrow leads from the right side of a node to the left side of another.
func arrow(from, to node) edge {
	x1, y1 := from.X+from.Width, from.Y+from.Height/2
	x2, y2 := to.X-2, to.Y+to.Height/2
	bend := (x2 - x1) / 2
	return edge{
		D:      fmt.Sprintf("M%d %dC%d %d %d %d %d %dM%d %dl5 4l-5 4", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2, x2-5, y2-4),
		Status: to.Status,
	}
}

// shortMessage is a finding in a few words: its message, or where something is wrong that takes more of them, its reason.
func shortMessage(f checks.Finding) string {
	if f.Status != checks.Healthy && len([]rune(f.Message)) > maxNodeText {
		return truncateWords(f.Reason)
	}
	return truncateWords(f.Message)
}

// truncateWords cuts a message between words to what a node has room for.
func truncateWords(s string) string {
	runes := []rune(s)
	if len(runes) <= maxNodeText {
		return s
	}
	short := string(runes[:maxNodeText-1])
	if space := strings.LastIndex(short, " "); space > 0 {
		short = short[:space]
	}
	return strings.TrimRight(short, ",:;") + "…"
}
