package ecrimage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// manifestsPerCall is how many manifests one call returns.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
const manifestsPerCall = 100

// Index is what an image index lists.
type Index struct {
	// Platforms are the digests of its images, one a platform.
	Platforms []string
	// Attestations are the digests of what is listed for an unknown platform, such as provenance; no task runs it.
	Attestations []string
}

// IsIndex reports whether an image is an index, which an image built with provenance is.
func IsIndex(image types.ImageDetail) bool {
	media := aws.ToString(image.ImageManifestMediaType)
	return strings.Contains(media, "image.index") || strings.Contains(media, "manifest.list")
}

// ManifestTypes returns the media types in which an image or an index may be stored. ECR converts the manifest for clients that do
// not accept the stored type.
func ManifestTypes() []string {
	return []string{
		"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
	}
}

// Indexes reads image indexes and returns what each lists, by the index's digest.
func Indexes(ctx context.Context, client Client, repository string, digests ...string) (map[string]Index, error) {
	indexes := map[string]Index{}
	for batch := range slices.Chunk(digests, manifestsPerCall) {
		in := &ecr.BatchGetImageInput{RepositoryName: &repository, AcceptedMediaTypes: ManifestTypes()}
		for _, digest := range batch {
			in.ImageIds = append(in.ImageIds, types.ImageIdentifier{ImageDigest: &digest})
		}
		out, err := client.BatchGetImage(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, image := range out.Images {
			if image.ImageId == nil {
				continue
			}
			digest := aws.ToString(image.ImageId.ImageDigest)
			if indexes[digest], err = parseIndex(aws.ToString(image.ImageManifest)); err != nil {
				return nil, fmt.Errorf("parse the image index %s: %w", digest, err)
			}
		}
	}
	return indexes, nil
}

func parseIndex(manifest string) (Index, error) {
	var document struct {
		Manifests []struct {
			Digest   string `json:"digest"`
			Platform struct {
				OS string `json:"os"`
			} `json:"platform"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal([]byte(manifest), &document); err != nil {
		return Index{}, err
	}
	var index Index
	for _, m := range document.Manifests {
		if m.Platform.OS == "unknown" {
			index.Attestations = append(index.Attestations, m.Digest)
		} else {
			index.Platforms = append(index.Platforms, m.Digest)
		}
	}
	return index, nil
}
