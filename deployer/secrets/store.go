// Package secrets reads and writes a secret of Secrets Manager so that no user overwrites the change of another: a write takes effect
// only if the version that it is based on is still the current one.
//
// PutSecretValue has no such condition. So a value is first put under a stage of its own, which no one reads. Then AWSCURRENT is moved
// to it from the version that was read, and AWS refuses that if AWSCURRENT is at another version.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// The stages that Secrets Manager moves with every write: the current version, and the one before it.
const (
	Current  = "AWSCURRENT"
	Previous = "AWSPREVIOUS"
)

// The errors of a secret that does not exist, does not have the version, has no value yet, or exists already.
var (
	ErrNoSecret  = errors.New("the secret does not exist")
	ErrNoVersion = errors.New("the version does not exist")
	ErrNoValue   = errors.New("it has no value yet")
	ErrExists    = errors.New("it exists already")
)

// DeletedError reports that the secret is marked for deletion: until then it can be neither read nor written nor created again.
type DeletedError struct {
	Secret, Region string
	// After is when it is permanently deleted.
	After time.Time
}

func (e *DeletedError) Error() string {
	return fmt.Sprintf("the secret %s is marked for deletion, and will be permanently deleted after %s", e.Secret, e.After.UTC().Format(time.DateOnly))
}

// Hint returns how to restore it.
func (e *DeletedError) Hint() string {
	return "restore it with its values: `aws secretsmanager restore-secret --secret-id " + e.Secret + " --region " + e.Region + "`"
}

// ConflictError reports that another user wrote the secret after it was read. Nothing was changed.
type ConflictError struct {
	// Secret is a name; Read the version that was read, "" for none; Current the current version.
	Secret, Read, Current string
}

func (e *ConflictError) Error() string {
	if e.Read == "" {
		return fmt.Sprintf("another user gave %s its first value in the meantime (version %s): nothing was written", e.Secret, shortVersion(e.Current))
	}
	return fmt.Sprintf("another user changed %s after it was read (version %s then, %s now): nothing was written", e.Secret, shortVersion(e.Read), shortVersion(e.Current))
}

// Hint returns how to continue.
func (e *ConflictError) Hint() string {
	return "run the command again, which starts from the current version"
}

func shortVersion(version string) string { return version[:min(len(version), 8)] }

// Version is one value of a secret.
type Version struct {
	ID      string
	Stages  []string
	Created time.Time
	// Text is the value, nil if the value is binary.
	Text *string
}

// Store reads and writes one secret.
type Store struct {
	Client *secretsmanager.Client
	// Name is the secret's name or ARN.
	Name string
	// Now returns the account's time.
	Now func() time.Time
}

// Read returns the version with a stage or an ID. Its errors are ErrNoSecret, ErrNoVersion, ErrNoValue if there is no Current version,
// and *DeletedError.
func (s Store) Read(ctx context.Context, which string) (*Version, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &s.Name}
	if which == Current || which == Previous {
		in.VersionStage = &which
	} else {
		in.VersionId = &which
	}
	out, err := s.Client.GetSecretValue(ctx, in)
	switch {
	case awsx.IsError[*types.ResourceNotFoundException](err):
		if _, err := s.describe(ctx); err != nil {
			return nil, err
		}
		if which == Current {
			return nil, fmt.Errorf("the secret %s: %w", s.Name, ErrNoValue)
		}
		return nil, fmt.Errorf("the secret %s: %s: %w", s.Name, which, ErrNoVersion)
	case err != nil:
		return nil, s.accessError(ctx, "read", err)
	}
	return &Version{
		ID: aws.ToString(out.VersionId), Stages: out.VersionStages, Created: aws.ToTime(out.CreatedDate), Text: out.SecretString,
	}, nil
}

// accessError returns the error of an operation. InvalidRequestException has several meanings, so DescribeSecret decides whether the
// secret is marked for deletion.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors
func (s Store) accessError(ctx context.Context, verb string, err error) error {
	if awsx.IsError[*types.InvalidRequestException](err) {
		if out, err := s.describe(ctx); err == nil && out.DeletedDate != nil {
			return &DeletedError{Secret: s.Name, After: *out.DeletedDate, Region: s.Client.Options().Region}
		}
	}
	return fmt.Errorf("%s the secret %s: %w", verb, s.Name, err)
}

// describe returns the secret without its values, or ErrNoSecret.
func (s Store) describe(ctx context.Context) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := s.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.Name})
	switch {
	case awsx.IsError[*types.ResourceNotFoundException](err):
		return nil, fmt.Errorf("%s: %w", s.Name, ErrNoSecret)
	case err != nil:
		return nil, fmt.Errorf("describe the secret %s: %w", s.Name, err)
	}
	return out, nil
}

// Create creates the secret, or returns ErrExists.
func (s Store) Create(ctx context.Context, text, description string, tags map[string]string) error {
	in := &secretsmanager.CreateSecretInput{Name: &s.Name, SecretString: &text, Description: &description}
	in.Tags = awsx.Tags(tags, func(key, value *string) types.Tag { return types.Tag{Key: key, Value: value} })
	_, err := s.Client.CreateSecret(ctx, in)
	switch {
	case awsx.IsError[*types.ResourceExistsException](err):
		return fmt.Errorf("%s: %w", s.Name, ErrExists)
	case err != nil:
		return s.accessError(ctx, "create", err)
	}
	return nil
}
