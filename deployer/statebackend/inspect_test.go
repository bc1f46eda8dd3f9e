package statebackend

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// What exists before bootstrap, what bootstrap creates, and each protection that someone removes.
func TestInspect(t *testing.T) {
	cfg := moto.Config(t, "eu-west-1")
	store := Backend{Bucket: "v3-backend-pulumi-state-123456789012", KeyAlias: "alias/v3-backend-pulumi", Region: cfg.Region, Tags: tags}
	elsewhere := cfg.Copy()
	elsewhere.Region = "us-east-1" // of the command
	inspect := func() (BucketState, string) {
		bucket, err := store.InspectBucket(t.Context(), elsewhere)
		require.NoError(t, err)
		key, err := store.InspectKey(t.Context(), elsewhere)
		require.NoError(t, err)
		return bucket, key
	}
	bucket, key := inspect()
	require.Zero(t, bucket)
	require.Empty(t, key)

	require.NoError(t, store.Ensure(t.Context(), cfg))
	bucket, key = inspect()
	require.Equal(t, BucketState{Exists: true, Versioned: true, Private: true, Encryption: "aws:kms"}, bucket)
	require.Equal(t, "Enabled", key)

	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &store.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
	})
	require.NoError(t, err)
	_, err = client.DeleteBucketEncryption(t.Context(), &s3.DeleteBucketEncryptionInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	_, err = client.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
		Bucket: &store.Bucket, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(false), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
		},
	})
	require.NoError(t, err)
	_, err = kms.NewFromConfig(cfg).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: keyOf(t, cfg, store.KeyAlias)})
	require.NoError(t, err)
	bucket, key = inspect()
	require.Equal(t, BucketState{Exists: true}, bucket)
	require.Equal(t, "Disabled", key)

	_, err = client.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	bucket, _ = inspect()
	require.False(t, bucket.Private)
}
