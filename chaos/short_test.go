package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The signals are sent when a phase starts, so that no baseline has to be measured.
var short = []struct {
	scenario, phase, signal string
	victim                  signalTarget
}{
	{"first up", "provision", "SIGKILL", deployerAndEngine},
	{"first up", "provision", "SIGKILL", engineOnly},
	{"up", "rollout", "SIGKILL", deployerOnly},
	{"up", "migrate", "SIGKILL", deployerAndEngine},
	{"code-only", "rollout", "SIGINT", deployerOnly},
	{"destroy", "destroy", "SIGTERM", deployerOnly},
}

// projectHarness returns a harness for the binaries that `make` has built.
func projectHarness(t *testing.T) *harness {
	t.Helper()
	if os.Getenv("CHAOS") == "" {
		t.Skip("kills deployments: `make chaos` runs it")
	}
	t.Chdir("..")
	for _, binary := range []string{"deployer", "pulumi"} {
		if _, err := os.Stat(filepath.Join("bin", binary)); err != nil {
			t.Skipf("bin/%s is missing: run `make build` first", binary)
		}
	}
	h, err := newHarness()
	require.NoError(t, err)
	t.Cleanup(h.close)
	return h
}

// The short form of `make chaos`: a few kills, and two concurrent deployments of one environment.
func TestKilledDeploymentsConverge(t *testing.T) {
	h := projectHarness(t)
	require.NoError(t, os.MkdirAll(h.baseDir(fresh), 0o700))
	require.NoError(t, h.deploy(t.Context(), h.baseDir(deployed), oldTag))
	var trials []trial
	for i, s := range short {
		for _, known := range scenarios {
			if known.name == s.scenario {
				known.name = fmt.Sprintf("%s in %s", s.scenario, s.phase)
				h.baselines[known.name] = timing{phases: []phaseStart{{s.phase, 0}}}
				trials = append(trials, trial{number: i + 1, scenario: known, signal: s.signal, to: s.victim})
			}
		}
	}
	require.Len(t, trials, len(short))
	for _, r := range h.runAll(t.Context(), trials, options{parallel: 2, limit: exitTimeout * 20}) {
		require.NoError(t, r.err, "%s", r.trial)
		require.False(t, r.exited, "%s: it had exited before the signal was sent", r.trial)
	}
	require.NoError(t, h.runConcurrent(t.Context(), 2))
}

// The short form of the edit trials: removals, each command once, two of them after a partial deployment.
func TestChangedFilesDoNotDamageTheState(t *testing.T) {
	h := projectHarness(t)
	basic := edit{key: "monitoring.level", value: "basic"}
	unscaled := edit{key: "services.api", value: object{"cpu": 512, "memory": 1024}}
	results, err := h.runEdits(t.Context(), []editTrial{
		{number: 1, edits: []edit{basic, {key: "services.scheduler"}}, action: "code-only"},
		{number: 2, edits: []edit{unscaled}, action: "rollback", partial: "migration-fails"},
		{number: 3, edits: []edit{basic, unscaled}, action: "restart"},
		{number: 4, edits: []edit{basic}, action: "roles", partial: "killed"},
	}, options{parallel: 2, limit: exitTimeout * 20})
	require.NoError(t, err)
	require.Len(t, results, 4)
	for _, r := range results {
		require.NoError(t, r.err, "%s", r.editTrial)
	}
}
