package checks

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

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
