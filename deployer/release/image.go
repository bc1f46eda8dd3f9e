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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// Image is an image that exists: its tag resolved to a digest, which is what gets deployed.
type Image struct {
	history.Image
	// Digests are all digests under which a task may report it: its own and, where it is an index, its children's.
	Digests []string
	// Critical is the number of critical findings of its scan; Scanned says whether there is one.
	Critical int
	Scanned  bool
	// Pushed is when it came into the registry.
	Pushed time.Time
}

// MissingImageError says that the registry does not have an image.
type MissingImageError struct {
	Repository, TagOrDigest string
}

func (e *MissingImageError) Error() string {
	separator := ":"
	if strings.HasPrefix(e.TagOrDigest, "sha256:") {
		separator = "@"
	}
	return fmt.Sprintf("the image %s%s%s does not exist", e.Repository, separator, e.TagOrDigest)
}

// maxTagsShown is how many tags are named when one is missing.
const maxTagsShown = 5

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
		return nil, hint.With(&MissingImageError{env.Image.Repository, tagOrDigest}, newestHint(ctx, client, env))
	case errors.As(err, &noRepository):
		return nil, missingRepository(env)
	case err != nil:
		return nil, fmt.Errorf("look up the image %s:%s: %w", env.Image.Repository, tagOrDigest, err)
	case len(out.ImageDetails) != 1:
		return nil, fmt.Errorf("the registry answered with %d images for %s", len(out.ImageDetails), tagOrDigest)
	}
	return describeImage(ctx, client, env, tagOrDigest, out.ImageDetails[0])
}

func missingRepository(env *environment.Environment) error {
	return hint.With(
		fmt.Errorf("there is no image repository %s in account %s, %s", env.Image.Repository, env.Account, env.Region),
		"`deployer bootstrap` makes it, once an account; or the region is not the environment's")
}

func describeImage(
	ctx context.Context, client registry, env *environment.Environment, tag string, detail types.ImageDetail,
) (*Image, error) {
	digest := aws.ToString(detail.ImageDigest)
	image := &Image{
		Image:   history.Image{Tag: tag, Digest: digest, Reference: env.ImageReference(digest)},
		Digests: []string{digest},
		Pushed:  aws.ToTime(detail.ImagePushedAt),
	}
	if tag == digest {
		image.Tag = cmp.Or(preferredTag(detail.ImageTags), shortDigest(digest))
	}
	if summary := detail.ImageScanFindingsSummary; summary != nil {
		image.Scanned = true
		image.Critical = int(summary.FindingSeverityCounts[string(types.FindingSeverityCritical)])
	}
	if !isIndex(aws.ToString(detail.ImageManifestMediaType)) {
		return image, nil
	}
	read, err := readIndexes(ctx, client, env, []types.ImageIdentifier{{ImageDigest: &digest}})
	children := read[digest].platforms()
	if err != nil || len(children) == 0 {
		return image, err
	}
	image.Digests = append(image.Digests, children...)
	return image, image.scanChildren(ctx, client, env, children)
}

// scanChildren takes the findings of an index from the images that it lists: an index itself is never scanned.
func (i *Image) scanChildren(ctx context.Context, client registry, env *environment.Environment, digests []string) error {
	var ids []types.ImageIdentifier
	for _, digest := range digests {
		ids = append(ids, types.ImageIdentifier{ImageDigest: &digest})
	}
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &env.Image.Repository, ImageIds: ids})
	if err != nil {
		return fmt.Errorf("look at the images of the index %s: %w", i.Digest, err)
	}
	for _, child := range out.ImageDetails {
		if summary := child.ImageScanFindingsSummary; summary != nil {
			i.Scanned = true
			i.Critical += int(summary.FindingSeverityCounts[string(types.FindingSeverityCritical)])
		}
	}
	return nil
}

// isIndex tells an index, which an image built with provenance is, from a single image.
func isIndex(mediaType string) bool {
	return strings.Contains(mediaType, "manifest.list") || strings.Contains(mediaType, "image.index")
}

// manifestTypes are the forms in which an image or an index may be stored. The registry gives back what is stored only
// to those who accept its form.
func manifestTypes() []string {
	return []string{
		"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
	}
}

// index is what an image index lists.
type index struct {
	Manifests []struct {
		Digest   string `json:"digest"`
		Platform struct {
			OS string `json:"os"`
		} `json:"platform"`
	} `json:"manifests"`
}

// platforms are the digests of the index's images. Attestations are listed for an unknown platform, and run nowhere.
func (i index) platforms() []string {
	var digests []string
	for _, m := range i.Manifests {
		if m.Platform.OS != "unknown" {
			digests = append(digests, m.Digest)
		}
	}
	return digests
}

// readIndexes reads image indexes in one call, by digest.
func readIndexes(
	ctx context.Context, client registry, env *environment.Environment, ids []types.ImageIdentifier,
) (map[string]index, error) {
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &env.Image.Repository, ImageIds: ids, AcceptedMediaTypes: manifestTypes(),
	})
	if err != nil {
		return nil, fmt.Errorf("read the image index %s: %w", aws.ToString(ids[0].ImageDigest), err)
	}
	read := map[string]index{}
	for _, found := range out.Images {
		digest := ""
		if found.ImageId != nil {
			digest = aws.ToString(found.ImageId.ImageDigest)
		}
		var one index
		if err := json.Unmarshal([]byte(aws.ToString(found.ImageManifest)), &one); err != nil {
			return nil, fmt.Errorf("read the image index %s: %w", digest, err)
		}
		read[digest] = one
	}
	return read, nil
}

func newestHint(ctx context.Context, client registry, env *environment.Environment) string {
	tags, err := NewestTags(ctx, client, env, maxTagsShown)
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
		tags = append(tags, preferredTag(detail.ImageTags))
	}
	return tags[:min(len(tags), most)], nil
}

// preferredTag is the tag that people know an image by: one that does not move, where it has one.
func preferredTag(tags []string) string {
	sorted := slices.Sorted(slices.Values(tags))
	if i := slices.IndexFunc(sorted, func(tag string) bool { return !isMoving(tag) }); i >= 0 {
		return sorted[i]
	}
	return cmp.Or(slices.Max(append(sorted, "")), "")
}

// isMoving reports whether a tag goes from image to image: latest, <env>-latest, and the marks of what runs.
func isMoving(tag string) bool {
	return strings.HasSuffix(tag, "latest") || isRunningTag(tag)
}

// isRunningTag reports whether a tag marks what an environment runs or ran.
func isRunningTag(tag string) bool {
	return strings.HasPrefix(tag, environment.RunningTag("")) || strings.HasPrefix(tag, environment.PreviousTag(""))
}
