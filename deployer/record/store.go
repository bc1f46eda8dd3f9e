package record

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
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Dir is a store in a directory: one file a record, DIR/STACK/ID.json.
type Dir string

// Save writes the record as a whole or not at all.
func (d Dir) Save(_ context.Context, r Deployment) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the record of deployment %s: %w", r.ID, err)
	}
	dir := filepath.Join(string(d), r.Stack)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the record of deployment %s: %w", r.ID, err)
	}
	name := filepath.Join(dir, r.ID+".json")
	if err := os.WriteFile(name+".new", body, 0o600); err != nil {
		return fmt.Errorf("keep the record of deployment %s: %w", r.ID, err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("keep the record of deployment %s: %w", r.ID, err)
	}
	return nil
}

// List reads the newest records of a stack.
func (d Dir) List(_ context.Context, stack string, most int) ([]Deployment, error) {
	entries, err := os.ReadDir(filepath.Join(string(d), stack))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the deployments of %s: %w", stack, err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	return newest(names, most, func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(string(d), stack, name))
	})
}

// Bucket is a store in S3, beside the Pulumi state.
type Bucket struct {
	Client *s3.Client
	Name   string
	// Prefix goes before the keys, without slashes around it; "" where the bucket is the state's alone.
	Prefix string
}

// recordsPrefix is where the records lie in the bucket.
const recordsPrefix = "deployments"

// Save writes the record, encrypted as the bucket says.
func (b Bucket) Save(ctx context.Context, r Deployment) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the record of deployment %s: %w", r.ID, err)
	}
	_, err = b.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: aws.String(path.Join(b.Prefix, recordsPrefix, r.Stack, r.ID+".json")),
		Body: bytes.NewReader(body), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("keep the record of deployment %s in %s: %w", r.ID, b.Name, err)
	}
	return nil
}

// List reads the newest records of a stack. A bucket that is not there has none.
func (b Bucket) List(ctx context.Context, stack string, most int) ([]Deployment, error) {
	prefix := path.Join(b.Prefix, recordsPrefix, stack) + "/"
	var names []string
	pages := s3.NewListObjectsV2Paginator(b.Client, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if missing := (*types.NoSuchBucket)(nil); errors.As(err, &missing) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the deployments of %s in %s: %w", stack, b.Name, err)
		}
		for _, object := range page.Contents {
			names = append(names, aws.ToString(object.Key))
		}
	}
	return newest(names, most, func(key string) ([]byte, error) {
		object, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: &key})
		if err != nil {
			return nil, err
		}
		defer func() { _ = object.Body.Close() }()
		return io.ReadAll(object.Body)
	})
}

// newest reads the records with the highest names, which begin with their time.
func newest(names []string, most int, read func(name string) ([]byte, error)) ([]Deployment, error) {
	slices.Sort(names)
	slices.Reverse(names)
	var records []Deployment
	for _, name := range names[:min(len(names), most)] {
		body, err := read(name)
		if err != nil {
			return nil, fmt.Errorf("read the record %s: %w", name, err)
		}
		var r Deployment
		if err := json.Unmarshal(body, &r); err != nil {
			return nil, fmt.Errorf("read the record %s: %w", name, err)
		}
		records = append(records, r)
	}
	return records, nil
}
