package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// JobSummary is a deployment as markdown, for the summary page of a GitHub Actions job.
func JobSummary(d record.Deployment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s to %s: %s\n\n", d.Image.Tag, d.Environment, d.Outcome)
	b.WriteString("| phase | outcome | time | |\n| --- | --- | --- | --- |\n")
	for _, p := range d.Phases {
		took := shortDuration(time.Duration(p.Seconds * float64(time.Second)))
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.Name, p.Outcome, took, strings.ReplaceAll(firstLine(p.Message), "|", `\|`))
	}
	if d.Error != "" {
		fmt.Fprintf(&b, "\n```\n%s\n```\n", d.Error)
	}
	return b.String()
}
