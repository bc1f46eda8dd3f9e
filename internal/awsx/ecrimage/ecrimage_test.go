package ecrimage

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		found, err := Find(t.Context(), r, "app", "linux/amd64", name)
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
	found, err := Find(t.Context(), r, "app", "linux/amd64", "v2")
	require.NoError(t, err)
	require.Equal(t, []string{"sha256:index", "sha256:amd", "sha256:arm"}, found.Digests(), "without the attestation")
	require.Equal(t, Findings{Scanned: true, Critical: 1}, found.Findings, "those of the image that runs")
	require.Equal(t, []string{"describe v2", "get 1", "describe sha256:amd"}, r.calls)

	found, err = Find(t.Context(), r, "app", "linux/arm64", "v2")
	require.NoError(t, err)
	require.Equal(t, Findings{Scanned: true, High: 3}, found.Findings)

	delete(r.images, "sha256:arm")
	found, err = Find(t.Context(), r, "app", "linux/amd64", "v2")
	require.NoError(t, err)
	require.True(t, found.Scanned, "no task runs the image that was deleted")
}

func TestFindNothing(t *testing.T) {
	_, err := Find(t.Context(), &registry{}, "app", "linux/amd64", "v3")
	var missing *types.ImageNotFoundException
	require.ErrorAs(t, err, &missing)
}

func TestNotScanned(t *testing.T) {
	r := &registry{images: map[string]types.ImageDetail{"v1": image("sha256:index", ociIndex, nil)}}
	found, err := Find(t.Context(), r, "app", "linux/amd64", "v1")
	require.NoError(t, err, "an index without a manifest lists nothing")
	require.False(t, found.Scanned)

	r.manifests = map[string]string{"sha256:index": manifest}
	found, err = Find(t.Context(), r, "app", "linux/amd64", "v1")
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
		images:    map[string]types.ImageDetail{"v1": failed, "v2": index, "sha256:amd": failed, "sha256:arm": image("sha256:arm", "", map[string]int32{})},
		manifests: map[string]string{"sha256:index": manifest},
	}
	for _, name := range []string{"v1", "v2"} {
		found, err := Find(t.Context(), r, "app", "linux/amd64", name)
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
		Platforms: []string{"sha256:amd", "sha256:arm"}, Names: []string{"linux/amd64", "linux/arm64"}, Attestations: []string{"sha256:att"}, Read: true,
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

// Only an entry that a task can run is an image of an index, and only that of the tasks' platform counts.
func TestIndexEntries(t *testing.T) {
	entry := func(digest, more string) string { return `{"digest":"sha256:` + digest + `"` + more + `}` }
	const amd, arm = `,"platform":{"os":"linux","architecture":"amd64"}`, `,"platform":{"os":"linux","architecture":"arm64"}`
	of := func(entries ...string) string { return `{"manifests":[` + strings.Join(entries, ",") + `]}` }
	r := &registry{manifests: map[string]string{
		"sha256:inner":  of(entry("2", amd), entry("3", `,"artifactType":"application/spdx+json"`)),
		"sha256:middle": of(entry("inner", `,"mediaType":"`+ociIndex+`"`)),
		"sha256:deep5":  of(entry("deep5", `,"mediaType":"`+ociIndex+`"`)),
	}}
	for name, test := range map[string]struct {
		manifest                string
		platforms, attestations []string
		run                     []string
		fails                   string
	}{
		"platforms":            {manifest: of(entry("1", arm), entry("2", amd)), platforms: []string{"sha256:1", "sha256:2"}, run: []string{"sha256:2"}},
		"another platform":     {manifest: of(entry("1", arm)), platforms: []string{"sha256:1"}},
		"a variant":            {manifest: of(entry("1", amd), entry("2", amd)), platforms: []string{"sha256:1", "sha256:2"}, run: []string{"sha256:1"}},
		"no platform is named": {manifest: of(entry("1", "")), platforms: []string{"sha256:1"}, run: []string{"sha256:1"}},
		"one is not named":     {manifest: of(entry("1", ""), entry("2", arm)), platforms: []string{"sha256:1", "sha256:2"}},
		"nothing":              {manifest: of()},
		"of BuildKit":          {manifest: of(entry("1", `,"platform":{"os":"unknown","architecture":"unknown"}`)), attestations: []string{"sha256:1"}},
		"of BuildKit, with a platform": {manifest: of(entry("1", amd+`,"annotations":{"vnd.docker.reference.type":"attestation-manifest"}`)),
			attestations: []string{"sha256:1"}},
		"an artifact": {manifest: of(entry("1", amd+`,"artifactType":"application/vnd.cncf.notary.signature"`)), attestations: []string{"sha256:1"}},
		"an image with its type": {manifest: of(entry("1", amd+`,"artifactType":"application/vnd.oci.image.config.v1+json"`)),
			platforms: []string{"sha256:1"}, run: []string{"sha256:1"}},
		"an index in it": {manifest: of(entry("1", arm), entry("inner", `,"mediaType":"`+ociIndex+`"`)), platforms: []string{"sha256:1", "sha256:2"},
			attestations: []string{"sha256:inner", "sha256:3"}, run: []string{"sha256:2"}},
		"two levels": {manifest: of(entry("middle", `,"mediaType":"`+ociIndex+`"`)), platforms: []string{"sha256:2"},
			attestations: []string{"sha256:middle", "sha256:inner", "sha256:3"}, run: []string{"sha256:2"}},
		"too deep": {manifest: of(entry("deep5", `,"mediaType":"`+ociIndex+`"`)), fails: "is nested more than 4 levels deep: push its images in one index"},
	} {
		t.Run(name, func(t *testing.T) {
			r.manifests["sha256:index"] = test.manifest
			found, err := Indexes(t.Context(), r, "app", "sha256:index")
			if test.fails != "" {
				require.ErrorContains(t, err, test.fails)
				return
			}
			require.NoError(t, err)
			index := found["sha256:index"]
			require.Equal(t, test.platforms, index.Platforms)
			require.Equal(t, test.attestations, index.Attestations)
			require.Equal(t, test.run, index.For("linux/amd64"))
			require.Equal(t, len(test.platforms) == 0, (&Image{Index: index}).Empty())
		})
	}
	require.False(t, (&Image{}).Empty(), "no index")
}

// Where a task may run any of several images, all of them are scanned, or none counts.
func TestFindingsOfOnePlatform(t *testing.T) {
	failed := image("sha256:amd", "", nil)
	failed.ImageScanStatus = &types.ImageScanStatus{Status: types.ScanStatusFailed}
	scanned := image("sha256:arm", "", map[string]int32{"CRITICAL": 2})
	for name, test := range map[string]struct {
		images []types.ImageDetail
		want   Findings
	}{
		"none":        {nil, Findings{}},
		"scanned":     {[]types.ImageDetail{scanned}, Findings{Scanned: true, Critical: 2}},
		"failed":      {[]types.ImageDetail{failed}, Findings{Status: types.ScanStatusFailed}},
		"one of them": {[]types.ImageDetail{scanned, failed}, Findings{Status: types.ScanStatusFailed}},
	} {
		require.Equal(t, test.want, countFindings(test.images), name)
	}
}
