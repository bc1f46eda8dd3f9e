package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// Reasons of the status unknown.
const (
	reasonAccessDenied  = "AccessDenied"
	reasonThrottled     = "Throttled"
	reasonTimeout       = "Timeout"
	reasonInterrupted   = "Interrupted"
	reasonNoCredentials = "NoCredentials"
	reasonUnreachable   = "Unreachable"
	reasonAPIError      = "APIError"
	reasonNoResult      = "NoResult"
)

// The services' error codes for these conditions.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
var (
	accessDeniedCodes = []string{
		"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden",
		"AuthorizationErrorException",
	}
	throttledCodes = []string{
		"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "PriorRequestNotComplete",
		"BandwidthLimitExceeded", "LimitExceededException", "ProvisionedThroughputExceededException",
	}
	credentialCodes = []string{
		"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
		"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure",
	}
)

func hasCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// ignoreCodes returns err, or nil where AWS returned it with one of the codes.
func ignoreCodes(err error, codes ...string) error {
	if hasCode(err, codes...) {
		return nil
	}
	return err
}

// AccessDenied reports whether AWS refused a call for lack of permission.
func AccessDenied(err error) bool { return hasCode(err, accessDeniedCodes...) }

// unknownFinding returns the finding about a resource that could not be evaluated because of err.
func unknownFinding(component, service string, err error) Finding {
	f := newFinding(component, service)
	call := "AWS"
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		call = operation.Service() + " " + operation.Operation()
		f = f.with("call", call)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return f.unknown(reasonTimeout, Hint{
			Cause:    "AWS or the network responds slowly, or not at all",
			Solution: "run it again with a longer --timeout",
		}, "no response in time from %s", call)
	case errors.Is(err, context.Canceled):
		return f.unknown(reasonInterrupted, Hint{
			Cause: "the run was interrupted", Solution: "run it again",
		}, "interrupted while waiting for %s", call)
	case hasCode(err, accessDeniedCodes...) && operation != nil:
		permission := Permission(operation.Service(), operation.Operation())
		return f.with("permission", permission).unknown(reasonAccessDenied, Hint{
			Cause:    "the caller's policies do not allow " + permission,
			Solution: "allow it; the policy docs/iam/status-read-only.json suffices for a whole report",
		}, "access denied: the permission %s is missing", permission)
	case hasCode(err, throttledCodes...):
		return f.unknown(reasonThrottled, Hint{
			Cause:    "the account currently makes more calls than AWS allows",
			Solution: "run it again in a minute",
		}, "throttled by %s", call)
	case hasCode(err, credentialCodes...) || isCredentialError(err):
		return f.with("error", err.Error()).unknown(reasonNoCredentials, Hint{
			Cause:    "there are no credentials, or they are expired or invalid",
			Solution: "sign in again, or name a profile with --profile",
			Command:  "aws sts get-caller-identity",
		}, "the credentials were not accepted for %s", call)
	}
	return f.with("error", err.Error()).unknown(errorReason(err), Hint{
		Cause:    "the call failed; the error has details",
		Solution: "run it again; --debug shows every call",
	}, "%s", shortError(err))
}

// errorReason distinguishes an error that AWS returned from no response at all.
func errorReason(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return reasonAPIError
	}
	return reasonUnreachable
}

// isCredentialError reports whether the SDK found no credentials, for which it has no error type.
func isCredentialError(err error) bool {
	var signing interface{ Unwrap() error }
	return errors.As(err, &signing) && strings.Contains(err.Error(), "get identity: get credentials")
}

// shortError returns the service's error message without what the SDK adds to it.
func shortError(err error) string {
	var api smithy.APIError
	var operation *smithy.OperationError
	switch {
	case errors.As(err, &api) && errors.As(err, &operation):
		return fmt.Sprintf("%s %s: %s: %s", operation.Service(), operation.Operation(), api.ErrorCode(), api.ErrorMessage())
	default:
		return err.Error()
	}
}

// actionPrefixes maps the SDK's service IDs to the prefixes of IAM's actions, where those are not the ID in lower case.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var actionPrefixes = map[string]string{
	"Application Auto Scaling":  "application-autoscaling",
	"CloudWatch Logs":           "logs",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"Route 53":                  "route53",
	"Secrets Manager":           "secretsmanager",
}

// actionNames maps operations to IAM's actions where their names differ.
var actionNames = map[string]string{
	"Budgets/DescribeBudget":  "ViewBudget",
	"S3/HeadBucket":           "ListBucket",
	"S3/GetBucketEncryption":  "GetEncryptionConfiguration",
	"S3/GetPublicAccessBlock": "GetBucketPublicAccessBlock",
}

// Permission returns the IAM action that a call needs, by the SDK's names of service and operation: for ECS and
// DescribeServices, ecs:DescribeServices.
func Permission(service, operation string) string {
	prefix := cmp.Or(actionPrefixes[service], strings.ToLower(service))
	return prefix + ":" + cmp.Or(actionNames[service+"/"+operation], operation)
}

// incompleteAnswer returns the hint of a value that AWS's answer should have and lacks: such a value is unknown, not wrong.
func incompleteAnswer(operation, value string) Hint {
	return Hint{
		Cause:    "the answer of " + operation + " lacks " + value,
		Solution: "run it again; if it stays so, look at the resource in the console",
	}
}
