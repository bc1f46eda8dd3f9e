package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTrialsFollowFromTheSeed(t *testing.T) {
	drawn := func(o options) []trial {
		trials, err := plan(o)
		require.NoError(t, err)
		return trials
	}
	all := drawn(options{trials: 40, seed: 7})
	require.Equal(t, all, drawn(options{trials: 40, seed: 7}))
	require.NotEqual(t, all, drawn(options{trials: 40, seed: 8}))
	require.Equal(t, all[11:12], drawn(options{trials: 40, seed: 7, only: 12}))
	for _, trial := range drawn(options{trials: 5, seed: 7, scenario: "rollback"}) {
		require.Equal(t, "rollback", trial.scenario.name)
	}
	_, err := plan(options{trials: 5, seed: 7, scenario: "rolback"})
	require.Error(t, err)
	for _, trial := range all {
		require.True(t, trial.signal == "SIGKILL" || trial.to == deployerOnly, "only the deployer is asked to stop: %s", trial)
	}
}

func TestPhaseAt(t *testing.T) {
	c := timing{took: 10 * time.Second, phases: []phaseStart{{"preflight", time.Second}, {"provision", 4 * time.Second}}}
	for fraction, want := range map[float64]phaseStart{0.05: {startPhase, 500 * time.Millisecond}, 0.1: {"preflight", 0}, 0.9: {"provision", 5 * time.Second}} {
		phase, after := c.phaseAt(fraction)
		require.Equal(t, want, phaseStart{phase, after})
	}
}

func TestOneAtATime(t *testing.T) {
	at := func(began, ended int64) (m migration) {
		m.Created = time.Unix(began, 0)
		if ended > 0 {
			m.Stopped = time.Unix(ended, 0)
		}
		return m
	}
	require.NoError(t, oneAtATime([]migration{at(1, 2), at(2, 3)}))
	require.Error(t, oneAtATime([]migration{at(1, 3), at(2, 4)}), "they overlap")
	require.Error(t, oneAtATime([]migration{at(1, 0), at(2, 4)}), "the first has not ended")
	require.Error(t, oneAtATime(nil), "none proves nothing")
}

func TestWhatASignalMayLeave(t *testing.T) {
	const left = "under way: the engine (process 7) was asked to stop and has not ended yet"
	ended := func(signal, phase string, code int) *result {
		return &result{trial: trial{signal: signal, to: deployerOnly}, phase: phase, code: code}
	}
	require.True(t, engineStillRunning(ended("SIGTERM", "rollout", 130), left))
	require.True(t, engineStillRunning(ended("SIGTERM", "rollout", 130), "deployer: no time is left"))
	require.False(t, engineStillRunning(ended("SIGTERM", "rollout", 130), "stopped during rollout"))
	require.False(t, engineStillRunning(ended("SIGTERM", "rollout", 1), left))
	require.False(t, engineStillRunning(ended("SIGINT", "rollout", 130), left), "a person waits")
	require.True(t, exitedEarly(ended("SIGINT", startPhase, killed), ""))
	require.False(t, exitedEarly(ended("SIGINT", startPhase, killed), "preflight"))
	require.False(t, exitedEarly(ended("SIGINT", "preflight", killed), ""))
	require.False(t, exitedEarly(ended("SIGINT", startPhase, 1), ""))
}
