package command

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/awshook"
)

var (
	// overHTTP has the components that need more than calls to AWS.
	overHTTP = []string{"endpoint", "readiness", "tls"}
	// asEvidence has the operations without whose responses every component can still be judged.
	asEvidence = []string{
		"CloudWatch GetMetricData", "Elastic Load Balancing v2 DescribeLoadBalancerAttributes",
		"RDS DescribePendingMaintenanceActions", "Secrets Manager DescribeSecret",
	}
)

// judged is a report, its calls, and how long it took.
type judged struct {
	checks.Report
	trace []checks.Call
	took  time.Duration
}

// judge creates a report on staging in a synctest bubble, in which only calls take time: step is called before each of them.
func (d deployed) judge(t *testing.T, timeout time.Duration, step func(ctx context.Context, name string, in any) error) (result judged) {
	account, env := d.open(t, "staging")
	network, err := account.Network()
	require.NoError(t, err)
	today := time.Now()
	synctest.Test(t, func(t *testing.T) {
		// A bubble begins in the year 2000, before anything was deployed.
		require.NoError(t, clock.Real().Wait(t.Context(), time.Until(today)))
		began := time.Now()
		result.Report = checks.Run(t.Context(), env, checks.Sources{AWS: awshook.Before(account.AWS(), step), Network: network}, checks.Options{
			Skip: overHTTP, Timeout: timeout, Trace: func(c checks.Call) { result.trace = append(result.trace, c) },
		}, clock.Real())
		result.took = time.Since(began)
	})
	return result
}

// testSpeed adds 50 ms to every call: a report takes little longer than its critical path, and repeats no call.
func (d deployed) testSpeed(t *testing.T) {
	var mu sync.Mutex
	made := map[string]int{}
	report := d.judge(t, time.Minute, func(ctx context.Context, name string, in any) error {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		mu.Lock()
		made[name+" "+string(text)]++
		mu.Unlock()
		return clock.Real().Wait(ctx, 50*time.Millisecond)
	})
	require.Equal(t, checks.Healthy, report.Summary.Status)
	for call, times := range made {
		require.Equal(t, 1, times, call)
	}
	require.Len(t, report.trace, len(made))
	chain := checks.CriticalPath(report.trace)
	require.Len(t, chain, 3, "such as listing services, describing them, and describing their task definitions")
	var needed time.Duration
	for _, c := range chain {
		needed += c.Duration()
	}
	require.LessOrEqual(t, report.took.Seconds(), 1.3*needed.Seconds())
}

// testHanging blocks each operation in turn: the report ends in time, the components that need the response are unknown
// or do without it, and the others are judged as always.
func (d deployed) testHanging(t *testing.T) {
	const timeout, grace = time.Second, 200 * time.Millisecond
	complete := d.judge(t, timeout, func(context.Context, string, any) error { return nil })
	operations := map[string]bool{}
	for _, c := range complete.trace {
		operations[c.Service+" "+c.Operation] = true
	}
	require.Greater(t, len(operations), 35)
	for operation := range operations {
		t.Run(operation, func(t *testing.T) {
			report := d.judge(t, timeout, func(ctx context.Context, name string, _ any) error {
				if name != operation {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			})
			require.LessOrEqual(t, report.took, timeout+grace)
			require.Zero(t, report.Summary.Error)
			require.Zero(t, report.Summary.Warning)
			for _, f := range report.Services {
				if f.Status == checks.Unknown {
					require.Equal(t, "Timeout", f.Reason, f.Service)
					require.Equal(t, operation, f.Details["call"], f.Service)
				}
			}
			require.Equal(t, slices.Contains(asEvidence, operation), report.Summary.Unknown == 0, "%d unknown", report.Summary.Unknown)
		})
	}
}
