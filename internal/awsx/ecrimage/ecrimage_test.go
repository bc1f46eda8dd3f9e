package ecrimage

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"
)

const (
	ociIndex = "application/vnd.oci.image.index.v1+json"
	manifest = `{"manifests":[
		{"digest":"sha256:amd","platform":{"os":"linux","architecture":"amd64"}},
		{"digest":"sha256:arm","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
		{"digest":"sha256:att","platform":{"os":"unknown"}}]}`
)

// registry holds images by tag and digest, and manifests of indexes by digest, which it returns where the call accepts them; it records
// its calls.
type registry struct {
	images    map[string]types.ImageDetail
	manifests map[string]string
	calls     []string
}

func (r *registry) DescribeImages(
	_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options),
) (*ecr.DescribeImagesOutput, error) {
	out := &ecr.DescribeImagesOutput{}
	for _, id := range in.ImageIds {
		name := aws.ToString(id.ImageTag) + aws.ToString(id.ImageDigest)
		r.calls = append(r.calls, "describe "+name)
		image, ok := r.images[name]
		if !ok {
			return nil, &types.ImageNotFoundException{}
		}
		out.ImageDetails = append(out.ImageDetails, image)
	}
	return out, nil
}

func (r *registry) BatchGetImage(
	_ context.Context, in *ecr.BatchGetImageInput, _ ...func(*ecr.Options),
) (*ecr.BatchGetImageOutput, error) {
	r.calls = append(r.calls, fmt.Sprintf("get %d", len(in.ImageIds)))
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		if text, ok := r.manifests[*id.ImageDigest]; ok && slices.Contains(in.AcceptedMediaTypes, ociIndex) {
			out.Images = append(out.Images, types.Image{ImageId: &id, ImageManifest: aws.String(text)})
		}
	}
	return out, nil
}

func image(digest, mediaType string, findings map[string]int32) types.ImageDetail {
	detail := types.ImageDetail{ImageDigest: aws.String(digest), ImageManifestMediaType: aws.String(mediaType)}
	if findings != nil {
		detail.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{FindingSeverityCounts: findings}
	}
	return detail
}

func TestFindSingleImage(t *testing.T) {
	single := image("sha256:1", "application/vnd.oci.image.manifest.v1+json", map[string]int32{"CRITICAL": 1, "HIGH": 2, "LOW": 9})
	r := &registry{images: map[string]types.ImageDetail{"v1": single, "sha256:1": single}}
	for _, name := range []string{"v1", "sha256:1"} {
		found, err := Find(t.Context(), r, "app", name)
		require.NoError(t, err)
		require.Equal(t, []string{"sha256:1"}, found.Digests())
		require.Equal(t, Findings{Scanned: true, Critical: 1, High: 2}, found.Findings)
	}
	require.Equal(t, []string{"describe v1", "describe sha256:1"}, r.calls)
}

func TestFindIndex(t *testing.T) {
	r := &registry{
		images: map[string]types.ImageDetail{
			"v2":         image("sha256:index", ociIndex, nil),
			"sha256:amd": image("sha256:amd", "", map[string]int32{"CRITICAL": 1}),
			"sha256:arm": image("sha256:arm", "", map[string]int32{"HIGH": 3}),
		},
		manifests: map[string]string{"sha256:index": manifest},
	}
	found, err := Find(t.Context(), r, "app", "v2")
	require.NoError(t, err)
	require.Equal(t, []string{"sha256:index", "sha256:amd", "sha256:arm"}, found.Digests(), "without the attestation")
	require.Equal(t, Findings{Scanned: true, Critical: 1, High: 3}, found.Findings, "those of its images")
	require.Equal(t, []string{"describe v2", "get 1", "describe sha256:amd", "describe sha256:arm"}, r.calls)
}

func TestFindNothing(t *testing.T) {
	_, err := Find(t.Context(), &registry{}, "app", "v3")
	var missing *types.ImageNotFoundException
	require.ErrorAs(t, err, &missing)
}

func TestNotScanned(t *testing.T) {
	r := &registry{images: map[string]types.ImageDetail{"v1": image("sha256:index", ociIndex, nil)}}
	found, err := Find(t.Context(), r, "app", "v1")
	require.NoError(t, err, "an index without a manifest lists nothing")
	require.False(t, found.Scanned)

	r.manifests = map[string]string{"sha256:index": manifest}
	found, err = Find(t.Context(), r, "app", "v1")
	require.NoError(t, err, "its images were deleted")
	require.False(t, found.Scanned)
	require.Len(t, found.Platforms, 2)
}

// A scan without a result has AWS's state and description; of an index those of its images.
func TestScanWithoutAResult(t *testing.T) {
	failed := image("sha256:amd", "", nil)
	failed.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusFailed, Description: aws.String("UnsupportedImageError: the operating system is not supported")}
	index := image("sha256:index", ociIndex, nil)
	index.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusUnsupportedImage}
	r := &registry{
		images:    map[string]types.ImageDetail{"v1": failed, "v2": index, "sha256:amd": failed, "sha256:arm": image("sha256:arm", "", nil)},
		manifests: map[string]string{"sha256:index": manifest},
	}
	for _, name := range []string{"v1", "v2"} {
		found, err := Find(t.Context(), r, "app", name)
		require.NoError(t, err)
		require.Equal(t, Findings{Status: types.ScanStatusFailed, Description: "UnsupportedImageError: the operating system is not supported"}, found.Findings)
	}
}

func TestConfigDigest(t *testing.T) {
	for text, want := range map[string]string{`{"config":{"digest":"sha256:1"}}`: "sha256:1", manifest: ""} {
		got, err := ConfigDigest(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ConfigDigest("{")
	require.Error(t, err)
}

func TestIndexes(t *testing.T) {
	r := &registry{manifests: map[string]string{"sha256:index": manifest, "sha256:broken": "{"}}
	indexes, err := Indexes(t.Context(), r, "app", "sha256:index", "sha256:gone")
	require.NoError(t, err)
	require.Equal(t, map[string]Index{"sha256:index": {
		Platforms: []string{"sha256:amd", "sha256:arm"}, Names: []string{"linux/amd64", "linux/arm64"}, Attestations: []string{"sha256:att"},
	}}, indexes)

	_, err = Indexes(t.Context(), r, "app", "sha256:broken")
	require.ErrorContains(t, err, "parse the image index sha256:broken")

	r.calls = nil
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("sha256:%d", i)
	}
	_, err = Indexes(t.Context(), r, "app", many...)
	require.NoError(t, err)
	require.Equal(t, []string{"get 100", "get 50"}, r.calls)

	require.True(t, IsIndex(types.ImageDetail{ImageManifestMediaType: aws.String("application/vnd.docker.distribution.manifest.list.v2+json")}))
	require.False(t, IsIndex(types.ImageDetail{}))
}
