package release

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
)

// Image is an image that exists: its tag resolved to a digest, which is what gets deployed.
type Image struct {
	record.Image
	// Digests are all digests under which a task may report it: its own and, where it is an index, its children's.
	Digests []string
	// Critical is the number of critical findings of its scan; Scanned says whether there is one.
	Critical int
	Scanned  bool
}

// newestShown is how many tags are named when one is missing.
const newestShown = 5

// tagPattern is what a container registry takes as a tag.
// Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// ValidTag reports whether a registry could have the tag.
func ValidTag(tag string) bool { return tagPattern.MatchString(tag) }

// registry is the part of ECR that finds images.
type registry interface {
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
	BatchGetImage(context.Context, *ecr.BatchGetImageInput, ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error)
}

// FindImage resolves a tag or a digest in the environment's repository. A tag that is not there is an error that names
// the newest ones.
func FindImage(ctx context.Context, client registry, env *environment.Environment, tagOrDigest string) (*Image, error) {
	id := types.ImageIdentifier{ImageTag: &tagOrDigest}
	if strings.HasPrefix(tagOrDigest, "sha256:") {
		id = types.ImageIdentifier{ImageDigest: &tagOrDigest}
	}
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: &env.Image.Repository, ImageIds: []types.ImageIdentifier{id},
	})
	var noImage *types.ImageNotFoundException
	var noRepository *types.RepositoryNotFoundException
	switch {
	case errors.As(err, &noImage):
		return nil, withHint(
			fmt.Errorf("the image %s:%s does not exist", env.Image.Repository, tagOrDigest), newestHint(ctx, client, env))
	case errors.As(err, &noRepository):
		return nil, withHint(
			fmt.Errorf("there is no image repository %s in account %s, %s", env.Image.Repository, env.Account, env.Region),
			"`deployer bootstrap` makes it, once an account; or the region is not the environment's")
	case err != nil:
		return nil, fmt.Errorf("look up the image %s:%s: %w", env.Image.Repository, tagOrDigest, err)
	case len(out.ImageDetails) != 1:
		return nil, fmt.Errorf("the registry answered with %d images for %s", len(out.ImageDetails), tagOrDigest)
	}
	return describe(ctx, client, env, tagOrDigest, out.ImageDetails[0])
}

func describe(
	ctx context.Context, client registry, env *environment.Environment, tag string, detail types.ImageDetail,
) (*Image, error) {
	digest := aws.ToString(detail.ImageDigest)
	image := &Image{
		Image:   record.Image{Tag: tag, Digest: digest, Reference: env.ImageReference(digest)},
		Digests: []string{digest},
	}
	if tag == digest {
		image.Tag = cmp.Or(slices.Max(append(detail.ImageTags, "")), "")
	}
	if summary := detail.ImageScanFindingsSummary; summary != nil {
		image.Scanned = true
		image.Critical = int(summary.FindingSeverityCounts[string(types.FindingSeverityCritical)])
	}
	if !isIndex(aws.ToString(detail.ImageManifestMediaType)) {
		return image, nil
	}
	children, err := children(ctx, client, env, digest)
	if err != nil {
		return nil, err
	}
	image.Digests = append(image.Digests, children...)
	return image, nil
}

// isIndex tells an index, which an image built with provenance is, from a single image.
func isIndex(mediaType string) bool {
	return strings.Contains(mediaType, "manifest.list") || strings.Contains(mediaType, "image.index")
}

// children returns the digests of an index's images: a task reports the one of its platform.
func children(ctx context.Context, client registry, env *environment.Environment, digest string) ([]string, error) {
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &env.Image.Repository,
		ImageIds:       []types.ImageIdentifier{{ImageDigest: &digest}},
		AcceptedMediaTypes: []string{
			"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("read the image index %s: %w", digest, err)
	}
	var digests []string
	for _, found := range out.Images {
		var index struct {
			Manifests []struct {
				Digest string `json:"digest"`
			} `json:"manifests"`
		}
		if err := json.Unmarshal([]byte(aws.ToString(found.ImageManifest)), &index); err != nil {
			return nil, fmt.Errorf("read the image index %s: %w", digest, err)
		}
		for _, m := range index.Manifests {
			digests = append(digests, m.Digest)
		}
	}
	return digests, nil
}

func newestHint(ctx context.Context, client registry, env *environment.Environment) string {
	tags, err := NewestTags(ctx, client, env, newestShown)
	switch {
	case err != nil:
		return "the newest tags could not be listed: " + err.Error()
	case len(tags) == 0:
		return "the repository is empty: push an image first"
	}
	return "the newest tags are " + strings.Join(tags, ", ")
}

// NewestTags returns the tags of the most recently pushed images, the newest first.
func NewestTags(ctx context.Context, client registry, env *environment.Environment, most int) ([]string, error) {
	var details []types.ImageDetail
	pages := ecr.NewDescribeImagesPaginator(client, &ecr.DescribeImagesInput{
		RepositoryName: &env.Image.Repository,
		Filter:         &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the images of %s: %w", env.Image.Repository, err)
		}
		details = append(details, page.ImageDetails...)
	}
	slices.SortStableFunc(details, func(a, b types.ImageDetail) int {
		return aws.ToTime(b.ImagePushedAt).Compare(aws.ToTime(a.ImagePushedAt))
	})
	var tags []string
	for _, detail := range details {
		tags = append(tags, slices.Sorted(slices.Values(detail.ImageTags))...)
	}
	return tags[:min(len(tags), most)], nil
}
