package ui

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// deploymentsOfEveryKind returns records, the newest first.
func deploymentsOfEveryKind() []history.Deployment {
	at := time.Date(2026, 11, 23, 16, 15, 30, 0, time.UTC)
	record := func(kind history.Kind, outcome history.Outcome, edit func(*history.Deployment)) history.Deployment {
		d := history.Deployment{
			ID: "20261123-161530-1f3a", Kind: kind, Outcome: outcome, By: "anna@build-host", Started: at, Ended: at.Add(754 * time.Second),
			Image: history.Image{Tag: "1.41.8-abc123def"},
		}
		edit(&d)
		return d
	}
	phases := func(outcomes ...history.Outcome) []history.Phase {
		names := []string{"preflight", "provision", "migrate", "rollout", "rollback"}
		all := []history.Phase{}
		for i, outcome := range outcomes {
			all = append(all, history.Phase{Name: names[i], Outcome: outcome})
		}
		return all
	}
	ok, failed := history.Succeeded, history.Failed
	return []history.Deployment{
		record(history.Full, failed, func(d *history.Deployment) {
			d.Phases, d.RolledBackTo = phases(ok, ok, ok, failed, ok), &history.Image{Tag: "1.41.7-9f8e7d6c5"}
		}),
		record(history.Restore, ok, func(d *history.Deployment) {
			d.Image, d.Snapshot = history.Image{}, "v3-backend-development-pre-deploy-20261122-090807"
		}),
		record(history.CodeOnly, ok, func(d *history.Deployment) { d.Restarted, d.RestartedOnly = true, environment.Role("scheduler") }),
		record(history.Full, history.Crashed, func(d *history.Deployment) { d.Phases, d.Ended = phases(ok, history.Crashed), time.Time{} }),
		record(history.Full, ok, func(d *history.Deployment) { d.Image.Tag, d.Unverified = strings.Repeat("ä", 40), "a reason" }),
		record(history.Components, ok, func(d *history.Deployment) { d.Components = []string{"network", "queue"} }),
		record(history.Components, history.Incomplete, func(d *history.Deployment) { d.Components = []string{"services"} }),
		record(history.Components, ok, func(d *history.Deployment) {}), // written before records had the components
		record(history.Restore, ok, func(d *history.Deployment) {
			d.Image, d.Restore = history.Image{}, &history.DatabaseSwap{Revert: true, Snapshot: "s"}
		}),
		record(history.CodeOnly, failed, func(d *history.Deployment) {
			d.Phases, d.Rollback = phases(ok, ok, ok, failed), history.Interrupted
		}),
	}
}

// The list has when and by whom, the phase that failed, and what a restore restored.
func TestHistory(t *testing.T) {
	var out strings.Builder
	require.NoError(t, History(&out, deploymentsOfEveryKind(), "text", Style{}))
	for _, want := range []string{
		`^deployment +started +by +kind +image or snapshot +outcome +took\n`,
		`\n20261123-161530-1f3a  2026-11-23 16:15 UTC  anna@build-host  full +1.41.8-abc123def +failed: rollout, rolled back +12m34s\n`,
		`code-only +1.41.8-abc123def +failed: rollout, rollback interrupted `,
		`restore +v3-backend-development-pre-deploy-20261122-090807 +succeeded `,
		`restart +1.41.8-abc123def +succeeded `,
		`full +1.41.8-abc123def +` + string(history.Crashed) + `: provision\n`,
		`full +ä{40} +succeeded, unverified `,
		`\n20261123-161530-1f3a +2026-11-23 16:15 UTC +anna@build-host +components +succeeded +12m34s\n`,
		`components +1.41.8-abc123def +partial +12m34s\n`,
		`components +1.41.8-abc123def +succeeded +12m34s\n`,
		`restore +previous database +succeeded `,
	} {
		require.Regexp(t, want, out.String())
	}
	out.Reset()
	require.NoError(t, History(&out, deploymentsOfEveryKind(), "text", Style{Width: 80}))
	require.Contains(t, out.String(), "\n  2026-11-23 16:15 UTC, anna@build-host\n")
	require.Regexp(t, `restore +v3-backe…22-090807 `, out.String())
	require.True(t, utf8.ValidString(out.String()), "a name is truncated between characters, not between their bytes")
	out.Reset()
	one := deploymentsOfEveryKind()[2]
	require.NoError(t, Deployment(&out, one, "text", Style{}))
	require.Regexp(t, `kind +restart\n.*service +scheduler`, out.String())
	out.Reset()
	require.NoError(t, Deployment(&out, deploymentsOfEveryKind()[5], "text", Style{}))
	require.Regexp(t, `kind +components\n`, out.String())
	require.Regexp(t, `components +network, queue\n`, out.String())
	require.NotContains(t, out.String(), "1.41.8")
	out.Reset()
	require.NoError(t, History(&out, []history.Deployment{one}, "json", Style{}))
	require.Contains(t, out.String(), `"restartedOnly": "scheduler"`)
}
