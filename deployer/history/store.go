package history

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
	temp := name + ".new"
	err = os.WriteFile(temp, body, 0o600)
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		_ = os.Remove(temp) // half a record is no record
		return fmt.Errorf("keep the record of deployment %s: %w", r.ID, err)
	}
	return nil
}

// List reads the newest records of a stack.
func (d Dir) List(_ context.Context, stack string, limit int) ([]Deployment, error) {
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
			names = append(names, filepath.Join(string(d), stack, e.Name()))
		}
	}
	return readNewest(names, limit, func(name string) ([]byte, error) {
		return os.ReadFile(name)
	})
}

// Get reads one record.
func (d Dir) Get(_ context.Context, stack, id string) (*Deployment, error) {
	name := filepath.Join(string(d), stack, id+".json")
	body, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record %s: %w", id, err)
	}
	r := decode(name, body)
	return &r, nil
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
func (b Bucket) List(ctx context.Context, stack string, limit int) ([]Deployment, error) {
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
	return readNewest(names, limit, func(key string) ([]byte, error) { return b.read(ctx, key) })
}

// Get reads one record.
func (b Bucket) Get(ctx context.Context, stack, id string) (*Deployment, error) {
	key := path.Join(b.Prefix, recordsPrefix, stack, id+".json")
	body, err := b.read(ctx, key)
	var noKey *types.NoSuchKey
	var noBucket *types.NoSuchBucket
	if errors.As(err, &noKey) || errors.As(err, &noBucket) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record %s in %s: %w", id, b.Name, err)
	}
	r := decode(key, body)
	return &r, nil
}

func (b Bucket) read(ctx context.Context, key string) ([]byte, error) {
	object, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: &key})
	if err != nil {
		return nil, err
	}
	defer func() { _ = object.Body.Close() }()
	return io.ReadAll(object.Body)
}

// readNewest reads the records with the highest names, which begin with their time.
func readNewest(names []string, limit int, read func(name string) ([]byte, error)) ([]Deployment, error) {
	slices.Sort(names)
	slices.Reverse(names)
	var records []Deployment
	for _, name := range names[:min(len(names), limit)] {
		body, err := read(name)
		if err != nil {
			return nil, fmt.Errorf("read the record %s: %w", name, err)
		}
		records = append(records, decode(name, body))
	}
	return records, nil
}

// decode reads what lies under a name. A record that was cut short, or is somebody else's file, is no reason to know
// nothing of the others: what it says is Unreadable, and why.
func decode(name string, body []byte) Deployment {
	id := strings.TrimSuffix(path.Base(filepath.ToSlash(name)), ".json")
	var r Deployment
	err := json.Unmarshal(body, &r)
	if err == nil && r.ID != id {
		err = errors.New("it is no record of a deployment")
	}
	if err == nil {
		return r
	}
	return Deployment{
		ID: id, Stack: path.Base(path.Dir(filepath.ToSlash(name))), Outcome: Unreadable,
		Error: fmt.Sprintf("the record %s cannot be read: %v", name, err),
		Hint:  "the other records are used without it; remove it where it is of no use",
	}
}
