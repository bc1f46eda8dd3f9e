package release

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

func TestImageName(t *testing.T) {
	const repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api"
	digest := "sha256:" + strings.Repeat("0a", 32)
	for name, want := range map[string]string{
		"1.41.8": "1.41.8", digest: digest, "1.41.8@" + digest: "1.41.8@" + digest, "api:41": "api:41", "v3-backend-staging-api:41": "v3-backend-staging-api:41",
		"arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:41": "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:41",
		"20261123-161530-1f3a": "20261123-161530-1f3a", "": "", "balancer-api": "balancer-api",
		repository + ":1.41.8": "1.41.8", repository + "@" + digest: digest, repository + ":1.41.8@" + digest: "1.41.8@" + digest,
		"balancer-api:1.41.8": "1.41.8", "balancer-api@" + digest: digest, repository: "",
	} {
		got, err := ImageName(staging(t), name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/other:1.41.8", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/balancer-api:1.41.8",
		"999999999999.dkr.ecr.us-east-1.amazonaws.com/balancer-api@" + digest, "localhost:5000/balancer-api:1", "a/b",
	} {
		_, err := ImageName(staging(t), name)
		require.ErrorContains(t, err, "and staging runs images of "+repository, name)
		require.Equal(t, "push it there, and give its tag", hint.Of(err))
	}
}

// The beginning of a digest that is too short, and what only looks like a digest, is no task definition's revision.
func TestNoDigest(t *testing.T) {
	for _, name := range []string{"sha256:", "sha256:027", "sha256:XYZ1234567", "sha256:" + strings.Repeat("0a", 33)} {
		_, err := ImageName(staging(t), name)
		require.ErrorContains(t, err, "is not a digest", name)
		require.Contains(t, hint.Of(err), "at least the first 7", name)
	}
}

func TestFindImageByShortDigest(t *testing.T) {
	one, two, hex := image(1, "1.0.0"), image(2, "2.0.0"), image(3, "abcdef0")
	one.ImageDigest = aws.String("sha256:85adc3cc7a7fb8b3" + strings.Repeat("0", 48))
	two.ImageDigest = aws.String("sha256:85adc3cc8" + strings.Repeat("0", 55))
	registry := fakeRegistry{images: []types.ImageDetail{one, two, hex}}
	for name, want := range map[string]string{
		"sha256:85adc3cc7a7f": "1.0.0", "85adc3cc7a7f": "1.0.0", "sha256:85adc3cc7": "1.0.0", "85adc3cc8": "2.0.0",
		"abcdef0": "abcdef0", // a tag first
	} {
		found, err := FindImage(t.Context(), registry, staging(t), name)
		require.NoError(t, err, name)
		require.Equal(t, want, found.Tag, name)
		require.Len(t, found.Digest, len("sha256:")+64)
	}
	for name, want := range map[string]string{
		"sha256:85adc3cc": "2 images of balancer-api have digests that begin with sha256:85adc3cc: " + *one.ImageDigest + ", " + *two.ImageDigest,
		"85adc3c":         "2 images of balancer-api have digests that begin with sha256:85adc3c: " + *one.ImageDigest + ", " + *two.ImageDigest,
		"sha256:1234567":  "the image balancer-api@sha256:1234567 does not exist",
		"1234567":         "the image balancer-api:1234567 does not exist",
	} {
		_, err := FindImage(t.Context(), registry, staging(t), name)
		require.EqualError(t, err, want)
	}
}
