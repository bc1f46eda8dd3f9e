package command

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/environment"
)

// A destroy that lost its lock proposes nothing that would act against the deployment which has it now.
func TestADestroyThatLostTheLock(t *testing.T) {
	lost := &lock.LostError{Environment: "staging", Reason: "it is now held by bob"}
	ctx, lose := context.WithCancelCause(t.Context())
	lose(lost)
	env := &environment.Environment{Name: "staging", Stack: "staging"}
	done := stack.Destruction{Deleted: 3, Left: 4}
	for _, failure := range []error{&engine.InterruptedError{Cause: lost}, errors.New("the engine was killed")} {
		err := describeDestroy(ctx, env, done, failure)
		require.EqualError(t, err, "stopped during destroy: the lock of staging was lost: it is now held by bob")
		require.Equal(t, lost.Hint(), hint.Of(err))
		require.ErrorIs(t, err, failure)
	}
}

// A destroy that was interrupted while the database started deleted nothing.
func TestDescribeStoppedStart(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("interrupted"))
	env := &environment.Environment{Name: "staging", Stack: "staging"}
	err := describeDestroy(ctx, env, stack.Destruction{}, describeStoppedStart(ctx, env, ctx.Err()))
	require.EqualError(t, err, "stopped during destroy: interrupted; 0 resources were deleted")
	require.Equal(t, "`deployer destroy --env staging` continues; `deployer sleep --env staging` stops the database again", hint.Of(err))
	require.ErrorIs(t, err, context.Canceled)
}
