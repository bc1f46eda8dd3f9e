package command

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awshook"
)

// A snapshot that was created exists, even if reading its status fails.
func TestSnapshotStatusFails(t *testing.T) {
	env, err := environment.Load(projectRoot(t), "staging")
	require.NoError(t, err)
	silent := awshook.Before(aws.Config{Region: env.Region}, func(context.Context, string, any) error { return errors.New("no answer") })
	err = markAttempted(snapshotCreateOptions{}.printStatus(t.Context(), database.New(silent, env, clock.Real()), "s"))
	require.EqualError(t, err, "the snapshot s was requested, but its status is unknown: list the snapshots: operation error RDS: DescribeDBSnapshots, no answer")
	require.Equal(t, codeFailed, exitCode(err))
}
