package checks

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// maxAttempts is how often a call is tried where the configuration does not say: often enough that one which is refused
// because there are too many gets its answer in the end.
const maxAttempts = 8

// limitedRetryer tries a call that was refused because there are too many as often as it may, and any other as often as the SDK
// does by itself: who has not answered three times is not going to.
type limitedRetryer struct{ aws.RetryerV2 }

// RetryDelay ends the attempts with the error that the last one had.
func (p limitedRetryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if attempt >= retry.DefaultMaxAttempts && !hasCode(err, throttledCodes...) {
		return 0, err
	}
	return p.RetryerV2.RetryDelay(attempt, err)
}

// newRetryer makes a patient retryer for each client.
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
