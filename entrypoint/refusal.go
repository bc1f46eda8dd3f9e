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

// refusal is why something could not be had: what is wrong and what to do, and whether another try may succeed.
type refusal struct {
	what      string
	temporary bool
}

// retrying tries until get succeeds, is refused for good, or the time is up. Tries come 0.2 s apart, then twice as long
// each time up to 5 s, less a random part, so that a hundred tasks that start at once do not come back at once.
func retrying[T any](ctx context.Context, v *vault, subject string, get func(context.Context) (T, *refusal)) (T, error) {
	const first, most = 200 * time.Millisecond, 5 * time.Second
	var before *refusal
	for wait, tries := first, 1; ; wait, tries = min(2*wait, most), tries+1 {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		got, refused := get(attempt)
		cancel()
		if refused == nil {
			return got, nil
		}
		if ctx.Err() != nil && before != nil {
			// The time was up in the middle of this try: the one before says why there had to be another.
			refused = before
		}
		before = refused
		if !refused.temporary {
			return got, misconfigured(fmt.Errorf("%s %s", subject, refused.what))
		}
		if ctx.Err() == nil {
			v.say(fmt.Sprintf("%s %s; trying again", subject, refused.what))
		}
		// #nosec G404: nothing depends on nobody knowing this.
		if err := v.clock.Wait(ctx, wait/2+rand.N(wait/2)); err != nil {
			return got, failure{exitTemporary, fmt.Errorf("%s %s; gave up at try %d; --timeout allows more time", subject, refused.what, tries)}
		}
	}
}

// refused says why a secret could not be had. The variable names the secret. Of what AWS says only codes that are known are
// repeated: who answers may be anybody, and may quote what it was to hand out.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors
func refused(err error, variable, region string) *refusal {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &refusal{what: couldNot + transportText(err), temporary: true}
	}
	code, message := api.ErrorCode(), api.ErrorMessage()
	switch code {
	case "ResourceNotFoundException":
		if strings.Contains(message, "staging label") {
			return &refusal{what: "has no value yet; write one"}
		}
		return &refusal{what: fmt.Sprintf("does not exist in %s; make it, or correct %s", region, variable)}
	case "InvalidRequestException":
		if strings.Contains(message, "deletion") || strings.Contains(message, "deleted") {
			return &refusal{what: "is about to be deleted; restore it with `aws secretsmanager restore-secret`"}
		}
		return &refusal{what: couldNot + "AWS cannot hand it out as it is now (" + code + "); look at it with `aws secretsmanager describe-secret`"}
	case "InvalidParameterException", "ValidationException":
		return &refusal{what: couldNot + "AWS takes it for no name of a secret (" + code + "); correct " + variable}
	case "AccessDeniedException", "AccessDenied":
		if strings.Contains(message, "KMS") || strings.Contains(message, "kms:") {
			return &refusal{what: "is encrypted with a key that the task role may not use; allow it kms:Decrypt"}
		}
		return &refusal{what: "may not be read by the task role; allow it secretsmanager:GetSecretValue (AccessDenied)"}
	case "DecryptionFailure", "KMSAccessDeniedException":
		return &refusal{what: "cannot be decrypted; look at its KMS key, and allow the task role kms:Decrypt"}
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId":
		return &refusal{what: couldNot + "AWS does not accept the credentials (" + code + "); look at the task role and at the clock"}
	}
	if mayHeal(code) {
		return &refusal{what: couldNot + "AWS is not able to at the moment (" + code + ")", temporary: true}
	}
	return &refusal{what: couldNot + statusText(err), temporary: api.ErrorFault() == smithy.FaultServer || serverError(err)}
}

const couldNot = "could not be fetched: "

// mayHeal says which of AWS's answers are about the moment.
func mayHeal(code string) bool {
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

// refusedLogin says why there are no credentials. An endpoint of ECS that does not answer may do so the next time.
func refusedLogin(err error) *refusal {
	for _, variable := range []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(variable) != "" {
			var api smithy.APIError
			if errors.As(err, &api) {
				return &refusal{what: "of the task role " + couldNot + statusText(err), temporary: serverError(err)}
			}
			return &refusal{what: "of the task role " + couldNot + transportText(err), temporary: true}
		}
	}
	return &refusal{what: "for AWS are not there; give the task definition a task role (on a developer's machine: a profile, or AWS_ACCESS_KEY_ID)"}
}
