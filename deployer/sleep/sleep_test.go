package sleep

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

func TestState(t *testing.T) {
	marked, waking := &environment.SleepMarker{}, &environment.SleepMarker{By: "v3-backend-staging-schedule" + environment.Waking}
	for name, test := range map[string]struct {
		state         State
		asleep, awake bool
	}{
		"awake":                        {State{Desired: 2, Running: 2, Services: 2, Database: "available"}, false, true},
		"awake, and being changed":     {State{Desired: 2, Services: 2, Database: "modifying"}, false, true},
		"asleep":                       {State{Marker: marked, Services: 2, Idle: []string{"a", "b"}, Database: "stopped", Muted: true}, true, false},
		"asleep, and not muted":        {State{Marker: marked, Services: 2, Idle: []string{"a", "b"}, Database: "stopped"}, false, false},
		"about to be woken":            {State{Marker: waking, Services: 2, Idle: []string{"a", "b"}, Database: "stopped", Muted: true}, false, false},
		"asleep without a database":    {State{Marker: marked, Services: 2, Idle: []string{"a", "b"}, Muted: true}, true, false},
		"sleep interrupted at once":    {State{Marker: marked, Desired: 2, Running: 2, Services: 2, Database: "available", Muted: true}, false, false},
		"sleep interrupted, draining":  {State{Marker: marked, Running: 1, Services: 2, Idle: []string{"a", "b"}, Database: "available", Muted: true}, false, false},
		"sleep interrupted, stopping":  {State{Marker: marked, Services: 2, Idle: []string{"a", "b"}, Database: "stopping", Muted: true}, false, false},
		"started by RDS":               {State{Marker: marked, Services: 2, Idle: []string{"a", "b"}, Database: "available", Muted: true}, false, false},
		"wake interrupted at its end":  {State{Marker: marked, Desired: 2, Running: 2, Services: 2, Database: "available"}, false, false},
		"muted without a marker":       {State{Desired: 2, Running: 2, Services: 2, Database: "available", Muted: true}, false, false},
		"stopped outside the deployer": {State{Desired: 2, Running: 2, Services: 2, Database: "stopped"}, false, false},
		"scaled to 0 by a person":      {State{Desired: 1, Running: 1, Services: 2, Idle: []string{"b"}, Database: "available"}, false, false},
	} {
		require.Equal(t, test.asleep, test.state.Asleep(), name)
		require.Equal(t, test.awake, test.state.Awake(), name)
		require.Equal(t, test.state.Marker != nil || test.state.Muted, test.state.Marked(), name)
	}
}

func TestCheckMaySleep(t *testing.T) {
	env, err := environment.Load("../..", "dev")
	require.NoError(t, err)
	s := Sleeper{Env: env}
	require.NoError(t, s.CheckMaySleep(State{}))
	err = s.CheckMaySleep(State{Replicas: []string{"copy"}})
	require.EqualError(t, err, "the database v3-backend-development-db has the read replicas copy, or is one of them, and RDS stops no such database")
	err = s.CheckMaySleep(State{Unsuppressed: []string{"us-east-1"}})
	require.ErrorContains(t, err, "the alarm v3-backend-development-asleep does not exist in us-east-1, so")
	require.Equal(t, "deploy it first: `deployer up --env dev --image-tag TAG --refresh`", hint.Of(err))
}
