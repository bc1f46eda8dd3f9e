package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/doctor"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Doctor shows what deployments depend on, a line for each finding, and what to do about it below.
func Doctor(w io.Writer, report doctor.Report, format string, style Style) error {
	return show(w, report, format, style, func(d *document) {
		for _, f := range report.Findings {
			d.doctorFinding(f)
		}
		line := Counts(report.Summary.Summary)
		if skipped := report.Summary.Skipped; skipped > 0 {
			line += fmt.Sprintf("; %s skipped", text.Plural(skipped, "check", "checks"))
		}
		d.add("", line)
	})
}

// DoctorFindings shows findings alone, as part of a longer output.
func DoctorFindings(w io.Writer, findings []doctor.Finding, style Style) error {
	d := document{style: style}
	for _, f := range findings {
		d.doctorFinding(f)
	}
	return d.writeTo(w)
}

func (d *document) doctorFinding(f doctor.Finding) {
	sign := d.style.statusSign(f.Status)
	if f.Status == doctor.Skipped && !d.style.ASCII {
		sign = "➖"
	}
	name := strings.TrimSpace(f.Component + " " + f.Subject)
	d.addf("    ", "%s %s: %s", sign, name, f.Message)
	// A command is copied whole, so that its lines are not wrapped.
	prefix := "    hint: "
	for line := range strings.Lines(f.Hint) {
		d.addWhole(prefix + strings.TrimRight(line, "\n"))
		prefix = "          "
	}
}
