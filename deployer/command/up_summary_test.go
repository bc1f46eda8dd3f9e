package command

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// The last line of `up` states only what it verified.
func TestLastLineOfUp(t *testing.T) {
	env, err := environment.Load(projectRoot(t), "staging")
	require.NoError(t, err)
	const runs = "1.0.0-aaa runs in staging"
	at := " at " + env.URL()
	for name, test := range map[string]struct {
		options upOptions
		want    string
	}{
		"everything":           {upOptions{}, runs + at + ", after 5s"},
		"no rollout":           {upOptions{skip: []string{"rollout"}}, "1.0.0-aaa was not rolled out in staging, after 5s; skipped: rollout"},
		"no rollout or health": {upOptions{skip: []string{"health", "rollout"}}, "1.0.0-aaa was not rolled out in staging, after 5s; skipped: health, rollout"},
		"no health":            {upOptions{skip: []string{"health"}}, runs + ", and whether " + env.URL() + " answers was not checked, after 5s; skipped: health"},
		"no backup":            {upOptions{skip: []string{"backup"}}, runs + at + ", after 5s; skipped: backup"},
		"code, no rollout":     {upOptions{codeOnly: true, skip: []string{"rollout"}}, "1.0.0-aaa was not rolled out in staging, after 5s; skipped: rollout"},
		"components":           {upOptions{components: []string{"network"}}, "network of staging deployed, after 5s"},
		"components, no rollout": {upOptions{components: []string{"services"}, skip: []string{"rollout"}},
			"1.0.0-aaa was not rolled out in staging, after 5s; skipped: rollout"},
		"restart":             {upOptions{codeOnly: true, restart: true}, "every task of 1.0.0-aaa in staging was restarted, after 5s"},
		"restart, no rollout": {upOptions{codeOnly: true, restart: true, skip: []string{"rollout"}}, "1.0.0-aaa was not rolled out in staging, after 5s; skipped: rollout"},
		"dry run":             {upOptions{dryRun: true}, "1.0.0-aaa can be deployed to staging"},
		"dry run, no rollout": {upOptions{dryRun: true, skip: []string{"rollout"}}, "1.0.0-aaa can be deployed to staging"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			test.options.terminal = &terminal{streams: streams{out: &out}}
			started := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
			test.options.printSummary(env, history.Deployment{
				Image: history.Image{Tag: "1.0.0-aaa"}, Started: started, Ended: started.Add(5 * time.Second),
			})
			require.Equal(t, test.want+"\n", out.String())
		})
	}
}
