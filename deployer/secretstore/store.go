// Package secretstore reads and writes a secret of Secrets Manager so that two people never overwrite each other: what
// is written takes effect only where the version that it was made from is still the current one.
//
// PutSecretValue knows no such condition. So a value is first put under a stage of its own, which nobody reads, and then
// AWSCURRENT is moved to it from the version that was read: that call is refused where AWSCURRENT has gone elsewhere.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
package secretstore

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

// ErrExists says that the secret that was to be made is there already.
var ErrExists = errors.New("it exists already")

// ConflictError says that somebody else wrote the secret after it was read. Nothing was changed.
type ConflictError struct {
	// Secret is its name, Read the version that was read, Now the one that is current.
	Secret, Read, Now string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s was changed by somebody else after it was read (version %s then, %s now): nothing was written", e.Secret, short(e.Read), short(e.Now))
}

// Hint says how to go on.
func (e *ConflictError) Hint() string {
	return "run it again: it begins with what is there now"
}

func short(version string) string {
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

// Read returns the version with a stage, or of an identifier; ErrNoSecret and ErrNoVersion where it is not there.
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
		return nil, fmt.Errorf("the secret %s: %s: %w", s.Name, which, ErrNoVersion)
	case err != nil:
		return nil, fmt.Errorf("read the secret %s: %w", s.Name, err)
	}
	return &Version{
		ID: aws.ToString(out.VersionId), Stages: out.VersionStages, Created: aws.ToTime(out.CreatedDate), Text: out.SecretString,
	}, nil
}

// Exists reports whether the secret is there.
func (s Store) Exists(ctx context.Context) (bool, error) {
	_, err := s.stages(ctx)
	if errors.Is(err, ErrNoSecret) {
		return false, nil
	}
	return err == nil, err
}

// stages are the stages of every version that has one.
func (s Store) stages(ctx context.Context) (map[string][]string, error) {
	out, err := s.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.Name})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return nil, fmt.Errorf("%s: %w", s.Name, ErrNoSecret)
	case err != nil:
		return nil, fmt.Errorf("look up the secret %s: %w", s.Name, err)
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
		return fmt.Errorf("make the secret %s: %w", s.Name, err)
	}
	return nil
}
