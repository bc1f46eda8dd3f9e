package statestore

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

func TestEnsureMakesWhatIsMissingOnce(t *testing.T) {
	cfg := moto.Config(t, "eu-west-1")
	store := Store{
		Bucket: "v3-backend-pulumi-state-123456789012", KeyAlias: "alias/v3-backend-pulumi", Region: cfg.Region,
		Tags: map[string]string{"ManagedBy": "deployer"},
	}
	wants := func(exists bool) []Done {
		return []Done{{"KMS key alias/v3-backend-pulumi", exists}, {"state bucket v3-backend-pulumi-state-123456789012", exists}}
	}
	for step, want := range []struct {
		dryRun bool
		done   []Done
	}{{true, wants(false)}, {false, wants(false)}, {false, wants(true)}, {true, wants(true)}} {
		done, err := store.Ensure(t.Context(), cfg, true, want.dryRun)
		require.NoError(t, err, step)
		require.Equal(t, want.done, done, step)
	}

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
	policy, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	require.Contains(t, *policy.Policy, "aws:SecureTransport")
	rotation, err := kms.NewFromConfig(cfg).GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: keyOf(t, cfg, store.KeyAlias)})
	require.NoError(t, err)
	require.True(t, rotation.KeyRotationEnabled)

	// Records lie in the same bucket, beside the state. The test's own connection has no TLS, which the policy refuses.
	_, err = client.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: &store.Bucket})
	require.NoError(t, err)
	records := record.Bucket{Client: client, Name: store.Bucket}
	kept := []record.Deployment{{ID: "20260102-000000-bbbb", Stack: "staging"}, {ID: "20260101-000000-aaaa", Stack: "staging"}}
	for _, r := range kept {
		require.NoError(t, records.Save(t.Context(), r))
	}
	found, err := records.List(t.Context(), "staging")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(kept), fmt.Sprint(found))
	none, err := record.Bucket{Client: client, Name: "no-such-bucket"}.List(t.Context(), "staging")
	require.NoError(t, err)
	require.Empty(t, none)
}

func keyOf(t *testing.T, cfg aws.Config, alias string) *string {
	out, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &alias})
	require.NoError(t, err)
	return out.KeyMetadata.KeyId
}
