// Package blob stores small files by key, such as deployments/staging/ID.json, in a directory or in a bucket.
package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/renameio/v2"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// Store stores files. Its errors name the file.
type Store interface {
	// Get returns a file's content. The error is fs.ErrNotExist if there is no such file, or no place that could have it.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put writes a file completely or not at all.
	Put(ctx context.Context, key string, content []byte) error
	// List returns the keys of the files directly in a folder, in alphabetical order; none if there is no such folder.
	List(ctx context.Context, folder string) ([]string, error)
	// Location returns where a file is, for messages.
	Location(key string) string
}

// Dir stores files in a directory, which it creates.
type Dir string

// Get implements Store.
func (d Dir) Get(_ context.Context, key string) ([]byte, error) { return os.ReadFile(d.Location(key)) }

// Put implements Store. The content is on the disk when it returns.
func (d Dir) Put(_ context.Context, key string, content []byte) error {
	file := d.Location(key)
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(file, content, 0o600, renameio.WithTempDir(dir))
}

// List implements Store. It leaves out the temporary files of a Put that was killed.
func (d Dir) List(_ context.Context, folder string) ([]string, error) {
	entries, err := os.ReadDir(d.Location(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var keys []string
	for _, entry := range entries {
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			keys = append(keys, path.Join(folder, entry.Name()))
		}
	}
	return keys, err
}

// Location implements Store.
func (d Dir) Location(key string) string { return filepath.Join(string(d), filepath.FromSlash(key)) }

// Bucket stores files in a bucket of S3, encrypted as the bucket is configured.
type Bucket struct {
	Client *s3.Client
	Name   string
	// Prefix precedes the keys; "" for none.
	Prefix string
}

// Get implements Store.
func (b Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	object, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: aws.String(path.Join(b.Prefix, key))})
	if awsx.HasCode(err, "NoSuchKey", "NoSuchBucket") {
		return nil, fmt.Errorf("%s: %w", b.Location(key), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Location(key), err)
	}
	defer func() { _ = object.Body.Close() }()
	return io.ReadAll(object.Body)
}

// Put implements Store.
func (b Bucket) Put(ctx context.Context, key string, content []byte) error {
	_, err := b.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: aws.String(path.Join(b.Prefix, key)), Body: bytes.NewReader(content), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", b.Location(key), err)
	}
	return nil
}

// List implements Store.
func (b Bucket) List(ctx context.Context, folder string) ([]string, error) {
	prefix := path.Join(b.Prefix, folder) + "/"
	pages := s3.NewListObjectsV2Paginator(b.Client, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: &prefix, Delimiter: aws.String("/")})
	var keys []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awsx.HasCode(err, "NoSuchBucket") {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Location(folder), err)
		}
		for _, object := range page.Contents {
			keys = append(keys, path.Join(folder, path.Base(aws.ToString(object.Key))))
		}
	}
	return keys, nil
}

// Location implements Store.
func (b Bucket) Location(key string) string { return "s3://" + path.Join(b.Name, b.Prefix, key) }
