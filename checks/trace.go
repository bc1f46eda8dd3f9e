package checks

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
)

// instrument returns cfg with a limit on concurrent calls, which retries count against, and with every call traced. Without a
// limit, reading a large account would be throttled.
func instrument(cfg aws.Config, concurrency int, trace *tracer, now func() time.Time) aws.Config {
	cfg = cfg.Copy()
	if cfg.Retryer == nil {
		cfg.Retryer = newRetryer(cfg.RetryMode, cmp.Or(cfg.RetryMaxAttempts, maxAttempts))
	}
	slots := make(chan struct{}, concurrency)
	var lastID atomic.Int64
	step := middleware.InitializeMiddlewareFunc("Observe", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return middleware.InitializeOutput{}, middleware.Metadata{}, ctx.Err()
		}
		current := callContextOf(ctx)
		call := Call{
			ID: int(lastID.Add(1)), After: current.lastCalls(), Component: current.component, Start: now(),
			Service: middleware.GetServiceID(ctx), Operation: middleware.GetOperationName(ctx),
		}
		out, metadata, err := next.HandleInitialize(ctx, in)
		call.End, call.Err = now(), err
		current.complete(call)
		trace.record(call)
		return out, metadata, err
	})
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		// First, so that calls answered by another middleware are traced too.
		return stack.Initialize.Add(step, middleware.Before)
	})
	return cfg
}

// tracer passes calls to the callback, one at a time, until it is stopped.
type tracer struct {
	mu sync.Mutex
	// callback is nil without tracing.
	callback func(Call)
}

func (t *tracer) record(c Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.callback != nil {
		t.callback(c)
	}
}

func (t *tracer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.callback = nil
}

// maxAttempts is how often a throttled call is tried where the configuration does not set it, so that it succeeds in the end.
const maxAttempts = 8

// limitedRetryer retries a throttled call as often as it may, and any other no more often than the SDK does by default.
type limitedRetryer struct{ aws.RetryerV2 }

// RetryDelay returns the last error to end the attempts.
func (p limitedRetryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if attempt >= retry.DefaultMaxAttempts && !hasCode(err, throttledCodes...) {
		return 0, err
	}
	return p.RetryerV2.RetryDelay(attempt, err)
}

// newRetryer returns a function that creates a retryer for each client.
func newRetryer(mode aws.RetryMode, limit int) func() aws.Retryer {
	limited := func(o *retry.StandardOptions) { o.MaxAttempts = limit }
	return func() aws.Retryer {
		if mode == aws.RetryModeStandard {
			return limitedRetryer{retry.NewStandard(limited)}
		}
		return limitedRetryer{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, limited)
		})}
	}
}
