package command

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
)

// The last line of `up` states only what it verified.
func TestLastLineOfUp(t *testing.T) {
	env, err := environment.Load(projectRoot(t), "staging")
	require.NoError(t, err)
	const runs = "1.0.0-aaa runs in staging"
	at := " at " + env.URL()
	for row, test := range map[string]struct {
		options upOptions
		want    string
	}{
		"everything":            {upOptions{}, runs + at + ", after 5s"},
		"baked":                 {upOptions{}, runs + at + ", baked 5m0s, after 5s"},
		"baked, a restart":      {upOptions{codeOnly: true, restart: true}, "every task of 1.0.0-aaa in staging was restarted, baked 5m0s, after 5s"},
		"baked in no dry run":   {upOptions{dryRun: true}, "1.0.0-aaa can be deployed to staging; dry run: nothing was changed"},
		"baked, and skipped":    {upOptions{skip: []string{"bake"}}, runs + at + ", after 5s; skipped: bake"},
		"no rollout":            {upOptions{skip: []string{"rollout"}}, "1.0.0-aaa was not rolled out: staging runs 0.9.0-bbb, after 5s; skipped: rollout"},
		"no rollout or health":  {upOptions{skip: []string{"health", "rollout"}}, "1.0.0-aaa was not rolled out: staging runs 0.9.0-bbb, after 5s; skipped: health, rollout"},
		"no health":             {upOptions{skip: []string{"health"}}, runs + ", and whether " + env.URL() + " answers was not checked, after 5s; skipped: health"},
		"no backup":             {upOptions{skip: []string{"backup"}}, runs + at + ", after 5s; skipped: backup"},
		"code, no rollout":      {upOptions{codeOnly: true, skip: []string{"rollout"}}, "1.0.0-aaa was not rolled out: staging runs 0.9.0-bbb, after 5s; skipped: rollout"},
		"components, no health": {upOptions{components: []string{"network"}, skip: []string{"health"}}, "network of staging deployed, after 5s; skipped: health"},
		"components, nothing": {upOptions{components: []string{"network"}, skip: []string{"provision"}},
			"network of staging not deployed, after 5s; skipped: provision"},
		"restart, no health": {upOptions{codeOnly: true, restart: true, skip: []string{"health"}},
			"every task of 1.0.0-aaa in staging was restarted, after 5s; skipped: health"},
		"dry run of components": {upOptions{dryRun: true, components: []string{"network"}},
			"network of staging can be deployed with 1.0.0-aaa; dry run: nothing was changed"},
		"dry run of a restart": {upOptions{dryRun: true, codeOnly: true, restart: true},
			"1.0.0-aaa, which runs in staging, can be restarted; dry run: nothing was changed"},
		"components":               {upOptions{components: []string{"network"}}, "network of staging deployed, after 5s"},
		"components with services": {upOptions{components: []string{"services"}}, "services of staging deployed, with 1.0.0-aaa, after 5s; skipped: migrate"},
		"warnings":                 {upOptions{skip: []string{"backup"}, unverified: "warn"}, runs + at + ", after 5s, with 2 warnings; skipped: backup"},
		"components, no rollout": {upOptions{components: []string{"services"}, skip: []string{"rollout"}},
			"1.0.0-aaa was not rolled out: staging runs 0.9.0-bbb, after 5s; skipped: rollout, migrate"},
		"restart":             {upOptions{codeOnly: true, restart: true}, "every task of 1.0.0-aaa in staging was restarted, after 5s"},
		"restart, no rollout": {upOptions{codeOnly: true, restart: true, skip: []string{"rollout"}}, "1.0.0-aaa was not rolled out: staging runs 0.9.0-bbb, after 5s; skipped: rollout"},
		"dry run":             {upOptions{dryRun: true}, "1.0.0-aaa can be deployed to staging; dry run: nothing was changed"},
		"dry run, no rollout": {upOptions{dryRun: true, skip: []string{"rollout"}}, "1.0.0-aaa can be deployed to staging; dry run: nothing was changed; skipped: rollout"},
	} {
		t.Run(row, func(t *testing.T) {
			var out bytes.Buffer
			test.options.terminal = &terminal{streams: streams{out: &out}}
			started := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
			result := history.Deployment{Image: history.Image{Tag: "1.0.0-aaa"}, Started: started, Ended: started.Add(5 * time.Second), DryRun: test.options.dryRun}
			if test.options.unverified != "" {
				result.Warnings = []string{"one", "two"}
			}
			skipped := test.options.skippedPhases(env)
			for _, name := range release.PhaseNames() {
				phase := history.Phase{Name: name, Outcome: history.Succeeded}
				if skipped[name] != "" || name == release.Bake && !strings.HasPrefix(row, "baked") {
					phase.Outcome = history.Skipped
				}
				result.Phases = append(result.Phases, phase)
			}
			test.options.printSummary(env, result, "runs 0.9.0-bbb")
			require.Equal(t, test.want+"\n", out.String())
		})
	}
}
