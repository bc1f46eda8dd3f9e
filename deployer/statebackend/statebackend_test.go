package statebackend

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/blob"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

var tags = map[string]string{"ManagedBy": "deployer"}

func TestEnsureCreatesWhatIsMissingOnce(t *testing.T) {
	cfg := moto.Config(t, "eu-west-1")
	store := Backend{
		Bucket: "v3-backend-pulumi-state-123456789012", KeyAlias: "alias/v3-backend-pulumi", Region: cfg.Region,
		Tags: tags,
	}
	for _, exists := range []bool{false, true} {
		found, err := store.Find(t.Context(), cfg)
		require.NoError(t, err)
		require.Equal(t, []Part{
			{"KMS key alias/v3-backend-pulumi", exists}, {"state bucket v3-backend-pulumi-state-123456789012", exists},
		}, found)
		require.NoError(t, store.Ensure(t.Context(), cfg))
	}
	require.Len(t, keysOf(t, cfg), 1)

	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	versioning, err := client.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	require.Equal(t, types.BucketVersioningStatusEnabled, versioning.Status)
	encryption, err := client.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAwsKms,
		encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm)
	private, err := client.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	require.True(t, *private.PublicAccessBlockConfiguration.RestrictPublicBuckets)
	rotation, err := kms.NewFromConfig(cfg).GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: keyOf(t, cfg, store.KeyAlias)})
	require.NoError(t, err)
	require.True(t, rotation.KeyRotationEnabled)

	// Records are stored in the same bucket, beside the state, which may have a prefix.
	records := history.Store{Files: blob.Bucket{Client: client, Name: store.Bucket, Prefix: "backend/v3"}}
	kept := []history.Deployment{{ID: "20260102-000000-bbbb", Stack: "staging"}, {ID: "20260101-000000-aaaa", Stack: "staging"}}
	for _, r := range kept {
		require.NoError(t, records.Save(t.Context(), r))
	}
	found, err := records.List(t.Context(), "staging", 10)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(kept), fmt.Sprint(found))
	_, err = client.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: &store.Bucket, Key: aws.String("backend/v3/deployments/staging/20260101-000000-aaaa.json"),
	})
	require.NoError(t, err)
	none, err := history.Store{Files: blob.Bucket{Client: client, Name: "no-such-bucket"}}.List(t.Context(), "staging", 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func keyOf(t *testing.T, cfg aws.Config, alias string) *string {
	out, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &alias})
	require.NoError(t, err)
	return out.KeyMetadata.KeyId
}

// A policy that requires TLS would lock out a plain endpoint; AWS gets it.
func TestOnlyAPlainEndpointNeedsNoTLS(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	store := Backend{Bucket: "v3-backend-pulumi-state-123456789012", KeyAlias: "alias/v3-backend-pulumi", Region: cfg.Region, Tags: tags}
	require.NoError(t, store.Ensure(t.Context(), cfg))
	client := bucketClient(cfg)
	_, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &store.Bucket})
	require.ErrorContains(t, err, "NoSuchBucketPolicy")

	require.NoError(t, store.protect(t.Context(), client, false))
	policy, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	require.Contains(t, *policy.Policy, "aws:SecureTransport")
	require.False(t, isPlainHTTP(aws.Config{}))
	require.False(t, isPlainHTTP(aws.Config{BaseEndpoint: aws.String("https://localhost")}))
}

func TestAKeyWithoutAnAliasIsDeleted(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	err := Backend{Bucket: "b", KeyAlias: "alias/not a name", Region: cfg.Region}.Ensure(t.Context(), cfg)
	require.ErrorContains(t, err, "create the alias alias/not a name")
	keys := keysOf(t, cfg)
	require.Len(t, keys, 1)
	require.Equal(t, kmstypes.KeyStatePendingDeletion, keys[0].KeyState)
}

// The next run enables the rotation of a key if the last run ended before that.
func TestAKeyRotatesAfterAnyRun(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	store := Backend{Bucket: "b-state", KeyAlias: "alias/ours", Region: cfg.Region, Tags: tags}
	client := kms.NewFromConfig(cfg)
	created, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	_, err = client.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &store.KeyAlias, TargetKeyId: created.KeyMetadata.KeyId})
	require.NoError(t, err)
	require.NoError(t, store.Ensure(t.Context(), cfg))
	rotation, err := client.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: created.KeyMetadata.KeyId})
	require.NoError(t, err)
	require.True(t, rotation.KeyRotationEnabled)
	require.Len(t, keysOf(t, cfg), 1)
}

func keysOf(t *testing.T, cfg aws.Config) []kmstypes.KeyMetadata {
	client := kms.NewFromConfig(cfg)
	list, err := client.ListKeys(t.Context(), &kms.ListKeysInput{})
	require.NoError(t, err)
	var keys []kmstypes.KeyMetadata
	for _, key := range list.Keys {
		found, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: key.KeyId})
		require.NoError(t, err)
		keys = append(keys, *found.KeyMetadata)
	}
	return keys
}
