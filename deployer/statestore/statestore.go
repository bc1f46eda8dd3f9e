// Package statestore makes where an account's Pulumi state lies: a versioned, encrypted, private bucket, and the KMS key
// that encrypts it and the secrets in it. It is what has to be there before Pulumi can run at all.
package statestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// noncurrentDays is how long an overwritten state can still be brought back.
const noncurrentDays = 90

// Store names a bucket and a key.
type Store struct {
	Bucket, KeyAlias, Region string
	Tags                     map[string]string
}

// Done says what Ensure found or made: "bucket NAME", and whether it was there already.
type Done struct {
	What   string
	Exists bool
}

// Ensure makes what is missing and leaves alone what is there, but for the bucket's protections, which are set again.
// A dry run only looks.
func (s Store) Ensure(ctx context.Context, cfg aws.Config, pathStyle, dryRun bool) ([]Done, error) {
	keys := kms.NewFromConfig(cfg)
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = pathStyle })
	keyThere, err := s.ensureKey(ctx, keys, dryRun)
	if err != nil {
		return nil, err
	}
	done := []Done{{What: "KMS key " + s.KeyAlias, Exists: keyThere}}
	bucketThere, err := s.ensureBucket(ctx, buckets, dryRun)
	if err != nil {
		return done, err
	}
	done = append(done, Done{What: "state bucket " + s.Bucket, Exists: bucketThere})
	if dryRun {
		return done, nil
	}
	return done, s.protect(ctx, buckets)
}

func (s Store) ensureKey(ctx context.Context, client *kms.Client, dryRun bool) (exists bool, err error) {
	_, err = client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &s.KeyAlias})
	var absent *kmstypes.NotFoundException
	switch {
	case err == nil:
		return true, nil
	case !errors.As(err, &absent):
		return false, fmt.Errorf("look up the key %s: %w", s.KeyAlias, err)
	case dryRun:
		return false, nil
	}
	var tags []kmstypes.Tag
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, kmstypes.Tag{TagKey: aws.String(key), TagValue: aws.String(s.Tags[key])})
	}
	made, err := client.CreateKey(ctx, &kms.CreateKeyInput{
		Description: aws.String("Pulumi state and the secrets in it"), Tags: tags,
	})
	if err != nil {
		return false, fmt.Errorf("make the key %s: %w", s.KeyAlias, err)
	}
	id := made.KeyMetadata.KeyId
	if _, err := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: id}); err != nil {
		return false, fmt.Errorf("rotate the key %s yearly: %w", s.KeyAlias, err)
	}
	if _, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &s.KeyAlias, TargetKeyId: id}); err != nil {
		return false, fmt.Errorf("name the key %s: %w", s.KeyAlias, err)
	}
	return false, nil
}

func (s Store) ensureBucket(ctx context.Context, client *s3.Client, dryRun bool) (exists bool, err error) {
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.Bucket})
	var refused smithy.APIError
	switch {
	case err == nil:
		return true, nil
	case !errors.As(err, &refused) || refused.ErrorCode() != "NotFound":
		return false, fmt.Errorf("look up the bucket %s: %w", s.Bucket, err)
	case dryRun:
		return false, nil
	}
	in := &s3.CreateBucketInput{Bucket: &s.Bucket}
	if s.Region != "us-east-1" {
		// us-east-1 is what no constraint means, and is refused as one.
		// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(s.Region)}
	}
	if _, err := client.CreateBucket(ctx, in); err != nil {
		return false, fmt.Errorf("make the bucket %s: %w", s.Bucket, err)
	}
	return false, nil
}

// protect sets what keeps the state safe: versions, encryption, privacy, TLS.
func (s Store) protect(ctx context.Context, client *s3.Client) error {
	policy, err := s.tlsOnly()
	if err != nil {
		return err
	}
	var tags []s3types.Tag
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, s3types.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key])})
	}
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
	_, secure := client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.Bucket, Policy: &policy})
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

// tlsOnly refuses whoever does not use TLS.
func (s Store) tlsOnly() (string, error) {
	arn := "arn:aws:s3:::" + s.Bucket
	policy, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []map[string]any{{
			"Sid": "TLSOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": []string{arn, arn + "/*"},
			"Condition": map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}},
		}},
	})
	if err != nil {
		return "", fmt.Errorf("encode the policy of %s: %w", s.Bucket, err)
	}
	return string(policy), nil
}
