package logs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/balancer/v3-backend-infra/clock"
)

// How long a follower waits between two looks: shortly while lines come, longer while nothing does. CloudWatch answers
// five FilterLogEvents a second in some regions, to everybody in the account together.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const (
	minInterval = time.Second
	maxInterval = 8 * time.Second
)

// Follow shows what was written since the query's begin, at most its limit, and then what comes, until ctx ends; its
// error is ctx's cause then. Fell is told of a look that failed for a reason that passes, once for each reason: the next
// look finds what that one missed. Skipped is told how many older lines the limit left out of the first look.
func (r Reader) Follow(ctx context.Context, c clock.Clock, onSkipped func(int), onRetry func(error)) error {
	w := newWindow(r.Since)
	pause, lastError := minInterval, ""
	for first := true; ; {
		r.Since = w.from
		polledAt := c.Now()
		shown, dropped, err := r.readOnce(ctx, w.isNew)
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
		pause = nextInterval(pause, shown)
		if c.Wait(ctx, pause) != nil {
			return context.Cause(ctx)
		}
	}
}

func nextInterval(last time.Duration, shown int) time.Duration {
	if shown > 0 {
		return minInterval
	}
	return min(maxInterval, last*2)
}

// retryable reports whether trying again may help: throttling, an error of AWS, a network that is gone for a while.
func retryable(err error) bool { return retry.NewStandard().IsErrorRetryable(err) }
