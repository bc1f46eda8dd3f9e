package ui

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
)

// StatusReport is what one run of the checks found out, about one environment or several.
type StatusReport struct {
	Environments []EnvironmentReport
	// Multiple says that several environments were asked for, even where only one was found: as JSON they are an array.
	Multiple bool
	// Appended says that reports of an earlier run stand before these: what is written is separated from them.
	Appended bool
	// Refresh is after how long a page is made anew; 0 where it is made once.
	Refresh time.Duration
}

// EnvironmentReport is the report about one environment.
type EnvironmentReport struct {
	checks.Report
	// Failure says why there is nothing in the report; nil where the environment could be judged.
	Failure *Failure `json:"error,omitempty" yaml:"error,omitempty"`
}

// Failure is why an environment could not be judged, and what to do about it.
type Failure struct {
	Message string `json:"message" yaml:"message"`
	Hint    string `json:"hint,omitempty" yaml:"hint,omitempty"`
}

// FailedReport is the report about an environment that could not be judged: whole, but without findings, and so unknown.
func FailedReport(environment, region string, at time.Time, why Failure) EnvironmentReport {
	return EnvironmentReport{
		Report: checks.Report{
			Environment: environment, Region: region, Timestamp: at.UTC().Truncate(time.Second), Summary: checks.Aggregate(nil),
			Services: []checks.Finding{}, LoadBalancers: []checks.LoadBalancer{}, Certificates: []checks.Certificate{},
			Debugging: checks.Debugging{StuckServices: []checks.StuckService{}},
		},
		Failure: &why,
	}
}

// reportFormat writes reports in one form.
type reportFormat struct {
	name string
	// separator separates reports that follow each other.
	separator string
	// write writes a report; whole, where it is there, writes all of them instead.
	write    func(io.Writer, EnvironmentReport, Style) error
	writeAll func(io.Writer, StatusReport, Style) error
}

// formats are the forms of a report, the default first.
func formats() []reportFormat {
	return []reportFormat{
		{name: "yaml+summary", separator: "---\n", write: writeYAMLAndSummary},
		{name: "yaml", separator: "---\n", write: writeYAML},
		{name: "summary", separator: "\n", write: writeSummary},
		{name: "verbose", separator: "\n", write: writeVerbose},
		{name: "json", writeAll: writeJSON},
		{name: "markdown", separator: "\n", write: writeMarkdown},
		{name: "html", writeAll: writeHTML},
	}
}

// ReportFormats returns the forms of a report, the default first.
func ReportFormats() []string {
	var names []string
	for _, r := range formats() {
		names = append(names, r.name)
	}
	return names
}

// Report writes what a run found out in the form.
func Report(w io.Writer, e StatusReport, format string, style Style) error {
	at := slices.IndexFunc(formats(), func(r reportFormat) bool { return r.name == format })
	if at < 0 {
		return fmt.Errorf("a report has no form %q", format)
	}
	form := formats()[at]
	if form.writeAll != nil {
		return form.writeAll(w, e, style)
	}
	for i, r := range e.Environments {
		if e.Appended || i > 0 {
			if _, err := io.WriteString(w, form.separator); err != nil {
				return err
			}
		}
		if err := form.write(w, r, style); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON is the whole truth: an object, or an array where several environments were asked for.
func writeJSON(w io.Writer, e StatusReport, _ Style) error {
	if !e.Multiple && len(e.Environments) == 1 {
		return JSON(w, e.Environments[0])
	}
	return JSON(w, e.Environments)
}
