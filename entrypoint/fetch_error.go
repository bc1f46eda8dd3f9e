package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// fetchError is why something could not be had: what is wrong and what to do, and whether another try may succeed.
type fetchError struct {
	what      string
	temporary bool
}

// retry tries until get succeeds, is refused for good, or the time is up. Tries come 0.2 s apart, then twice as long
// each time up to 5 s, less a random part, so that a hundred tasks that start at once do not come back at once.
func retry[T any](ctx context.Context, c *secretsClient, subject string, get func(context.Context) (T, *fetchError)) (T, error) {
	const first, limit = 200 * time.Millisecond, 5 * time.Second
	var previous *fetchError
	for wait, tries := first, 1; ; wait, tries = min(2*wait, limit), tries+1 {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		got, failure := get(attempt)
		cancel()
		if failure == nil {
			return got, nil
		}
		if ctx.Err() != nil && previous != nil {
			// The time was up in the middle of this try: the one before says why there had to be another.
			failure = previous
		}
		previous = failure
		if !failure.temporary {
			return got, configurationError(fmt.Errorf("%s %s", subject, failure.what))
		}
		if ctx.Err() == nil {
			c.log(fmt.Sprintf("%s %s; trying again", subject, failure.what))
		}
		// #nosec G404: nothing depends on nobody knowing this.
		if err := c.clock.Wait(ctx, wait/2+rand.N(wait/2)); err != nil {
			return got, exitError{exitTemporary, fmt.Errorf("%s %s; gave up at try %d; --timeout allows more time", subject, failure.what, tries)}
		}
	}
}

// classify says why a secret could not be had. The variable names the secret. Of what AWS says only codes that are known are
// repeated: who answers may be anybody, and may quote what it was to hand out.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors
func classify(err error, variable, region string) *fetchError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &fetchError{what: fetchFailed + transportText(err), temporary: true}
	}
	code, message := api.ErrorCode(), api.ErrorMessage()
	switch code {
	case "ResourceNotFoundException":
		if strings.Contains(message, "staging label") {
			return &fetchError{what: "has no value yet; write one"}
		}
		return &fetchError{what: fmt.Sprintf("does not exist in %s; make it, or correct %s", region, variable)}
	case "InvalidRequestException":
		if strings.Contains(message, "deletion") || strings.Contains(message, "deleted") {
			return &fetchError{what: "is about to be deleted; restore it with `aws secretsmanager restore-secret`"}
		}
		return &fetchError{what: fetchFailed + "AWS cannot hand it out as it is now (" + code + "); look at it with `aws secretsmanager describe-secret`"}
	case "InvalidParameterException", "ValidationException":
		return &fetchError{what: fetchFailed + "AWS takes it for no name of a secret (" + code + "); correct " + variable}
	case "AccessDeniedException", "AccessDenied":
		if strings.Contains(message, "KMS") || strings.Contains(message, "kms:") {
			return &fetchError{what: "is encrypted with a key that the task role may not use; allow it kms:Decrypt"}
		}
		return &fetchError{what: "may not be read by the task role; allow it secretsmanager:GetSecretValue (AccessDenied)"}
	case "DecryptionFailure", "KMSAccessDeniedException":
		return &fetchError{what: "cannot be decrypted; look at its KMS key, and allow the task role kms:Decrypt"}
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId":
		return &fetchError{what: fetchFailed + "AWS does not accept the credentials (" + code + "); look at the task role and at the clock"}
	}
	if retryable(code) {
		return &fetchError{what: fetchFailed + "AWS is not able to at the moment (" + code + ")", temporary: true}
	}
	return &fetchError{what: fetchFailed + statusText(err), temporary: api.ErrorFault() == smithy.FaultServer || serverError(err)}
}

const fetchFailed = "could not be fetched: "

// retryable says which of AWS's answers are about the moment.
func retryable(code string) bool {
	switch code {
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException",
		"InternalServiceError", "InternalServiceErrorException", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException",
		"RequestTimeout", "RequestTimeoutException":
		return true
	}
	return false
}

// serverError reports whether the answer was one of HTTP's 5xx, whatever stood in it, or 429.
func serverError(err error) bool {
	var response interface{ HTTPStatusCode() int }
	return errors.As(err, &response) && (response.HTTPStatusCode() >= 500 || response.HTTPStatusCode() == 429)
}

// credentialsError says why there are no credentials. An endpoint of ECS that does not answer may do so the next time.
func credentialsError(err error) *fetchError {
	for _, variable := range []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(variable) != "" {
			var api smithy.APIError
			if errors.As(err, &api) {
				return &fetchError{what: "of the task role " + fetchFailed + statusText(err), temporary: serverError(err)}
			}
			return &fetchError{what: "of the task role " + fetchFailed + transportText(err), temporary: true}
		}
	}
	return &fetchError{what: "for AWS are not there; give the task definition a task role (on a developer's machine: a profile, or AWS_ACCESS_KEY_ID)"}
}
