// Package statebackend creates the backend of an account's Pulumi state: a versioned, encrypted, private bucket, and the KMS
// key that encrypts it and the secrets in it. Pulumi cannot run before they exist.
package statebackend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// noncurrentDays is how long an overwritten state can be restored.
const noncurrentDays = 90

// minDeletionWindowDays is the shortest time after which KMS deletes a key.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
const minDeletionWindowDays = 7

// Backend names a bucket and a key.
type Backend struct {
	Bucket, KeyAlias, Region string
	Tags                     map[string]string
}

// Part is the bucket or the key.
type Part struct {
	Name   string
	Exists bool
}

// Find returns both parts.
func (s Backend) Find(ctx context.Context, cfg aws.Config) ([]Part, error) {
	key, err := s.findKey(ctx, kms.NewFromConfig(cfg))
	if err != nil {
		return nil, err
	}
	exists, err := s.findBucket(ctx, bucketClient(cfg))
	if err != nil {
		return nil, err
	}
	return []Part{{Name: "KMS key " + s.KeyAlias, Exists: key != ""}, {Name: "state bucket " + s.Bucket, Exists: exists}}, nil
}

// Ensure creates what is missing, and sets the protections of key and bucket again.
func (s Backend) Ensure(ctx context.Context, cfg aws.Config) error {
	if err := s.ensureKey(ctx, kms.NewFromConfig(cfg)); err != nil {
		return err
	}
	buckets := bucketClient(cfg)
	exists, err := s.findBucket(ctx, buckets)
	if err != nil {
		return err
	}
	if !exists {
		if err := s.createBucket(ctx, buckets); err != nil {
			return err
		}
	}
	return s.protect(ctx, buckets, isPlainHTTP(cfg))
}

// bucketClient returns a client that uses path-style addresses where the endpoint is not AWS: an emulator has only one.
func bucketClient(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })
}

func isPlainHTTP(cfg aws.Config) bool {
	return strings.HasPrefix(aws.ToString(cfg.BaseEndpoint), "http://")
}

// findKey returns the id of the key that has the alias, or "".
func (s Backend) findKey(ctx context.Context, client *kms.Client) (string, error) {
	found, err := s.describeKey(ctx, client)
	return aws.ToString(found.KeyId), err
}

// ensureKey creates the key if the alias names none, and enables its rotation.
func (s Backend) ensureKey(ctx context.Context, client *kms.Client) error {
	id, err := s.findKey(ctx, client)
	if err != nil {
		return err
	}
	if id == "" {
		if id, err = s.createKey(ctx, client); err != nil {
			return err
		}
	}
	if _, err := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &id}); err != nil {
		return fmt.Errorf("rotate the key %s yearly: %w", s.KeyAlias, err)
	}
	return nil
}

// createKey creates the key and its alias. A key without an alias would never be found again, so it is deleted.
func (s Backend) createKey(ctx context.Context, client *kms.Client) (string, error) {
	tags := awsx.Tags(s.Tags, func(key, value *string) kmstypes.Tag { return kmstypes.Tag{TagKey: key, TagValue: value} })
	in := &kms.CreateKeyInput{Description: aws.String("Pulumi state and the secrets in it"), Tags: tags}
	created, err := client.CreateKey(ctx, in)
	if err != nil {
		return "", fmt.Errorf("create the key %s: %w", s.KeyAlias, err)
	}
	id := created.KeyMetadata.KeyId
	if _, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &s.KeyAlias, TargetKeyId: id}); err != nil {
		deletion := &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(minDeletionWindowDays)}
		_, deleteErr := client.ScheduleKeyDeletion(context.WithoutCancel(ctx), deletion)
		return "", fmt.Errorf("create the alias %s: %w", s.KeyAlias, errors.Join(err, deleteErr))
	}
	return aws.ToString(id), nil
}

func (s Backend) findBucket(ctx context.Context, client *s3.Client) (exists bool, err error) {
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.Bucket})
	if err != nil && !awsx.HasCode(err, "NotFound") {
		return false, fmt.Errorf("look up the bucket %s: %w", s.Bucket, err)
	}
	return err == nil, nil
}

func (s Backend) createBucket(ctx context.Context, client *s3.Client) error {
	in := &s3.CreateBucketInput{Bucket: &s.Bucket}
	if s.Region != "us-east-1" {
		// No constraint means us-east-1; S3 refuses it as a constraint.
		// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(s.Region)}
	}
	if _, err := client.CreateBucket(ctx, in); err != nil {
		return fmt.Errorf("create the bucket %s: %w", s.Bucket, err)
	}
	return nil
}

// protect sets versions, encryption, privacy, and TLS, unless the endpoint itself is plain HTTP.
func (s Backend) protect(ctx context.Context, client *s3.Client, plain bool) error {
	tags := awsx.Tags(s.Tags, func(key, value *string) s3types.Tag { return s3types.Tag{Key: key, Value: value} })
	_, versions := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &s.Bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled},
	})
	_, encryption := client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
		Bucket: &s.Bucket, ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
			Rules: []s3types.ServerSideEncryptionRule{{
				BucketKeyEnabled: aws.Bool(true),
				ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{
					SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &s.KeyAlias,
				},
			}},
		},
	})
	_, private := client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: &s.Bucket, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
		},
	})
	var secure error
	if !plain {
		secure = s.requireTLS(ctx, client)
	}
	_, tagged := client.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &s.Bucket, Tagging: &s3types.Tagging{TagSet: tags}})
	_, old := client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &s.Bucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{
			ID: aws.String("noncurrent"), Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
			NoncurrentVersionExpiration: &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(noncurrentDays)},
		}}},
	})
	if err := errors.Join(versions, encryption, private, secure, tagged, old); err != nil {
		return fmt.Errorf("protect the bucket %s: %w", s.Bucket, err)
	}
	return nil
}

// requireTLS denies access without TLS.
func (s Backend) requireTLS(ctx context.Context, client *s3.Client) error {
	arn := "arn:aws:s3:::" + s.Bucket
	policy, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []map[string]any{{
			"Sid": "TLSOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": []string{arn, arn + "/*"},
			"Condition": map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}},
		}},
	})
	if err != nil {
		return fmt.Errorf("encode the policy of %s: %w", s.Bucket, err)
	}
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.Bucket, Policy: aws.String(string(policy))})
	return err
}

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
