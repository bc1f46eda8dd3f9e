package stack

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

func TestDeletable(t *testing.T) {
	state := engine.State{Resources: []engine.Resource{
		{Type: "pulumi:pulumi:Stack"}, {Type: "awsx:ec2:Vpc"}, {Type: "aws:ec2/vpc:Vpc", ID: "vpc-1", Name: "network"},
		{Type: "aws:ecs/taskDefinition:TaskDefinition", ID: "api", Inputs: map[string]any{"skipDestroy": true}},
	}}
	require.Len(t, Resources(state), 2)
	require.Len(t, Deletable(state), 1)
	require.Equal(t, "network", Deletable(state)[0].Name)
}

// A destroy that its time limit ends after the last resource was deleted has succeeded.
func TestDestroyIsComplete(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		left int
		want bool
	}{
		"nothing is left":        {&engine.InterruptedError{Cause: context.DeadlineExceeded}, 0, true},
		"resources are left":     {&engine.InterruptedError{Cause: context.DeadlineExceeded}, 1, false},
		"the engine still runs":  {&engine.InterruptedError{RunningPID: 1}, 0, false},
		"an outcome is unknown":  {&engine.InterruptedError{Failure: engine.Failure{Pending: []engine.Pending{{}}}}, 0, false},
		"it failed":              {errors.New("broken"), 0, false},
		"it was not interrupted": {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, Destruction{Left: test.left}.complete(test.err))
		})
	}
}
