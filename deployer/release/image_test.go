package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// fakeRegistry is a registry with images.
type fakeRegistry struct {
	images    []types.ImageDetail
	manifests map[string]string
}

func (s fakeRegistry) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	if len(in.ImageIds) == 0 {
		return &ecr.DescribeImagesOutput{ImageDetails: s.images}, nil
	}
	id := in.ImageIds[0]
	for _, image := range s.images {
		if id.ImageDigest != nil && *id.ImageDigest == *image.ImageDigest || id.ImageTag != nil && slices.Contains(image.ImageTags, *id.ImageTag) {
			return &ecr.DescribeImagesOutput{ImageDetails: []types.ImageDetail{image}}, nil
		}
	}
	return nil, &types.ImageNotFoundException{}
}

func (s fakeRegistry) BatchGetImage(_ context.Context, in *ecr.BatchGetImageInput, _ ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error) {
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		out.Images = append(out.Images, types.Image{ImageId: &id, ImageManifest: aws.String(s.manifests[*id.ImageDigest])})
	}
	return out, nil
}

func image(n int, tags ...string) types.ImageDetail {
	return types.ImageDetail{
		ImageDigest: aws.String(fmt.Sprintf("sha256:%064d", n)), ImageTags: tags,
		ImagePushedAt: aws.Time(deployedAt.Add(time.Duration(n) * time.Hour)),
	}
}

func staging(t *testing.T) *environment.Environment {
	env, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	return env
}

func TestFindImageResolvesATagToADigest(t *testing.T) {
	vulnerable := image(1, "1.0.0")
	vulnerable.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{FindingSeverityCounts: map[string]int32{"CRITICAL": 3, "LOW": 9}}
	found, err := FindImage(t.Context(), fakeRegistry{images: []types.ImageDetail{vulnerable}}, staging(t), "1.0.0")
	require.NoError(t, err)
	require.Equal(t, "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@"+*vulnerable.ImageDigest, found.Reference)
	require.Equal(t, []string{*vulnerable.ImageDigest}, found.Digests)
	require.Equal(t, 3, found.Critical)
}

func TestFindImageByDigestHasTag(t *testing.T) {
	one := image(1, "1.0.0")
	found, err := FindImage(t.Context(), fakeRegistry{images: []types.ImageDetail{one}}, staging(t), *one.ImageDigest)
	require.NoError(t, err)
	require.Equal(t, "1.0.0", found.Tag)
}

func TestFindImageReadsIndex(t *testing.T) {
	index := image(1, "1.0.0")
	index.ImageManifestMediaType = aws.String("application/vnd.oci.image.index.v1+json")
	child := image(2)
	child.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{FindingSeverityCounts: map[string]int32{"CRITICAL": 7}}
	found, err := FindImage(t.Context(), fakeRegistry{
		images: []types.ImageDetail{index, child},
		manifests: map[string]string{*index.ImageDigest: fmt.Sprintf(
			`{"manifests":[{"digest":%q,"platform":{"os":"linux"}},{"digest":"sha256:attestation","platform":{"os":"unknown"}}]}`, *child.ImageDigest)},
	}, staging(t), "1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{*index.ImageDigest, *child.ImageDigest}, found.Digests)
	require.True(t, found.Scanned)
	require.Equal(t, 7, found.Critical, "an index is never scanned itself")
}

// Each command counts the findings of the image that the tasks run, and those of no other platform.
func TestFindingsOfTheTasksPlatform(t *testing.T) {
	index := image(1, "1.0.0")
	index.ImageManifestMediaType, index.ImageSizeInBytes = aws.String("application/vnd.oci.image.index.v1+json"), aws.Int64(1)
	scanned := func(findings map[string]int32) func(*types.ImageDetail) {
		return func(d *types.ImageDetail) {
			d.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{FindingSeverityCounts: findings}
		}
	}
	failed := func(d *types.ImageDetail) { d.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusFailed} }
	for name, test := range map[string]struct {
		amd, arm func(*types.ImageDetail)
		scanned  bool
		critical int
	}{
		"the other was scanned": {failed, scanned(map[string]int32{}), false, 0},
		"the other failed":      {scanned(map[string]int32{"CRITICAL": 1}), failed, true, 1},
		"both were scanned":     {scanned(map[string]int32{"CRITICAL": 1}), scanned(map[string]int32{"CRITICAL": 5}), true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			amd, arm := image(2), image(3)
			test.amd(&amd)
			test.arm(&arm)
			registry := fakeRegistry{images: []types.ImageDetail{index, amd, arm}, manifests: map[string]string{*index.ImageDigest: fmt.Sprintf(
				`{"manifests":[{"digest":%q,"platform":{"os":"linux","architecture":"arm64"}},{"digest":%q,"platform":{"os":"linux","architecture":"amd64"}}]}`,
				*arm.ImageDigest, *amd.ImageDigest)}}
			found, err := FindImage(t.Context(), registry, staging(t), "1.0.0")
			require.NoError(t, err)
			require.Equal(t, test.scanned, found.Scanned)
			require.Equal(t, test.critical, found.Critical)

			stored, err := StoredImages(t.Context(), registry, staging(t))
			require.NoError(t, err)
			require.Len(t, stored, 1)
			require.Equal(t, test.scanned, stored[0].Scanned)
			require.Equal(t, test.critical, stored[0].Findings["CRITICAL"])
			require.Len(t, stored[0].Index, 2)
		})
	}
}

func TestFindImageListsNewestTags(t *testing.T) {
	_, err := FindImage(t.Context(), fakeRegistry{images: []types.ImageDetail{image(1, "old"), image(3, "latest", "newest", "running-staging"), image(2, "newer"), image(4, "dev-latest", "previous-staging"), image(5, "previous-development"), image(6, "running-qa")}}, staging(t), "gone")
	require.EqualError(t, err, "the image balancer-api:gone does not exist")
	require.Equal(t, "the newest tags are dev-latest, newest, newer, old", hint.Of(err))
}

// A deployment is named by a tag that still names its image, where there is one.
func TestReleaseTag(t *testing.T) {
	for name, test := range map[string]struct{ recorded, registered, want string }{
		"a permanent tag":              {"1.0.0", "1.0.0-rc1", "1.0.0"},
		"a moving tag":                 {"staging-latest", "1.0.0", "1.0.0"},
		"no other than a moving tag":   {"staging-latest", "sha256:012345678901", "staging-latest"},
		"moving tags":                  {"staging-latest", "dev-latest", "staging-latest"},
		"no recorded tag":              {"", "1.0.0", "1.0.0"},
		"a tag that the deployer sets": {"staging-latest", "running-staging", "staging-latest"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, releaseTag(test.recorded, test.registered)) })
	}
}

// A command names the image that was meant also when a tag has moved since.
func TestNameInCommand(t *testing.T) {
	registry := fakeRegistry{images: []types.ImageDetail{
		image(1, "1.0.0", "latest"), image(2, "dev-latest", "running-staging"), image(3), image(4, "stable", "running-staging"),
	}}
	digest := func(n int) string { return *image(n).ImageDigest }
	for name, test := range map[string]struct {
		tag, digest, want string
	}{
		"a permanent tag":                       {"1.0.0", digest(1), "1.0.0"},
		"of an image that is gone":              {"1.0.0", digest(9), "1.0.0"},
		"a moving tag beside a permanent one":   {"latest", digest(1), "1.0.0"},
		"a moving tag that names another image": {"latest", digest(4), "stable"},
		"nothing but moving tags":               {"dev-latest", digest(2), digest(2)},
		"a tag that the deployer sets":          {"running-staging", digest(2), digest(2)},
		"no tag any more":                       {"latest", digest(3), digest(3)},
		"a moving tag of an image that is gone": {"latest", digest(9), digest(9)},
		"no recorded tag":                       {"", digest(1), "1.0.0"},
		"the digest instead of a tag":           {"sha256:000000000000", digest(3), digest(3)},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, NameInCommand(t.Context(), registry, staging(t), history.Image{Tag: test.tag, Digest: test.digest}))
		})
	}
}

func TestValidImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	for name, want := range map[string]bool{
		"1.41.8-abc123def": true, "latest": true, "_x": true, "": false, "-x": false, "a b": false, "a:b": false, "a/b": false,
		digest: true, "1.41.8@" + digest: true, "sha256:0a": false, "sha256:0a0a0a0": true, "sha256:0A0A0A0": false, "1.41.8@sha256:0a0a0a0": false, digest + "0": false, "@" + digest: false, "1.41.8@": false, "1.41.8@x": false,
		"a b@" + digest: false, "x@" + digest + "@" + digest: false, strings.ToUpper(digest): false, digest + "\n": false,
	} {
		require.Equal(t, want, ValidImage(name), name)
	}
}

func TestFindImageRejectsATagThatMoved(t *testing.T) {
	registry := fakeRegistry{images: []types.ImageDetail{image(1, "1.0.0")}}
	now := aws.ToString(registry.images[0].ImageDigest)
	found, err := FindImage(t.Context(), registry, staging(t), "1.0.0@"+now)
	require.NoError(t, err)
	require.Equal(t, history.Image{Tag: "1.0.0", Digest: now, Reference: staging(t).ImageReference(now)}, found.Image)

	approved := "sha256:" + strings.Repeat("a", 64)
	_, err = FindImage(t.Context(), registry, staging(t), "1.0.0@"+approved)
	require.EqualError(t, err, "balancer-api:1.0.0 was "+approved+" when it was approved, and is "+now+" now: the tag was moved")
	require.Equal(t, "find out who pushed it; deploy what was approved with --image-tag "+approved+", or have 1.0.0@"+now+" approved", hint.Of(err))

	_, err = FindImage(t.Context(), registry, staging(t), "gone@"+approved)
	require.ErrorContains(t, err, "the image balancer-api:gone does not exist")
}

// A scan without a result has its status; of an index that of the images that it lists.
func TestStoredImagesHaveTheirScan(t *testing.T) {
	scanned, failed, pending, none, index, child := image(1, "scanned"), image(2, "failed"), image(3, "pending"), image(4, "none"), image(5, "index"), image(6)
	scanned.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{FindingSeverityCounts: map[string]int32{"HIGH": 2}}
	scanned.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusComplete, Description: aws.String("The scan was completed successfully.")}
	failed.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusFailed, Description: aws.String("UnsupportedImageError: x")}
	pending.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusPending}
	index.ImageManifestMediaType = aws.String("application/vnd.oci.image.index.v1+json")
	index.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusUnsupportedImage}
	child.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusLimitExceeded}
	stored, err := StoredImages(t.Context(), fakeRegistry{
		images:    []types.ImageDetail{scanned, failed, pending, none, index, child},
		manifests: map[string]string{*index.ImageDigest: fmt.Sprintf(`{"manifests":[{"digest":%q,"platform":{"os":"linux"}}]}`, *child.ImageDigest)},
	}, staging(t))
	require.NoError(t, err)
	got := map[string]StoredImage{}
	for _, image := range stored {
		got[image.Tags[0]] = StoredImage{Scanned: image.Scanned, ScanStatus: image.ScanStatus, ScanDescription: image.ScanDescription}
	}
	require.Equal(t, map[string]StoredImage{
		"scanned": {Scanned: true},
		"failed":  {ScanStatus: types.ScanStatusFailed, ScanDescription: "UnsupportedImageError: x"},
		"pending": {ScanStatus: types.ScanStatusPending},
		"none":    {},
		"index":   {ScanStatus: types.ScanStatusLimitExceeded},
	}, got)
}
