package ui

import (
	_ "embed" // the page's template and style
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

//go:embed page/report.html
var pageHTML string

//go:embed page/report.css
var pageCSS string

// pageView is what the page's template shows. The page is self-contained: no scripts, no fonts, no images.
type pageView struct {
	Headline string
	Icon     template.URL
	Style    template.CSS
	// Refresh is in seconds; 0 where the page is written once.
	Refresh      int
	Environments []environmentView
}

type environmentView struct {
	EnvironmentReport
	// Where is the region and the time.
	Where    string
	Topology *topology
	Areas    []section
}

// writeHTML writes one self-contained HTML page about all environments.
func writeHTML(w io.Writer, r StatusReport, _ Style) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"anchor": areaID, "counts": Counts, "details": sortedDetails, "statusCounts": statusCounts, "unhealthy": unhealthy,
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	view := pageView{
		Headline: headline(r.Environments), Icon: statusIcon(worstStatus(r.Environments)), Style: template.CSS(pageCSS),
		Refresh: int(r.Refresh.Seconds()), Environments: list.Map(r.Environments, newEnvironmentView),
	}
	if err := t.Execute(w, view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func newEnvironmentView(r EnvironmentReport) environmentView {
	at := r.Timestamp.UTC().Format("2 January 2006, 15:04:05 UTC")
	view := environmentView{EnvironmentReport: r, Where: strings.TrimPrefix(r.Region+", "+at, ", "), Areas: sections(r.Services)}
	if len(r.Services) > 0 {
		view.Topology = newTopology(r.Report)
	}
	return view
}

// Status returns the worst status of a component's findings.
func (g group) Status() checks.Status { return checks.Aggregate(g.Findings).Status }

// ShortText returns the status of a component in a few words.
func (g group) ShortText() string {
	s, first := checks.Aggregate(g.Findings), worst(g.Findings)
	switch {
	case s.Total > 1:
		return fmt.Sprintf("%d of %d healthy", s.Healthy, s.Total)
	case s.Status == checks.Healthy:
		return first.Message
	}
	return first.Reason
}

func areaID(environment, title string) string {
	return environment + "-" + strings.ReplaceAll(strings.ToLower(title), " ", "-")
}

// issue is one problem, however often it was found: the findings with the same reason and hint.
type issue struct {
	Status   checks.Status
	Reason   string
	Hint     *checks.Hint
	Findings []checks.Finding
}

// Issues returns what is not healthy in the section.
func (s section) Issues() []issue {
	var issues []issue
	for _, f := range unhealthy(s.findings()) {
		at := slices.IndexFunc(issues, func(i issue) bool {
			return i.Status == f.Status && i.Reason == f.Reason && sameHint(i.Hint, f.Hint)
		})
		if at < 0 {
			at = len(issues)
			issues = append(issues, issue{Status: f.Status, Reason: f.Reason, Hint: f.Hint})
		}
		issues[at].Findings = append(issues[at].Findings, f)
	}
	return issues
}

func sameHint(a, b *checks.Hint) bool { return a == b || a != nil && b != nil && *a == *b }

// worstStatus returns the status of all environments: error before warning before unknown, as within an environment.
func worstStatus(environments []EnvironmentReport) checks.Status {
	all := list.Map(environments, func(r EnvironmentReport) checks.Finding { return checks.Finding{Status: r.Summary.Status} })
	return checks.Aggregate(all).Status
}

// headline returns the status of all environments as one sentence.
func headline(environments []EnvironmentReport) string {
	names := map[checks.Status][]string{}
	for _, r := range environments {
		names[r.Summary.Status] = append(names[r.Summary.Status], r.Environment)
	}
	if n := len(environments); n > 1 && len(names[checks.Healthy]) == n {
		return fmt.Sprintf("All %d environments are healthy.", n)
	}
	adjectives := map[checks.Status]string{
		checks.Error: "not healthy", checks.Warning: "operational, with warnings", checks.Unknown: "not known to be healthy",
	}
	if len(environments) == 1 {
		adjectives[checks.Healthy] = "healthy"
	}
	var parts []string
	for _, s := range []checks.Status{checks.Error, checks.Warning, checks.Unknown, checks.Healthy} {
		if len(names[s]) > 0 && adjectives[s] != "" {
			parts = append(parts, text.Join(names[s], "and")+" "+text.PluralWord(len(names[s]), "is", "are")+" "+adjectives[s])
		}
	}
	sentence := strings.Join(parts, "; ") + "."
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}

// statusIcon returns the page's sign in a browser's tab: a dot in the color of the status.
func statusIcon(s checks.Status) template.URL {
	color := map[checks.Status]string{checks.Healthy: "#2c7a4b", checks.Warning: "#d18a00", checks.Error: "#c6281f", checks.Unknown: "#6a58a3"}[s]
	svg := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="` + color + `"/></svg>`
	return template.URL("data:image/svg+xml," + url.PathEscape(svg))
}
