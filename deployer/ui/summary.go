package ui

import (
	"fmt"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// JobSummary is a deployment as markdown, for the summary page of a GitHub Actions job.
func JobSummary(d history.Deployment) string {
	total := d.Ended.Sub(d.Started).Seconds()
	var b strings.Builder
	fmt.Fprintf(&b, "### %s to %s: %s\n\n", d.Image.Tag, d.Environment, d.Outcome)
	b.WriteString("| phase | outcome | time | share | |\n| --- | --- | ---: | ---: | --- |\n")
	for _, p := range d.Phases {
		share := 100 * p.Seconds / max(total, p.Seconds, 0.001)
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f%% | %s |\n", p.Name, p.Outcome, formatSeconds(p.Seconds), share,
			strings.ReplaceAll(firstLine(p.Message), "|", `\|`))
	}
	if total > 0 {
		fmt.Fprintf(&b, "\n%s in all; of which %s.\n", formatSeconds(total), timeByCause(d))
	}
	if d.Saving != nil {
		fmt.Fprintf(&b, "\n`%s` would have saved about %s: %s.\n", d.Saving.Setting, formatSeconds(d.Saving.Seconds), d.Saving.Why)
	}
	if d.Error != "" {
		fmt.Fprintf(&b, "\n```\n%s\n```\n", d.Error)
	}
	return b.String()
}
