package statebackend

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Versions returns the contents of an object's versions, the newest first, and reads each when it is needed. It ends with
// the first error.
func Versions(ctx context.Context, client *s3.Client, bucket, key string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		versions, err := listVersions(ctx, client, bucket, key)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, version := range versions {
			content, err := readVersion(ctx, client, bucket, key, version)
			if !yield(content, err) || err != nil {
				return
			}
		}
	}
}

// listVersions returns the IDs of an object's versions, the newest first, which is the order of S3.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/list-obj-version-enabled-bucket.html
func listVersions(ctx context.Context, client *s3.Client, bucket, key string) ([]string, error) {
	var ids []string
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the versions of s3://%s/%s: %w", bucket, key, err)
		}
		for _, v := range page.Versions {
			if aws.ToString(v.Key) == key { // other keys may have the same prefix
				ids = append(ids, aws.ToString(v.VersionId))
			}
		}
	}
	return ids, nil
}

func readVersion(ctx context.Context, client *s3.Client, bucket, key, version string) ([]byte, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: &version})
	var content []byte
	if err == nil {
		defer out.Body.Close()
		content, err = io.ReadAll(out.Body)
	}
	if err != nil {
		return nil, fmt.Errorf("read the version %s of s3://%s/%s: %w", version, bucket, key, err)
	}
	return content, nil
}
