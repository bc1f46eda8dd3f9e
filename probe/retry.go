package probe

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
)

// RetryPolicy is how often a target is probed until it is healthy.
type RetryPolicy struct {
	// Tries is the maximum number of tries, at least one; Interval is the time between them.
	Tries    int
	Interval time.Duration
	// Timeout limits one try. Zero means 10 s.
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// UntilHealthy probes the target until every probe is healthy, no tries are left, or ctx ends. It calls report after
// each try, counted from 1, and returns the last results and whether all of them are healthy.
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

// RunWithTimeout calls Run with a time limit; zero means 10 s.
func RunWithTimeout(ctx context.Context, timeout time.Duration, target Target, network Network, clk clock.Clock) []Result {
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return Run(ctx, target, network, clk)
}

// AllOK reports whether there are results and all of them are healthy.
func AllOK(results []Result) bool {
	for _, r := range results {
		if !r.OK() {
			return false
		}
	}
	return len(results) > 0
}
