package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The signals come when a phase begins, so that nothing has to be measured first.
var short = []struct {
	scenario, phase, signal string
	victim                  victim
}{
	{"first up", "provision", "SIGKILL", both},
	{"first up", "provision", "SIGKILL", engineAlone},
	{"up", "rollout", "SIGKILL", deployerAlone},
	{"up", "migrate", "SIGKILL", both},
	{"code-only", "rollout", "SIGINT", deployerAlone},
	{"destroy", "destroy", "SIGTERM", deployerAlone},
}

// projectLab is a lab for the binaries that `make` has built.
func projectLab(t *testing.T) *lab {
	t.Helper()
	t.Chdir("..")
	for _, binary := range []string{"deployer", "pulumi"} {
		if _, err := os.Stat(filepath.Join("bin", binary)); err != nil {
			t.Skipf("bin/%s is missing: `make build` builds what this test kills", binary)
		}
	}
	l, err := newLab()
	require.NoError(t, err)
	t.Cleanup(l.close)
	return l
}

// This is the short form of `make chaos`: some kills, and two deployments of one environment at once.
func TestKilledDeploymentsConverge(t *testing.T) {
	l := projectLab(t)
	require.NoError(t, os.MkdirAll(l.basis(fresh), 0o700))
	require.NoError(t, l.deploy(t.Context(), l.basis(deployed), oldTag))
	var trials []trial
	for i, s := range short {
		for _, known := range scenarios {
			if known.name == s.scenario {
				known.name = fmt.Sprintf("%s in %s", s.scenario, s.phase)
				l.usual[known.name] = course{marks: []mark{{s.phase, 0}}}
				trials = append(trials, trial{number: i + 1, scenario: known, signal: s.signal, victim: s.victim})
			}
		}
	}
	require.Len(t, trials, len(short))
	for _, r := range l.all(t.Context(), trials, options{parallel: 2, limit: patience * 20}) {
		require.NoError(t, r.err, "%s", r.trial)
		require.False(t, r.over, "%s: it had ended before the signal came", r.trial)
	}
	require.NoError(t, l.crowds(t.Context(), 2))
}

// The short form of the trials that change a file: removals, each command once, two of them after half a deployment.
func TestChangedFilesDoNotDamageTheState(t *testing.T) {
	l := projectLab(t)
	basic := edit{key: "monitoring.level", value: "basic"}
	unscaled := edit{key: "services.api", value: object{"cpu": 512, "memory": 1024}}
	results, err := l.editsBetweenDeployments(t.Context(), []editTrial{
		{number: 1, edits: []edit{basic, {key: "services.scheduler"}}, action: "code-only"},
		{number: 2, edits: []edit{unscaled}, action: "rollback", before: "migration-fails"},
		{number: 3, edits: []edit{basic, unscaled}, action: "restart"},
		{number: 4, edits: []edit{basic}, action: "roles", before: "killed"},
	}, options{parallel: 2, limit: patience * 20})
	require.NoError(t, err)
	require.Len(t, results, 4)
	for _, r := range results {
		require.NoError(t, r.err, "%s", r.editTrial)
	}
}
