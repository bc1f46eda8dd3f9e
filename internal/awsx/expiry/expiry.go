// Package expiry knows when credentials end that no one renews, and recognises the errors after that.
package expiry

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// Variable is the environment variable with the expiry of the credentials in the others. The AWS CLI reads it, and
// `aws configure export-credentials` writes it; the Go SDK ignores it.
// Source: https://github.com/boto/botocore/blob/develop/botocore/credentials.py (EnvProvider)
const Variable = "AWS_CREDENTIAL_EXPIRATION"

// ErrInvalid reports a value of Variable that is not a time. It does not repeat the value, which may be a misplaced secret.
var ErrInvalid = errors.New(Variable + " is not a time such as 2026-11-30T10:00:00Z")

// FromEnvironment returns a provider of the same credentials, which adds the expiry of Variable to those from environment variables.
func FromEnvironment(provider aws.CredentialsProvider, variable func(string) string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		credentials, err := provider.Retrieve(ctx)
		// A GitHub action writes a time as JSON, in quotes.
		value := strings.Trim(variable(Variable), `"`)
		if err != nil || value == "" || credentials.Source != config.CredentialsSourceName {
			return credentials, err
		}
		expires, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return aws.Credentials{}, ErrInvalid
		}
		credentials.CanExpire, credentials.Expires = true, expires
		return credentials, nil
	})
}

// Of returns when credentials end that no one renews. All others are renewed by the SDK when they expire, as those of a role or of SSO, or do not
// expire.
func Of(credentials aws.Credentials) (end time.Time, ends bool) {
	return credentials.Expires, credentials.CanExpire && credentials.Source == config.CredentialsSourceName
}

// codes are those with which AWS rejects a call because the credentials have expired.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
var codes = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}

// IsError reports whether AWS rejected a call because the credentials have expired.
func IsError(err error) bool { return awsx.HasCode(err, codes...) }

var inText = lazyregexp.New(`\b(` + strings.Join(codes, "|") + `)\b`)

// InText reports whether the text of an error, such as that of a provider, has such a code.
func InText(text string) bool { return inText.MatchString(text) }
