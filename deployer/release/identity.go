package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
)

// identityAttempts is how often the first call to an account is tried, so that an error is reported soon.
const identityAttempts = 3

// Identity describes the credentials in use, without a secret.
type Identity struct {
	ARN, Account string
	// Source is where the credentials come from, in the SDK's words, such as EnvConfigCredentials or AssumeRoleProvider.
	Source string
	// Expires is when they end; the zero time where the SDK renews them, or where they do not expire.
	Expires time.Time
	// Skew is how much AWS's clock is ahead of this machine's, to about a second; nil where the answer has no time.
	Skew *time.Duration
}

// ReadIdentity asks AWS for whom the credentials are. Its errors have hints.
func ReadIdentity(ctx context.Context, cfg aws.Config) (Identity, error) {
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if errors.Is(err, expiry.ErrInvalid) {
		return Identity{}, hint.With(err, "correct it, or unset it where the credentials do not expire")
	}
	if err != nil {
		return Identity{}, hint.With(fmt.Errorf("none were found: %w", err),
			"run `aws sso login`, set AWS_PROFILE, or try --local, which needs no account")
	}
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
		o.RetryMaxAttempts = identityAttempts
	})
	if err != nil {
		return Identity{}, credentialsError(err)
	}
	found := Identity{ARN: aws.ToString(caller.Arn), Account: aws.ToString(caller.Account), Source: credentials.Source}
	if end, ends := expiry.Of(credentials); ends {
		found.Expires = end
	}
	server, hasTime := awsmiddleware.GetServerTime(caller.ResultMetadata)
	if received, ok := awsmiddleware.GetResponseAt(caller.ResultMetadata); ok && hasTime && !server.IsZero() {
		skew := server.Sub(received)
		found.Skew = &skew
	}
	return found, nil
}

// Problems compares the account of the credentials with the one that file names, and checks how long the credentials are valid from now on.
func (i Identity) Problems(want, file string, now time.Time) []Problem {
	if i.Account != want {
		return blocking("account", hint.With(
			fmt.Errorf("the credentials belong to account %s, %s names %s", i.Account, file, want),
			"choose the other account's profile with --profile, or correct `account` in "+file))
	}
	switch left := i.Expires.Sub(now); {
	case i.Expires.IsZero():
		return nil
	case left <= 0:
		return blocking("credentials", hint.With(fmt.Errorf("they expired at %s", i.Expires.UTC().Format(time.RFC3339)), renewCredentials))
	case left < minCredentialLifetime:
		return blocking("credentials", hint.With(
			fmt.Errorf("they expire in %s, a deployment may take longer", left.Round(time.Second)), "renew them first"))
	}
	return nil
}

// CheckIdentity returns what is wrong with the credentials, or why they could not be checked.
func CheckIdentity(ctx context.Context, cfg aws.Config, want, file string, now time.Time) []Problem {
	found, err := ReadIdentity(ctx, cfg)
	if err != nil {
		return blocking("credentials", err)
	}
	return found.Problems(want, file, now)
}

const renewCredentials = "renew them, with `aws sso login` for instance"

// credentialsError explains why AWS refused the credentials.
func credentialsError(err error) error {
	if expiry.IsError(err) {
		return hint.With(errors.New("they have expired"), renewCredentials)
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		switch refused.ErrorCode() {
		case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch":
			return hint.With(errors.New("AWS does not know them"), "check AWS_ACCESS_KEY_ID, AWS_PROFILE and ~/.aws")
		}
	}
	return hint.With(fmt.Errorf("get the caller identity: %w", err), "check that AWS is reachable from here and that the region is right")
}
