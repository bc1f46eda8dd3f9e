package secretstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const (
	// stagePrefix begins the stages under which values wait; the time follows, so that others know what was left behind.
	stagePrefix = "deployer-"
	stageTime   = "20060102T150405Z"
	// leftBehind is the age of a waiting value that nobody comes back for.
	leftBehind = time.Hour
	// tidying is how long is taken at most to clean up after a write that was called off.
	tidying = 15 * time.Second
)

// Written is a version that has become the current one.
type Written struct {
	ID string
	// Untidy is why the stage under which it waited could not be taken away; that stage does no harm.
	Untidy error
}

// Write makes text the current version of the secret, where read still is; a *ConflictError says that somebody else was
// faster. A nil read is that of a secret without a value: text becomes its first, where there still is none. When it was
// called off half-way, it finds out what came of it.
func (s Store) Write(ctx context.Context, read *Version, text string) (Written, error) {
	stage := stagePrefix + s.Now().UTC().Format(stageTime) + "-" + strings.ToLower(rand.Text()[:8])
	put, err := s.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &s.Name, SecretString: &text, VersionStages: []string{stage},
	})
	if err != nil {
		return Written{}, s.refused(ctx, "write", err)
	}
	written := Written{ID: aws.ToString(put.VersionId)}
	move := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &s.Name, VersionStage: aws.String(Current), MoveToVersionId: &written.ID,
	}
	// AWS refuses to move a stage from a version that is not named. The first value is AWSCURRENT as soon as it is put.
	// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
	var from string
	if read != nil {
		from, move.RemoveFromVersionId = read.ID, &read.ID
	}
	_, err = s.Client.UpdateSecretVersionStage(ctx, move)
	if err != nil {
		err = s.settle(ctx, from, written.ID, err)
	}
	if written.Untidy = s.tidy(ctx, written.ID, stage); err != nil {
		return Written{}, errors.Join(err, written.Untidy)
	}
	return written, nil
}

// settle finds out what became of a move whose answer was an error: AWS has no code of its own for a stage that has gone
// elsewhere, and an answer that was lost may have been a success.
func (s Store) settle(ctx context.Context, from, id string, moveErr error) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
	defer cancel()
	stages, err := s.stages(own)
	if err != nil {
		return errors.Join(fmt.Errorf("write the secret %s: %w", s.Name, moveErr), err)
	}
	var now string
	for version, has := range stages {
		if slices.Contains(has, Current) {
			now = version
		}
	}
	switch now {
	case id:
		return nil
	case from:
		return fmt.Errorf("write the secret %s: %w", s.Name, moveErr)
	}
	return &ConflictError{Secret: s.Name, Read: from, Now: now}
}

// tidy takes the waiting stage from the version, and those that writers who were killed have left: a version without a
// stage is deleted by Secrets Manager in time.
func (s Store) tidy(ctx context.Context, id, stage string) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
	defer cancel()
	errs := []error{s.remove(own, id, stage)}
	stages, err := s.stages(own)
	errs = append(errs, err)
	for version, has := range stages {
		for _, left := range has {
			if left != stage && s.isLeft(left) {
				errs = append(errs, s.remove(own, version, left))
			}
		}
	}
	return errors.Join(errs...)
}

// isLeft reports whether a stage is one of a writer who was killed.
func (s Store) isLeft(stage string) bool {
	rest, ours := strings.CutPrefix(stage, stagePrefix)
	written, _, _ := strings.Cut(rest, "-")
	since, err := time.Parse(stageTime, written)
	return ours && err == nil && s.Now().Sub(since) > leftBehind
}

func (s Store) remove(ctx context.Context, version, stage string) error {
	_, err := s.Client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &s.Name, VersionStage: &stage, RemoveFromVersionId: &version,
	})
	if err != nil {
		return fmt.Errorf("take the stage %s from a version of %s: %w", stage, s.Name, err)
	}
	return nil
}
