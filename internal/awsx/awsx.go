// Package awsx extracts names and digests from AWS's identifiers. The packages below it each read one thing from AWS that several
// callers need: tasks, hosted zones, images, log streams. Their errors are the SDK's, which name the operation; callers add
// what they read it for.
package awsx

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// InRegion returns the configuration for another region.
func InRegion(cfg aws.Config, region string) aws.Config {
	cfg = cfg.Copy()
	cfg.Region = region
	return cfg
}

// HasCode reports whether AWS refused a call with one of the codes. The SDK has the error's type for some operations only.
func HasCode(err error, codes ...string) bool {
	refused, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(codes, refused.ErrorCode())
}

// IsError reports whether an error is, or wraps, one of the type.
func IsError[T error](err error) bool {
	_, is := errors.AsType[T](err)
	return is
}

// Tags converts tags to the type of a service, sorted by key.
func Tags[T any](tags map[string]string, newTag func(key, value *string) T) []T {
	var all []T
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value := tags[key]
		all = append(all, newTag(&key, &value))
	}
	return all
}

// TagValue returns the value of the tag with a key, "" where there is none. Keys of tags are case-sensitive.
func TagValue[T any](tags []T, key string, keyAndValue func(T) (key, value *string)) string {
	for _, tag := range tags {
		if k, value := keyAndValue(tag); k != nil && *k == key && value != nil {
			return *value
		}
	}
	return ""
}

// NameFromARN returns what follows the last slash of an ARN: a name, an ID, or family:revision. A name comes back as it is.
func NameFromARN(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// DigestOf returns the digest of an image reference, repository@sha256:…, or "" where a tag names the image.
func DigestOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// ShortDigest returns a digest's algorithm and first 12 digits, which is enough to recognise it.
func ShortDigest(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// Pager is a paginator of the SDK.
type Pager[Out, Opt any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Opt)) (*Out, error)
}

// Pages follows a paginator to its end and returns what items takes from each page.
func Pages[Out, Opt, Item any](ctx context.Context, p Pager[Out, Opt], items func(*Out) []Item) ([]Item, error) {
	var all []Item
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, items(page)...)
	}
	return all, nil
}
