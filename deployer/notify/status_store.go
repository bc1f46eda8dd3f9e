package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/balancer/v3-backend-infra/checks"
)

// StatusStore keeps the last status of each environment, by its stack.
type StatusStore interface {
	// Last returns the status at the last run, "" where there was none.
	Last(ctx context.Context, stack string) (checks.Status, error)
	Save(ctx context.Context, stack string, s checks.Status, at time.Time) error
}

// statusRecord is what is kept.
type statusRecord struct {
	Status    checks.Status `json:"status"`
	Timestamp time.Time     `json:"timestamp"`
}

func decode(stack string, body []byte) (checks.Status, error) {
	var last statusRecord
	if err := json.Unmarshal(body, &last); err != nil {
		return "", fmt.Errorf("read the last status of %s: %w", stack, err)
	}
	return last.Status, nil
}

// Dir is a memory in a directory, one file a stack.
type Dir string

func (d Dir) file(stack string) string { return filepath.Join(string(d), stack+".json") }

// Last implements Memory.
func (d Dir) Last(_ context.Context, stack string) (checks.Status, error) {
	body, err := os.ReadFile(d.file(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the last status of %s: %w", stack, err)
	}
	return decode(stack, body)
}

// Save implements Memory. The file is written as a whole or not at all.
func (d Dir) Save(_ context.Context, stack string, s checks.Status, at time.Time) error {
	body, err := json.Marshal(statusRecord{Status: s, Timestamp: at.UTC()})
	if err != nil {
		return fmt.Errorf("keep the status of %s: %w", stack, err)
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("keep the status of %s: %w", stack, err)
	}
	if err := os.WriteFile(d.file(stack)+".new", body, 0o600); err != nil {
		return fmt.Errorf("keep the status of %s: %w", stack, err)
	}
	if err := os.Rename(d.file(stack)+".new", d.file(stack)); err != nil {
		return fmt.Errorf("keep the status of %s: %w", stack, err)
	}
	return nil
}

// Bucket is a memory in S3, beside the deployments' records.
type Bucket struct {
	Client *s3.Client
	Name   string
	// Prefix goes before the keys; "" where the bucket is the state's alone.
	Prefix string
}

func (b Bucket) key(stack string) *string {
	return aws.String(path.Join(b.Prefix, "status", stack+".json"))
}

// Last implements Memory.
func (b Bucket) Last(ctx context.Context, stack string) (checks.Status, error) {
	object, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: b.key(stack)})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the last status of %s in %s: %w", stack, b.Name, err)
	}
	defer func() { _ = object.Body.Close() }()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		return "", fmt.Errorf("read the last status of %s in %s: %w", stack, b.Name, err)
	}
	return decode(stack, body)
}

// Save implements Memory.
func (b Bucket) Save(ctx context.Context, stack string, s checks.Status, at time.Time) error {
	body, err := json.Marshal(statusRecord{Status: s, Timestamp: at.UTC()})
	if err != nil {
		return fmt.Errorf("keep the status of %s: %w", stack, err)
	}
	if _, err := b.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.Name, Key: b.key(stack), Body: bytes.NewReader(body)}); err != nil {
		return fmt.Errorf("keep the status of %s in %s: %w", stack, b.Name, err)
	}
	return nil
}
