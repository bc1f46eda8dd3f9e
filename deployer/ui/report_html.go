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
)

//go:embed page/report.html
var pageHTML string

//go:embed page/report.css
var pageCSS string

// pageView is what the page's template shows. The page needs nothing but itself: no scripts, no fonts, no pictures.
type pageView struct {
	Title, Verdict string
	Icon           template.URL
	Style          template.CSS
	// Refresh is in seconds; 0 where the page is made once.
	Refresh      int
	Cards        bool
	Environments []environmentView
}

type environmentView struct {
	EnvironmentReport
	ID, Name, Where, Counted string
	Status                   checks.Status
	Shares                   []statusCount
	Path                     *topology
	Attention                []areaIssues
	Areas                    []areaView
	Stuck                    []checks.StuckService
}

// statusCount is a part of the bar that shows how many findings have which status.
type statusCount struct {
	Status checks.Status
	N      int
}

// areaIssues is what is not healthy in an area.
type areaIssues struct {
	Title  string
	Issues []issueView
}

// issueView is one thing that is wrong, wherever it shows: findings with the same reason and hint.
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
func writeHTML(w io.Writer, e StatusReport, _ Style) error {
	t, err := template.New("report").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	view := pageView{
		Verdict: headline(e.Environments), Icon: statusIcon(worstStatus(e.Environments)), Style: template.CSS(pageCSS),
		Refresh: int(e.Refresh.Seconds()), Cards: len(e.Environments) > 1,
	}
	view.Title = view.Verdict
	for _, j := range e.Environments {
		view.Environments = append(view.Environments, newEnvironmentView(j))
	}
	if err := t.Execute(w, view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func newEnvironmentView(j EnvironmentReport) environmentView {
	view := environmentView{
		EnvironmentReport: j, ID: j.Environment, Name: j.Environment, Counted: Counts(j.Summary), Status: j.Summary.Status,
		Where: strings.TrimPrefix(j.Region+", "+j.Timestamp.UTC().Format("2 January 2006, 15:04:05 UTC"), ", "),
		Stuck: j.Debugging.StuckServices,
	}
	for _, s := range []statusCount{
		{checks.Error, j.Summary.Error}, {checks.Warning, j.Summary.Warning}, {checks.Unknown, j.Summary.Unknown}, {checks.Healthy, j.Summary.Healthy},
	} {
		if s.N > 0 {
			view.Shares = append(view.Shares, s)
		}
	}
	for _, s := range sections(j.Services) {
		view.Areas = append(view.Areas, newAreaView(j.Environment, s))
		if found := unhealthy(s.findings()); len(found) > 0 {
			view.Attention = append(view.Attention, areaIssues{Title: s.title, Issues: issueViews(found)})
		}
	}
	if len(j.Services) > 0 {
		drawn := newTopology(j.Report)
		view.Path = &drawn
	}
	return view
}

func newAreaView(environment string, s section) areaView {
	view := areaView{ID: areaID(environment, s.title), Title: s.title, Status: s.summary().Status, Counted: Counts(s.summary())}
	for _, g := range s.groups {
		view.Groups = append(view.Groups, groupView{
			Component: g.component, Status: checks.Aggregate(g.findings).Status,
			Line: g.shortText(), Findings: findingViews(g.findings),
		})
	}
	return view
}

// shortText says how a component is where there is little room.
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

// areaID is the anchor of an area in the page.
func areaID(environment, title string) string {
	return environment + "-" + strings.ReplaceAll(strings.ToLower(title), " ", "-")
}

// issueViews puts findings together that have the same reason and hint.
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
		issues[at].Findings = append(issues[at].Findings, findingViews([]checks.Finding{f})...)
	}
	return issues
}

func sameHint(a, b *checks.Hint) bool { return a == b || a != nil && b != nil && *a == *b }

func findingViews(findings []checks.Finding) []findingView {
	var views []findingView
	for _, f := range findings {
		views = append(views, findingView{Finding: f, Evidence: sortedDetails(f.Details)})
	}
	return views
}

// worstStatus is the status of the whole estate: error before warning before unknown, as within an environment.
func worstStatus(environments []EnvironmentReport) checks.Status {
	var all []checks.Finding
	for _, j := range environments {
		all = append(all, checks.Finding{Status: j.Summary.Status})
	}
	return checks.Aggregate(all).Status
}

// headline says in one sentence how the estate is.
func headline(environments []EnvironmentReport) string {
	if len(environments) == 1 {
		return capitalize(environments[0].Environment) + " is " + statusAdjective(environments[0].Summary.Status) + "."
	}
	names := map[checks.Status][]string{}
	for _, j := range environments {
		names[j.Summary.Status] = append(names[j.Summary.Status], j.Environment)
	}
	if len(names[checks.Healthy]) == len(environments) {
		return fmt.Sprintf("All %d environments are healthy.", len(environments))
	}
	var parts []string
	for _, s := range []checks.Status{checks.Error, checks.Warning, checks.Unknown} {
		if len(names[s]) > 0 {
			verb := " is "
			if len(names[s]) > 1 {
				verb = " are "
			}
			parts = append(parts, joinNames(names[s])+verb+statusAdjective(s))
		}
	}
	return capitalize(strings.Join(parts, "; ")) + "."
}

// joinNames joins names as a sentence does: a, b and c.
func joinNames(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// statusAdjective is a status as a word that may follow "is".
func statusAdjective(s checks.Status) string {
	switch s {
	case checks.Healthy:
		return "healthy"
	case checks.Warning:
		return "operational, with warnings"
	case checks.Error:
		return "not healthy"
	}
	return "not known to be healthy"
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// statusIcon is the page's sign in a browser's tab: a dot in the colour of the status.
func statusIcon(s checks.Status) template.URL {
	colours := []struct {
		status checks.Status
		colour string
	}{{checks.Healthy, "#2c7a4b"}, {checks.Warning, "#d18a00"}, {checks.Error, "#c6281f"}, {checks.Unknown, "#6a58a3"}}
	at := slices.IndexFunc(colours, func(c struct {
		status checks.Status
		colour string
	}) bool {
		return c.status == s
	})
	svg := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="` + colours[at].colour + `"/></svg>`
	return template.URL("data:image/svg+xml," + url.PathEscape(svg))
}
