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
	// Platforms are the digests of its images, one a platform, and Names the platforms in the same order, such as linux/amd64; "" where the
	// index does not name it.
	Platforms, Names []string
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

// Platform names what an image is built for, in an index and in an image's configuration.
// Source: https://github.com/opencontainers/image-spec/blob/main/image-index.md
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// String returns os/architecture; "" where either is not named.
func (p Platform) String() string {
	if p.OS == "" || p.Architecture == "" {
		return ""
	}
	return p.OS + "/" + p.Architecture
}

// ConfigDigest returns the digest of the configuration that a manifest of a single image names; "" for an index.
// Source: https://github.com/opencontainers/image-spec/blob/main/manifest.md
func ConfigDigest(manifest string) (string, error) {
	var document struct {
		Config struct {
			Digest string `json:"digest"`
		} `json:"config"`
	}
	err := json.Unmarshal([]byte(manifest), &document)
	return document.Config.Digest, err
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
			Digest   string   `json:"digest"`
			Platform Platform `json:"platform"`
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
			index.Platforms, index.Names = append(index.Platforms, m.Digest), append(index.Names, m.Platform.String())
		}
	}
	return index, nil
}
