package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

func TestTimeBreakdown(t *testing.T) {
	began := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	d := history.Deployment{
		Environment: "staging", Started: began, Ended: began.Add(400 * time.Second), Outcome: history.Succeeded, Slow: true,
		EngineSeconds: 90, WaitingSeconds: 280, Image: history.Image{Tag: "1.0.0"},
		Phases: []history.Phase{
			{Name: "preflight", Seconds: 3, Outcome: history.Succeeded}, {Name: "provision", Seconds: 72, Outcome: history.Succeeded},
			{Name: "migrate", Seconds: 100, Outcome: history.Succeeded}, {Name: "rollout", Seconds: 220, Outcome: history.Succeeded},
		},
		Saving: &history.Saving{Setting: "deployment.backup: none", Seconds: 100, Why: "RDS can restore to any second of the last days, and staging is not protected"},
	}
	breakdown := func() string {
		var b strings.Builder
		TimeBreakdown(&b, d, Style{})
		return b.String()
	}
	require.Equal(t, `where the time went, 6m40s in all:
  provision    1m12s  18%
  migrate      1m40s  25%
  rollout      3m40s  55%
  other         8.0s   2%
  of which   the engine 1m30s, waiting for AWS 4m40s, the deployer itself 30.0s
deployment.backup: none would have saved about 1m40s: RDS can restore to any
second of the last days, and staging is not protected
`, breakdown())
	summary := JobSummary(d)
	require.Contains(t, summary, "| migrate | succeeded | 1m40s | 25% |")
	require.Contains(t, summary, "6m40s in all; of which the engine 1m30s, waiting for AWS 4m40s, the deployer itself 30.0s.")
	require.Contains(t, summary, "`deployment.backup: none` would have saved about 1m40s: ")

	require.Contains(t, summary, "### 1.0.0 to staging: succeeded\n")
	d.Components = []string{"network", "queue"}
	require.Contains(t, JobSummary(d), "### network, queue to staging: succeeded\n", "no image was deployed")

	d.Outcome = history.Failed
	d.RolledBackTo = &history.Image{Tag: "1.41.7-9f8e7d6c5"}
	summary = JobSummary(d)
	require.Contains(t, summary, ": failed, rolled back to 1.41.7-9f8e7d6c5\n")
	require.Contains(t, summary, "\n| rollback | succeeded | | | 1.41.7-9f8e7d6c5 was deployed again |\n")
	require.Empty(t, breakdown())
	d.Outcome, d.Slow = history.Succeeded, false
	require.Empty(t, breakdown())
}
