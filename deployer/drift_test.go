package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func TestWhatEndsALookForDrift(t *testing.T) {
	broken := errors.New("broken")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	interrupt(errInterrupted)
	differs := ui.Drift{Account: engine.Plan{Steps: []engine.Step{{Op: "update"}}}}
	for name, test := range map[string]struct {
		ctx    context.Context
		listed bool
		found  ui.Drift
		err    error
		ends   bool
	}{
		"a good look":                        {t.Context(), false, ui.Drift{}, nil, false},
		"a signal just after a good look":    {interrupted, false, ui.Drift{}, nil, false},
		"a signal just after one of several": {interrupted, true, differs, nil, false},
		"a signal meanwhile":                 {interrupted, true, differs, broken, true},
		"the only one cannot be looked at":   {t.Context(), false, ui.Drift{}, broken, true},
		"half of the only one was looked at": {t.Context(), false, differs, broken, false},
		"one of several cannot be looked at": {t.Context(), true, ui.Drift{}, broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.ends, drift{listed: test.listed}.ends(test.ctx, test.found, test.err))
		})
	}
}
