package ui

import (
	"fmt"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// JobSummary is a deployment as markdown, for the summary page of a GitHub Actions job.
func JobSummary(d record.Deployment) string {
	whole := d.Ended.Sub(d.Started).Seconds()
	var b strings.Builder
	fmt.Fprintf(&b, "### %s to %s: %s\n\n", d.Image.Tag, d.Environment, d.Outcome)
	b.WriteString("| phase | outcome | time | share | |\n| --- | --- | ---: | ---: | --- |\n")
	for _, p := range d.Phases {
		share := 100 * p.Seconds / max(whole, p.Seconds, 0.001)
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f%% | %s |\n", p.Name, p.Outcome, inSeconds(p.Seconds), share,
			strings.ReplaceAll(firstLine(p.Message), "|", `\|`))
	}
	if whole > 0 {
		fmt.Fprintf(&b, "\n%s in all; of which %s.\n", inSeconds(whole), whoTook(d))
	}
	if d.Saving != nil {
		fmt.Fprintf(&b, "\n`%s` would have saved about %s: %s.\n", d.Saving.Setting, inSeconds(d.Saving.Seconds), d.Saving.Why)
	}
	if d.Error != "" {
		fmt.Fprintf(&b, "\n```\n%s\n```\n", d.Error)
	}
	return b.String()
}
