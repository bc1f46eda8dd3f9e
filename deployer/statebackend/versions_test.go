package statebackend

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

func TestVersionsAreReadFromTheNewestOn(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	bucket, key := aws.String("states"), ".pulumi/stacks/v3-backend/staging.json"
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket})
	require.NoError(t, err)
	_, err = client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	require.NoError(t, err)
	for _, object := range [][2]string{{key, "one"}, {key, "two"}, {key + ".bak", "a copy"}, {key, "three"}} {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &object[0], Body: strings.NewReader(object[1])})
		require.NoError(t, err)
	}
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &key})
	require.NoError(t, err)

	var found []string
	for content, err := range Versions(t.Context(), client, *bucket, key) {
		require.NoError(t, err)
		found = append(found, string(content))
	}
	require.Equal(t, []string{"three", "two", "one"}, found)
	for content, err := range Versions(t.Context(), client, *bucket, key) {
		require.NoError(t, err)
		require.Equal(t, "three", string(content), "the rest is not asked for")
		break
	}
	for _, err := range Versions(t.Context(), client, "nowhere", key) {
		require.ErrorContains(t, err, "list the versions of s3://nowhere/"+key)
	}
}
