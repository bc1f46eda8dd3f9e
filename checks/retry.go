package checks

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// attempts is how often a call is tried where the configuration does not say: often enough that one which is refused
// because there are too many gets its answer in the end.
const attempts = 8

// patient tries a call that was refused because there are too many as often as it may, and any other as often as the SDK
// does by itself: who has not answered three times is not going to.
type patient struct{ aws.RetryerV2 }

// RetryDelay ends the attempts with the error that the last one had.
func (p patient) RetryDelay(attempt int, err error) (time.Duration, error) {
	if attempt >= retry.DefaultMaxAttempts && !hasCode(err, throttledCodes...) {
		return 0, err
	}
	return p.RetryerV2.RetryDelay(attempt, err)
}

// patience makes a patient retryer for each client.
func patience(mode aws.RetryMode, most int) func() aws.Retryer {
	limited := func(o *retry.StandardOptions) { o.MaxAttempts = most }
	return func() aws.Retryer {
		if mode == aws.RetryModeStandard {
			return patient{retry.NewStandard(limited)}
		}
		return patient{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, limited)
		})}
	}
}
