package main

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain runs the processes of the bucket trials.
func TestMain(m *testing.M) {
	if role := os.Getenv(bucketRole); role != "" {
		if runBucketRole(context.Background(), role) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Deployers whose lock is in a bucket are killed, stopped and disconnected: no update of the state is lost, and no former holder
// writes it.
func TestDisturbedDeployersDoNotLoseUpdates(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for several seconds: left out by -short")
	}
	o := options{seed: 7, bucket: 100, parallel: 20, limit: time.Hour}
	trials := planBucket(o)
	if os.Getenv("CHAOS") == "" {
		all := []string{"deployer", "keeper", "engine"}
		stopped := func(roles ...string) disturbance {
			return disturbance{name: "first", what: "SIGSTOP", roles: roles, at: time.Second, until: time.Second + 2*bucketLease}
		}
		trials = []bucketTrialPlan{
			{number: 1, disturbances: []disturbance{stopped("deployer")}},
			{number: 2, disturbances: []disturbance{stopped(all...)}},
			{number: 3, disturbances: []disturbance{{name: "first", what: "disconnect", roles: []string{"network"}, at: time.Second, until: 2 * bucketLease}}},
			{number: 4, disturbances: []disturbance{{name: "first", what: "SIGKILL", roles: []string{"deployer"}, at: time.Second}}},
		}
	}
	results := inParallel(t.Context(), o, trials, func(p bucketTrialPlan) bucketResult { return runBucketTrial(t.Context(), p) }, func(r bucketResult) error { return r.err })
	bucketSummary(os.Stdout, results)
	require.Len(t, results, len(trials))
	for _, r := range results {
		require.NoError(t, r.err, "%s", r)
		require.GreaterOrEqual(t, r.acquisitions, 2, "%s", r)
	}
}

// The bucket of the trials reports what they must not find.
func TestTheBucketLabFindsLostUpdates(t *testing.T) {
	l := newBucketLab()
	require.Empty(t, l.wrong)
	l.Put(bucketState, []byte(`{"Updates":["a","b"]}`))
	l.Put(bucketState, []byte(`{"Updates":["a"]}`))
	require.Contains(t, l.wrong, " lost the update b")
}
