package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// The engine exits with 0 where it was interrupted while it deleted resources.
func TestStoppedEarly(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	some := State{Resources: []Resource{{Type: "pulumi:pulumi:Stack"}, {Type: "aws:ec2/vpc:Vpc", ID: "vpc-1"}}}
	none := State{Resources: []Resource{{Type: "pulumi:pulumi:Stack"}, {Type: "pulumi:providers:aws", ID: "1"}}}
	for name, test := range map[string]struct {
		ctx       context.Context
		operation string
		left      State
		stopped   bool
	}{
		"a destroy that ended":                              {t.Context(), destroy, none, false},
		"a destroy that was interrupted":                    {interrupted, destroy, some, true},
		"a destroy that was interrupted after all was gone": {interrupted, destroy, none, false},
		"an update that ended":                              {t.Context(), "up", some, false},
		"an update that was interrupted":                    {interrupted, "up", some, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := Handle{current: test.left}
			require.Equal(t, test.stopped, h.stoppedEarly(test.ctx, test.operation))
		})
	}
}
