package logs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/cenkalti/backoff/v5"

	"github.com/balancer/v3-backend-infra/clock"
)

// newBackOff returns the pauses between two polls: short while lines arrive, up to 8 s while none do. CloudWatch answers five
// FilterLogEvents a second in some regions, for all users of the account together.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
func newBackOff() backoff.BackOff {
	return &backoff.ExponentialBackOff{InitialInterval: time.Second, Multiplier: 2, MaxInterval: 8 * time.Second}
}

// Follow emits what was written since the query's start, at most its limit, and then what is written, until ctx ends, and returns the
// cause of that. It calls onRetry with an error that another poll may overcome, once for each reason; the next poll finds what the
// failed one missed. It calls onSkipped with the number of older lines that the limit left out of the first poll.
func (r Reader) Follow(ctx context.Context, c clock.Clock, onSkipped func(int), onRetry func(error)) error {
	w := newWindow(r.Since)
	pauses, lastError := newBackOff(), ""
	for first := true; ; {
		r.Since = w.from
		polledAt := c.Now()
		emitted, dropped, err := r.poll(ctx, w.isNew)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			if first && dropped > 0 {
				onSkipped(dropped)
			}
			first, lastError, r.Limit = false, "", 0
			w.advance(polledAt)
		case !retryable(err):
			return err
		case err.Error() != lastError:
			lastError = err.Error()
			onRetry(err)
		}
		if emitted > 0 {
			pauses.Reset()
		}
		if c.Wait(ctx, pauses.NextBackOff()) != nil {
			return context.Cause(ctx)
		}
	}
}

// retryable reports whether another call may succeed: throttling, an error of AWS, a network that is down for a while.
func retryable(err error) bool { return retry.NewStandard().IsErrorRetryable(err) }
