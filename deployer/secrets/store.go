// Package secrets reads and writes a secret of Secrets Manager so that two people never overwrite each other: what
// is written takes effect only where the version that it was made from is still the current one.
//
// PutSecretValue knows no such condition. So a value is first put under a stage of its own, which nobody reads, and then
// AWSCURRENT is moved to it from the version that was read: that call is refused where AWSCURRENT has gone elsewhere.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The stages that Secrets Manager keeps: the version that is read, and the one that was read before it.
const (
	Current  = "AWSCURRENT"
	Previous = "AWSPREVIOUS"
)

// ErrNoSecret says that there is no secret of the name.
var ErrNoSecret = errors.New("there is no such secret")

// ErrNoVersion says that the secret has no such version.
var ErrNoVersion = errors.New("there is no such version")

// ErrNoValue says that the secret is there, and that nobody has written a value into it.
var ErrNoValue = errors.New("it has no value yet")

// ErrExists says that the secret that was to be made is there already.
var ErrExists = errors.New("it exists already")

// DeletedError says that the secret is marked for deletion: until then it can neither be read nor written nor made again.
type DeletedError struct {
	Secret string
	// After is the time from which on it is gone for good.
	After time.Time
	// Region is where it is.
	Region string
}

func (e *DeletedError) Error() string {
	return fmt.Sprintf("the secret %s is marked for deletion, and gone for good after %s", e.Secret, e.After.UTC().Format(time.DateOnly))
}

// Hint says how it comes back.
func (e *DeletedError) Hint() string {
	return "bring it back with its values: `aws secretsmanager restore-secret --secret-id " + e.Secret + " --region " + e.Region + "`"
}

// ConflictError says that somebody else wrote the secret after it was read. Nothing was changed.
type ConflictError struct {
	// Secret is its name, Read the version that was read, or "" where there was none, Now the one that is current.
	Secret, Read, Current string
}

func (e *ConflictError) Error() string {
	if e.Read == "" {
		return fmt.Sprintf("%s was given its first value by somebody else meanwhile (version %s): nothing was written", e.Secret, shortVersion(e.Current))
	}
	return fmt.Sprintf("%s was changed by somebody else after it was read (version %s then, %s now): nothing was written", e.Secret, shortVersion(e.Read), shortVersion(e.Current))
}

// Hint says how to go on.
func (e *ConflictError) Hint() string {
	return "run it again: it begins with what is there now"
}

func shortVersion(version string) string {
	if len(version) > 8 {
		return version[:8]
	}
	return version
}

// Version is one value of a secret.
type Version struct {
	ID      string
	Stages  []string
	Created time.Time
	// Text is the value. It is nil where the value is binary.
	Text *string
}

// Store is one secret.
type Store struct {
	Client *secretsmanager.Client
	// Name is the secret's name or ARN.
	Name string
	// Now is the time of the account.
	Now func() time.Time
}

// Read returns the version with a stage, or of an identifier; ErrNoSecret and ErrNoVersion where it is not there,
// ErrNoValue where it is Current, and a *DeletedError where the secret is about to go.
func (s Store) Read(ctx context.Context, which string) (*Version, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &s.Name}
	if which == Current || which == Previous {
		in.VersionStage = &which
	} else {
		in.VersionId = &which
	}
	out, err := s.Client.GetSecretValue(ctx, in)
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		if _, err := s.stages(ctx); err != nil {
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

// accessError is why something could not be done to the secret. InvalidRequestException has several meanings; whether the
// secret is about to be deleted is asked, and not read from a message.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors
func (s Store) accessError(ctx context.Context, verb string, err error) error {
	var invalid *types.InvalidRequestException
	if errors.As(err, &invalid) {
		if out, err := s.describe(ctx); err == nil && out.DeletedDate != nil {
			return &DeletedError{Secret: s.Name, After: *out.DeletedDate, Region: s.Client.Options().Region}
		}
	}
	return fmt.Errorf("%s the secret %s: %w", verb, s.Name, err)
}

// describe returns what is known of the secret beside its values; ErrNoSecret where there is none.
func (s Store) describe(ctx context.Context) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := s.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.Name})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return nil, fmt.Errorf("%s: %w", s.Name, ErrNoSecret)
	case err != nil:
		return nil, fmt.Errorf("look up the secret %s: %w", s.Name, err)
	}
	return out, nil
}

// stages are the stages of every version that has one.
func (s Store) stages(ctx context.Context) (map[string][]string, error) {
	out, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	return out.VersionIdsToStages, nil
}

// Create makes the secret; ErrExists where somebody has made it.
func (s Store) Create(ctx context.Context, text, description string, tags map[string]string) error {
	in := &secretsmanager.CreateSecretInput{Name: &s.Name, SecretString: &text, Description: &description}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	_, err := s.Client.CreateSecret(ctx, in)
	var exists *types.ResourceExistsException
	switch {
	case errors.As(err, &exists):
		return fmt.Errorf("%s: %w", s.Name, ErrExists)
	case err != nil:
		return s.accessError(ctx, "make", err)
	}
	return nil
}
