package command

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func TestPartialDrift(t *testing.T) {
	broken := errors.New("broken")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	interrupt(errInterrupted)
	differs := ui.Drift{Account: engine.Plan{Steps: []engine.Step{{Op: "update"}}}}
	for name, test := range map[string]struct {
		ctx   context.Context
		found ui.Drift
		err   error
		want  bool
	}{
		"succeeded":              {t.Context(), differs, nil, false},
		"a signal at the end":    {interrupted, differs, nil, false},
		"a signal":               {interrupted, differs, broken, false},
		"nothing was found":      {t.Context(), ui.Drift{}, broken, false},
		"only the program fails": {t.Context(), differs, broken, true},
	} {
		require.Equal(t, test.want, isPartial(test.ctx, test.found, test.err), name)
	}
}
