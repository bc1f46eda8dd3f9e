package secrets

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
	// stagePrefix starts the temporary stages. The time follows, so that a later write recognises the stage of a killed one.
	stagePrefix = "deployer-"
	stageTime   = "20060102T150405Z"
	// staleAfter is the age of a temporary stage whose writer was killed.
	staleAfter = time.Hour
	// cleanupTimeout limits the cleanup after a write that was cancelled.
	cleanupTimeout = 15 * time.Second
)

// Written is a version that a write made the current one.
type Written struct {
	ID string
	// CleanupErr is why the temporary stage could not be removed; that stage does no harm.
	CleanupErr error
}

// Write makes text the current version of the secret if read still is; else it returns a *ConflictError. A nil read stands for a secret
// without a value, of which text becomes the first if there still is none. A write that was cancelled half-way finds out its outcome.
func (s Store) Write(ctx context.Context, read *Version, text string) (Written, error) {
	stage := stagePrefix + s.Now().UTC().Format(stageTime) + "-" + strings.ToLower(rand.Text()[:8])
	put, err := s.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &s.Name, SecretString: &text, VersionStages: []string{stage},
	})
	if err != nil {
		return Written{}, s.accessError(ctx, "write", err)
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
		err = s.resolveConflict(ctx, from, written.ID, err)
	}
	if written.CleanupErr = s.cleanUp(ctx, written.ID, stage); err != nil {
		return Written{}, errors.Join(err, written.CleanupErr)
	}
	return written, nil
}

// resolveConflict finds out the outcome of a move that returned an error: AWS has no code of its own for a stage that is at another
// version, and a lost response may have been a success.
func (s Store) resolveConflict(ctx context.Context, from, id string, moveErr error) error {
	cleanupCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	secret, err := s.describe(cleanupCtx)
	if err != nil {
		return errors.Join(fmt.Errorf("write the secret %s: %w", s.Name, moveErr), err)
	}
	var now string
	for version, has := range secret.VersionIdsToStages {
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
	return &ConflictError{Secret: s.Name, Read: from, Current: now}
}

// cleanUp removes the temporary stage, and those that killed writers left: Secrets Manager deletes versions without a stage.
func (s Store) cleanUp(ctx context.Context, id, stage string) error {
	cleanupCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	errs := []error{s.removeStage(cleanupCtx, id, stage)}
	secret, err := s.describe(cleanupCtx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for version, has := range secret.VersionIdsToStages {
		for _, left := range has {
			if left != stage && s.isStale(left) {
				errs = append(errs, s.removeStage(cleanupCtx, version, left))
			}
		}
	}
	return errors.Join(errs...)
}

// isStale reports whether a stage is one of a writer that was killed.
func (s Store) isStale(stage string) bool {
	rest, ours := strings.CutPrefix(stage, stagePrefix)
	written, _, _ := strings.Cut(rest, "-")
	since, err := time.Parse(stageTime, written)
	return ours && err == nil && s.Now().Sub(since) > staleAfter
}

func (s Store) removeStage(ctx context.Context, version, stage string) error {
	_, err := s.Client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &s.Name, VersionStage: &stage, RemoveFromVersionId: &version,
	})
	if err != nil {
		return fmt.Errorf("remove the stage %s from a version of %s: %w", stage, s.Name, err)
	}
	return nil
}
