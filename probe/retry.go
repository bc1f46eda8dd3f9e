package probe

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// RetryPolicy is how often and how long a target is probed until it is well.
type RetryPolicy struct {
	// Tries is the number of tries, at least one; Interval the time between them.
	Tries    int
	Interval time.Duration
	// Timeout bounds one try. Zero means 10 s.
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// UntilHealthy probes the target until every probe is well, the tries are used up or ctx ends, tells report of each try
// (from 1 on), and returns the last results and whether all of them are well.
func UntilHealthy(
	ctx context.Context, target Target, policy RetryPolicy, network Network, clk clock.Clock, report func(try int, results []Result),
) ([]Result, bool) {
	for try := 1; ; try++ {
		results := RunWithTimeout(ctx, policy.Timeout, target, network, clk)
		report(try, results)
		if AllOK(results) {
			return results, true
		}
		if try >= policy.Tries || clk.Wait(ctx, policy.Interval) != nil {
			return results, false
		}
	}
}

// RunWithTimeout is Run with a time limit of its own; zero means 10 s.
func RunWithTimeout(ctx context.Context, timeout time.Duration, target Target, network Network, clk clock.Clock) []Result {
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return Run(ctx, target, network, clk)
}

// AllOK reports whether there are results and nothing is wrong in any of them.
func AllOK(results []Result) bool {
	for _, r := range results {
		if !r.OK() {
			return false
		}
	}
	return len(results) > 0
}
