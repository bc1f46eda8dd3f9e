package ui

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// StatusReport is the result of one run of the checks.
type StatusReport struct {
	Environments []EnvironmentReport
	// Multiple marks that several environments were selected, even where only one was found: as JSON they are an array.
	Multiple bool
	// Appended marks that reports of an earlier run precede these, which are separated from them.
	Appended bool
	// Screen marks that these replace the previous reports on a terminal's screen: each summary has to fit its share of the screen.
	Screen bool
	// Refresh is after how long a page is written again; 0 where it is written once.
	Refresh time.Duration
}

// EnvironmentReport is the report about one environment.
type EnvironmentReport struct {
	checks.Report
	// Failure is why the report is empty; nil where the environment could be checked.
	Failure *Failure `json:"error,omitempty" yaml:"error,omitempty"`
}

// Failure is why an environment could not be read, and what to do about it.
type Failure struct {
	Message string `json:"message" yaml:"message"`
	Hint    string `json:"hint,omitempty" yaml:"hint,omitempty"`
}

// FailedReport returns the report about an environment that could not be checked: complete, but without findings, and so
// of unknown status.
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

// reportFormat writes reports in one format: each by write, with the separator between them, or all of them by writeAll.
type reportFormat struct {
	name, separator string
	write           func(io.Writer, EnvironmentReport, Style) error
	writeAll        func(io.Writer, StatusReport, Style) error
}

// formats returns the formats of a report, the default first.
func formats() []reportFormat {
	return []reportFormat{
		{name: "yaml+summary", separator: "---\n", write: writeYAMLAndSummary},
		{name: "yaml", separator: "---\n", write: writeYAML},
		{name: "summary", separator: "\n", write: writeSummary},
		{name: "verbose", separator: "\n", write: writeVerbose},
		{name: "json", writeAll: func(w io.Writer, r StatusReport, _ Style) error {
			return jsonByEnvironment(w, r.Environments, r.Multiple)
		}},
		{name: "markdown", separator: "\n", write: writeMarkdown},
		{name: "html", writeAll: writeHTML},
	}
}

// ReportFormats returns the formats of Report, the default first.
func ReportFormats() []string {
	return list.Map(formats(), func(f reportFormat) string { return f.name })
}

// Report writes the result of a run of the checks.
func Report(w io.Writer, r StatusReport, format string, style Style) error {
	f := list.Find(formats(), func(f reportFormat) bool { return f.name == format })
	if f == nil {
		return fmt.Errorf("a report has no format %q", format)
	}
	if f.writeAll != nil {
		return f.writeAll(w, r, style)
	}
	// A blank line separates summaries.
	share := (style.Height+1)/max(1, len(r.Environments)) - 1
	if style.Height > 0 {
		style.Height = max(1, share)
	}
	for i, environment := range r.Environments {
		if r.Appended || i > 0 {
			if _, err := io.WriteString(w, f.separator); err != nil {
				return err
			}
		}
		var out bytes.Buffer
		if err := f.write(&out, environment, style); err != nil {
			return err
		}
		result := out.String()
		if r.Screen && f.name == "summary" {
			result = firstLines(result, style)
		}
		if _, err := io.WriteString(w, result); err != nil {
			return err
		}
	}
	return nil
}

// firstLines returns the lines of a result that fit the terminal's height, and how many do not.
func firstLines(result string, style Style) string {
	lines := strings.SplitAfter(strings.TrimSuffix(result, "\n"), "\n")
	if style.Height == 0 || len(lines) <= style.Height {
		return result
	}
	if style.Height == 1 {
		return strings.TrimSuffix(lines[0], "\n") + "\n"
	}
	kept := lines[:style.Height-1]
	return strings.Join(kept, "") + style.plain(fmt.Sprintf("… %d more lines\n", len(lines)-len(kept)))
}
