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

// fetchError is why a fetch failed and what to do about it, and whether a retry may succeed.
type fetchError struct {
	what      string
	temporary bool
}

// retry calls get until it succeeds, fails permanently, or the time is up. The first retry comes after 0.2 s; the wait
// doubles up to 5 s, less a random part, so that tasks that start at the same time do not retry at the same time.
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
			// The time ran out during this attempt: the one before has the cause.
			failure = previous
		}
		previous = failure
		if !failure.temporary {
			return got, configurationError(fmt.Errorf("%s %s", subject, failure.what))
		}
		if ctx.Err() == nil {
			c.log(fmt.Sprintf("%s %s; retrying", subject, failure.what))
		}
		// #nosec G404: the jitter need not be unpredictable.
		if err := c.clock.Wait(ctx, wait/2+rand.N(wait/2)); err != nil {
			return got, exitError{exitTemporary, fmt.Errorf("%s %s; gave up after attempt %d; set a longer --timeout", subject, failure.what, tries)}
		}
	}
}

// classify returns why a secret could not be fetched. The variable names the secret. Only known codes of AWS are
// repeated: the endpoint is not trusted, and its answer may quote a part of the secret.
// Source:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors
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
		return &fetchError{what: fmt.Sprintf("does not exist in %s; create it or correct %s", region, variable)}
	case "InvalidRequestException":
		if strings.Contains(message, "deletion") || strings.Contains(message, "deleted") {
			return &fetchError{what: "is scheduled for deletion; restore it with `aws secretsmanager restore-secret`"}
		}
		return &fetchError{what: fetchFailed + "AWS cannot return it in its current state (" + code + "); check it with `aws secretsmanager describe-secret`"}
	case "InvalidParameterException", "ValidationException":
		return &fetchError{what: fetchFailed + "AWS rejects it as a secret name (" + code + "); correct " + variable}
	case "AccessDeniedException", "AccessDenied":
		if strings.Contains(message, "KMS") || strings.Contains(message, "kms:") {
			return &fetchError{what: "is encrypted with a key that the task role may not use; allow it kms:Decrypt"}
		}
		return &fetchError{what: "may not be read by the task role; allow it secretsmanager:GetSecretValue (AccessDenied)"}
	case "DecryptionFailure", "KMSAccessDeniedException":
		return &fetchError{what: "cannot be decrypted; check its KMS key, and allow the task role kms:Decrypt"}
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId":
		return &fetchError{what: fetchFailed + "AWS does not accept the credentials (" + code + "); check the task role and the clock"}
	}
	if retryable(code) {
		return &fetchError{what: fetchFailed + "AWS is temporarily unable to return it (" + code + ")", temporary: true}
	}
	return &fetchError{what: fetchFailed + statusText(err), temporary: api.ErrorFault() == smithy.FaultServer || serverError(err)}
}

const fetchFailed = "could not be fetched: "

// retryable reports whether an error code of AWS is transient.
func retryable(code string) bool {
	switch code {
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException",
		"InternalServiceError", "InternalServiceErrorException", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException",
		"RequestTimeout", "RequestTimeoutException":
		return true
	}
	return false
}

// serverError reports whether the HTTP status was 5xx or 429, whatever the body.
func serverError(err error) bool {
	var response interface{ HTTPStatusCode() int }
	return errors.As(err, &response) && (response.HTTPStatusCode() >= 500 || response.HTTPStatusCode() == 429)
}

// credentialsError returns why there are no credentials. An ECS endpoint that does not answer is worth a retry.
func credentialsError(err error) *fetchError {
	if os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")+os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") == "" {
		return &fetchError{what: "for AWS are missing; give the task definition a task role (on a developer's machine: a profile, or AWS_ACCESS_KEY_ID)"}
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return &fetchError{what: "of the task role " + fetchFailed + statusText(err), temporary: serverError(err)}
	}
	return &fetchError{what: "of the task role " + fetchFailed + transportText(err), temporary: true}
}
