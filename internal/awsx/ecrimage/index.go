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
	// Attestations are the digests of what is listed beside images, such as provenance and signatures; no task runs it.
	Attestations []string
	// Read reports whether the manifest of the index was read.
	Read bool
}

// For returns the digests of the images that tasks of a platform may run: the first that is listed for it. Where no platform is
// named at all, it may be any of them.
func (i Index) For(platform string) []string {
	if at := slices.Index(i.Names, platform); at >= 0 {
		return i.Platforms[at : at+1]
	}
	if slices.ContainsFunc(i.Names, func(name string) bool { return name != "" }) {
		return nil
	}
	return i.Platforms
}

// IsIndex reports whether an image is an index, which an image built with provenance is.
func IsIndex(image types.ImageDetail) bool {
	return isIndexType(aws.ToString(image.ImageManifestMediaType))
}

func isIndexType(media string) bool {
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

// maxNesting limits how deep indexes may list others.
const maxNesting = 4

// Indexes reads image indexes and returns what each lists, by the index's digest. What an index in an index lists belongs to both.
func Indexes(ctx context.Context, client Client, repository string, digests ...string) (map[string]Index, error) {
	return readIndexes(ctx, client, repository, digests, maxNesting)
}

func readIndexes(ctx context.Context, client Client, repository string, digests []string, depth int) (map[string]Index, error) {
	indexes, nested := map[string]Index{}, map[string][]string{}
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
			var below []string
			if indexes[digest], below, err = parseIndex(aws.ToString(image.ImageManifest)); err != nil {
				return nil, fmt.Errorf("parse the image index %s: %w", digest, err)
			}
			if len(below) > 0 {
				nested[digest] = below
			}
		}
	}
	for digest, below := range nested {
		if depth == 0 {
			return nil, fmt.Errorf("the image index %s is nested more than %d levels deep: push its images in one index", digest, maxNesting)
		}
		found, err := readIndexes(ctx, client, repository, below, depth-1)
		if err != nil {
			return nil, err
		}
		whole := indexes[digest]
		for _, name := range below {
			inner := found[name]
			whole.Platforms, whole.Names = append(whole.Platforms, inner.Platforms...), append(whole.Names, inner.Names...)
			whole.Attestations = append(append(whole.Attestations, name), inner.Attestations...)
			whole.Read = whole.Read && inner.Read
		}
		indexes[digest] = whole
	}
	return indexes, nil
}

// A descriptor is an entry of an index.
// Source: https://github.com/opencontainers/image-spec/blob/main/descriptor.md
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       string            `json:"digest"`
	Platform     Platform          `json:"platform"`
	Annotations  map[string]string `json:"annotations"`
}

// isAttestation reports whether an entry is about an image and none itself: an artifact of another type, or an attestation of
// BuildKit, whose platform is usually unknown.
// Source: https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
func (d descriptor) isAttestation() bool {
	artifact := d.ArtifactType != "" &&
		!strings.Contains(d.ArtifactType, ".image.config.") && !strings.Contains(d.ArtifactType, ".container.image.")
	return d.Platform.OS == "unknown" || artifact || d.Annotations["vnd.docker.reference.type"] != ""
}

// parseIndex returns what an index lists, and the digests of indexes in it.
func parseIndex(manifest string) (Index, []string, error) {
	var document struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := json.Unmarshal([]byte(manifest), &document); err != nil {
		return Index{}, nil, err
	}
	index := Index{Read: true}
	var nested []string
	for _, d := range document.Manifests {
		switch {
		case d.isAttestation():
			index.Attestations = append(index.Attestations, d.Digest)
		case isIndexType(d.MediaType):
			nested = append(nested, d.Digest)
		default:
			index.Platforms, index.Names = append(index.Platforms, d.Digest), append(index.Names, d.Platform.String())
		}
	}
	return index, nested, nil
}
