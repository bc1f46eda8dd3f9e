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
	Cards        bool
	Environments []environmentView
}

type environmentView struct {
	EnvironmentReport
	ID, Where, Counted string
	Status             checks.Status
	Shares             []statusCount
	Topology           *topology
	Issues             []areaIssues
	Areas              []areaView
	Stuck              []checks.StuckService
}

// areaIssues is what is not healthy in an area.
type areaIssues struct {
	Title  string
	Issues []issueView
}

// issueView is one problem, however often it was found: the findings with the same reason and hint.
type issueView struct {
	Status   checks.Status
	Reason   string
	Hint     *checks.Hint
	Findings []findingView
}

type areaView struct {
	ID, Title, Counted string
	Status             checks.Status
	Groups             []groupView
}

type groupView struct {
	Component, Line string
	Status          checks.Status
	Findings        []findingView
}

type findingView struct {
	checks.Finding
	Evidence []detail
}

// writeHTML writes one self-contained HTML page about all environments.
func writeHTML(w io.Writer, r StatusReport, _ Style) error {
	t, err := template.New("report").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	view := pageView{
		Headline: headline(r.Environments), Icon: statusIcon(worstStatus(r.Environments)), Style: template.CSS(pageCSS),
		Refresh: int(r.Refresh.Seconds()), Cards: len(r.Environments) > 1,
	}
	for _, environment := range r.Environments {
		view.Environments = append(view.Environments, newEnvironmentView(environment))
	}
	if err := t.Execute(w, view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func newEnvironmentView(r EnvironmentReport) environmentView {
	view := environmentView{
		EnvironmentReport: r, ID: r.Environment, Counted: Counts(r.Summary), Status: r.Summary.Status, Shares: statusCounts(r.Summary),
		Where: strings.TrimPrefix(r.Region+", "+r.Timestamp.UTC().Format("2 January 2006, 15:04:05 UTC"), ", "),
		Stuck: r.Debugging.StuckServices,
	}
	for _, s := range sections(r.Services) {
		view.Areas = append(view.Areas, newAreaView(r.Environment, s))
		if found := unhealthy(s.findings()); len(found) > 0 {
			view.Issues = append(view.Issues, areaIssues{Title: s.title, Issues: issueViews(found)})
		}
	}
	if len(r.Services) > 0 {
		view.Topology = newTopology(r.Report)
	}
	return view
}

func newAreaView(environment string, s section) areaView {
	view := areaView{ID: areaID(environment, s.title), Title: s.title, Status: s.summary().Status, Counted: Counts(s.summary())}
	for _, g := range s.groups {
		view.Groups = append(view.Groups, groupView{
			Component: g.component, Status: checks.Aggregate(g.findings).Status, Line: g.shortText(), Findings: findingViews(g.findings...),
		})
	}
	return view
}

// shortText returns the status of a component in a few words.
func (g group) shortText() string {
	s, first := checks.Aggregate(g.findings), worst(g.findings)
	switch {
	case s.Total > 1:
		return fmt.Sprintf("%d of %d healthy", s.Healthy, s.Total)
	case s.Status == checks.Healthy:
		return first.Message
	}
	return first.Reason
}

// areaID returns the anchor of an area in the page.
func areaID(environment, title string) string {
	return environment + "-" + strings.ReplaceAll(strings.ToLower(title), " ", "-")
}

// issueViews groups findings by reason and hint.
func issueViews(findings []checks.Finding) []issueView {
	var issues []issueView
	for _, f := range findings {
		at := slices.IndexFunc(issues, func(i issueView) bool {
			return i.Status == f.Status && i.Reason == f.Reason && sameHint(i.Hint, f.Hint)
		})
		if at < 0 {
			at = len(issues)
			issues = append(issues, issueView{Status: f.Status, Reason: f.Reason, Hint: f.Hint})
		}
		issues[at].Findings = append(issues[at].Findings, findingViews(f)...)
	}
	return issues
}

func sameHint(a, b *checks.Hint) bool { return a == b || a != nil && b != nil && *a == *b }

func findingViews(findings ...checks.Finding) []findingView {
	var views []findingView
	for _, f := range findings {
		views = append(views, findingView{Finding: f, Evidence: sortedDetails(f.Details)})
	}
	return views
}

// worstStatus returns the status of all environments: error before warning before unknown, as within an environment.
func worstStatus(environments []EnvironmentReport) checks.Status {
	var all []checks.Finding
	for _, r := range environments {
		all = append(all, checks.Finding{Status: r.Summary.Status})
	}
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
