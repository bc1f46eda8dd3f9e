package statebackend

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// BucketState is what protects the bucket.
type BucketState struct {
	Exists bool
	// Versioned reports that overwritten states can be restored, Private that no policy or ACL can make the bucket public.
	Versioned, Private bool
	// Encryption is the algorithm of new objects, such as aws:kms; "" where none is set.
	Encryption string
}

// InspectBucket returns what protects the bucket, and changes nothing.
func (s Backend) InspectBucket(ctx context.Context, cfg aws.Config) (BucketState, error) {
	client := bucketClient(s.inRegion(cfg))
	found := BucketState{}
	var err error
	if found.Exists, err = s.findBucket(ctx, client); err != nil || !found.Exists {
		return found, err
	}
	versions, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &s.Bucket})
	if err != nil {
		return found, fmt.Errorf("read the versioning of %s: %w", s.Bucket, err)
	}
	found.Versioned = versions.Status == s3types.BucketVersioningStatusEnabled
	encryption, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &s.Bucket})
	if err != nil && !awsx.HasCode(err, "ServerSideEncryptionConfigurationNotFoundError") {
		return found, fmt.Errorf("read the encryption of %s: %w", s.Bucket, err)
	}
	if err == nil && encryption.ServerSideEncryptionConfiguration != nil {
		for _, rule := range encryption.ServerSideEncryptionConfiguration.Rules {
			if byDefault := rule.ApplyServerSideEncryptionByDefault; byDefault != nil {
				found.Encryption = string(byDefault.SSEAlgorithm)
			}
		}
	}
	private, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &s.Bucket})
	if err != nil && !awsx.HasCode(err, "NoSuchPublicAccessBlockConfiguration") {
		return found, fmt.Errorf("read the public access block of %s: %w", s.Bucket, err)
	}
	if err == nil && private.PublicAccessBlockConfiguration != nil {
		c := private.PublicAccessBlockConfiguration
		found.Private = aws.ToBool(c.BlockPublicAcls) && aws.ToBool(c.BlockPublicPolicy) &&
			aws.ToBool(c.IgnorePublicAcls) && aws.ToBool(c.RestrictPublicBuckets)
	}
	return found, nil
}

// InspectKey returns the state of the key that has the alias, such as Enabled or PendingDeletion; "" where there is none.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func (s Backend) InspectKey(ctx context.Context, cfg aws.Config) (string, error) {
	found, err := s.describeKey(ctx, kms.NewFromConfig(s.inRegion(cfg)))
	return string(found.KeyState), err
}

// describeKey returns the key that has the alias, or an empty description.
func (s Backend) describeKey(ctx context.Context, client *kms.Client) (kmstypes.KeyMetadata, error) {
	found, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &s.KeyAlias})
	if awsx.HasCode(err, "NotFoundException") {
		return kmstypes.KeyMetadata{}, nil
	}
	if err != nil {
		return kmstypes.KeyMetadata{}, fmt.Errorf("look up the key %s: %w", s.KeyAlias, err)
	}
	return *found.KeyMetadata, nil
}

// inRegion returns a configuration for the region of the bucket and the key, whichever region a command is about.
func (s Backend) inRegion(cfg aws.Config) aws.Config {
	cfg.Region = s.Region
	return cfg
}
