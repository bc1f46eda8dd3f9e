package stack

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// The lock of an engine that a signal ended is removed, but not the lock of one that is still ending.
func TestEngineKilled(t *testing.T) {
	killed := engine.Failure{Killed: true}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"killed":                       {&engine.FailedError{Failure: killed}, true},
		"killed, wrapped":              {fmt.Errorf("provision: %w", &engine.FailedError{Failure: killed}), true},
		"failed":                       {&engine.FailedError{}, false},
		"interrupted":                  {&engine.InterruptedError{}, false},
		"interrupted when it was done": {&engine.InterruptedError{Failure: killed}, true},
		"still ending":                 {&engine.InterruptedError{Failure: killed, RunningPID: 7}, false},
		"something else":               {errors.New("no"), false},
		"nothing":                      {nil, false},
	} {
		require.Equal(t, test.want, engineKilled(test.err), name)
	}
}
