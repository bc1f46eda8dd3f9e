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
	shortestPause = time.Second
	longestPause  = 8 * time.Second
)

// Follow shows what was written since the query's begin, at most its limit, and then what comes, until ctx ends; its
// error is ctx's cause then. Fell is told of a look that failed for a reason that passes, once for each reason: the next
// look finds what that one missed. Skipped is told how many older lines the limit left out of the first look.
func (r Reader) Follow(ctx context.Context, c clock.Clock, skipped func(int), fell func(error)) error {
	w := newWindow(r.Since)
	pause, trouble := shortestPause, ""
	for first := true; ; {
		r.Since = w.from
		looked := c.Now()
		shown, dropped, err := r.pass(ctx, w.fresh)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			if first && dropped > 0 {
				skipped(dropped)
			}
			first, trouble, r.Limit = false, "", 0
			w.move(looked)
		case !passes(err):
			return err
		case err.Error() != trouble:
			trouble = err.Error()
			fell(err)
		}
		pause = nextPause(pause, shown)
		if c.Wait(ctx, pause) != nil {
			return context.Cause(ctx)
		}
	}
}

func nextPause(last time.Duration, shown int) time.Duration {
	if shown > 0 {
		return shortestPause
	}
	return min(longestPause, last*2)
}

// passes reports whether trying again may help: throttling, an error of AWS, a network that is gone for a while.
func passes(err error) bool { return retry.NewStandard().IsErrorRetryable(err) }
