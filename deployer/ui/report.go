package ui

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
)

// Estate is what one run of the checks found out, about one environment or several.
type Estate struct {
	Environments []Judged
	// Listed says that several environments were asked for, even where only one was found: as JSON they are an array.
	Listed bool
	// Later says that reports of an earlier run stand before these: what is written is separated from them.
	Later bool
	// Refresh is after how long a page is made anew; 0 where it is made once.
	Refresh time.Duration
}

// Judged is the report about one environment.
type Judged struct {
	checks.Report
	// Failure says why there is nothing in the report; nil where the environment could be judged.
	Failure *Failure `json:"error,omitempty" yaml:"error,omitempty"`
}

// Failure is why an environment could not be judged, and what to do about it.
type Failure struct {
	Message string `json:"message" yaml:"message"`
	Hint    string `json:"hint,omitempty" yaml:"hint,omitempty"`
}

// Unjudged is the report about an environment that could not be judged: whole, but without findings, and so unknown.
func Unjudged(environment, region string, at time.Time, why Failure) Judged {
	return Judged{
		Report: checks.Report{
			Environment: environment, Region: region, Timestamp: at.UTC().Truncate(time.Second), Summary: checks.Aggregate(nil),
			Services: []checks.Finding{}, LoadBalancers: []checks.LoadBalancer{}, Certificates: []checks.Certificate{},
			Debugging: checks.Debugging{StuckServices: []checks.StuckService{}},
		},
		Failure: &why,
	}
}

// rendering writes reports in one form.
type rendering struct {
	format string
	// between separates reports that follow each other.
	between string
	// one writes a report; whole, where it is there, writes all of them instead.
	one   func(io.Writer, Judged, Style) error
	whole func(io.Writer, Estate, Style) error
}

// renderings are the forms of a report, the default first.
func renderings() []rendering {
	return []rendering{
		{format: "yaml+summary", between: "---\n", one: yamlAndSummary},
		{format: "yaml", between: "---\n", one: compactYAML},
		{format: "summary", between: "\n", one: summary},
		{format: "verbose", between: "\n", one: verbose},
		{format: "json", whole: reportJSON},
		{format: "markdown", between: "\n", one: markdown},
		{format: "html", whole: page},
	}
}

// ReportFormats returns the forms of a report, the default first.
func ReportFormats() []string {
	var names []string
	for _, r := range renderings() {
		names = append(names, r.format)
	}
	return names
}

// Report writes what a run found out in the form.
func Report(w io.Writer, e Estate, format string, style Style) error {
	at := slices.IndexFunc(renderings(), func(r rendering) bool { return r.format == format })
	if at < 0 {
		return fmt.Errorf("a report has no form %q", format)
	}
	form := renderings()[at]
	if form.whole != nil {
		return form.whole(w, e, style)
	}
	for i, judged := range e.Environments {
		if e.Later || i > 0 {
			if _, err := io.WriteString(w, form.between); err != nil {
				return err
			}
		}
		if err := form.one(w, judged, style); err != nil {
			return err
		}
	}
	return nil
}

// reportJSON is the whole truth: an object, or an array where several environments were asked for.
func reportJSON(w io.Writer, e Estate, _ Style) error {
	if !e.Listed && len(e.Environments) == 1 {
		return JSON(w, e.Environments[0])
	}
	return JSON(w, e.Environments)
}
