package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Image is an image of the registry: its tag resolved to a digest, which is what is deployed.
type Image struct {
	history.Image
	// Digests are all digests under which a task may report it: its own and, for an index, those of its platforms.
	Digests []string
	// Findings are those of its scan; of an index, those of the image that the tasks run.
	ecrimage.Findings
	// Platforms are what it is built for, such as linux/amd64, where it is an index that names them.
	Platforms []string
	// runs is the digest of the image of an index that the tasks run; "" of a single image.
	runs string
	// Empty reports an index that lists no image.
	Empty bool
	// Pushed is when it was pushed to the registry.
	Pushed time.Time
}

// MissingImageError reports that the registry does not have an image.
type MissingImageError struct {
	Repository, TagOrDigest string
}

func (e *MissingImageError) Error() string {
	separator := ":"
	if ecrimage.IsDigest(e.TagOrDigest) {
		separator = "@"
	}
	return fmt.Sprintf("the image %s%s%s does not exist", e.Repository, separator, e.TagOrDigest)
}

// maxTagsShown is how many tags are listed when one is missing.
const maxTagsShown = 5

// tagPattern matches what a container registry accepts as a tag.
// Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
var tagPattern = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// digestPattern matches the digest of an image.
// Source: https://github.com/opencontainers/image-spec/blob/main/descriptor.md#sha-256
var digestPattern = lazyregexp.New(`^sha256:[0-9a-f]{64}$`)

// ValidImage reports whether a registry could have an image of the name: a tag, a digest or its beginning, or TAG@DIGEST, whose digest is whole:
// it is what was approved.
func ValidImage(name string) bool {
	if shortDigest.MatchString(name) {
		return true
	}
	tag, digest := SplitImage(name)
	return (tag != "" || digest != "") && (tag == "" || tagPattern.MatchString(tag)) && (digest == "" || digestPattern.MatchString(digest))
}

// SplitImage returns the tag and the digest of an image's name: a tag, a digest, or TAG@DIGEST.
func SplitImage(name string) (tag, digest string) {
	if ecrimage.IsDigest(name) {
		return "", name
	}
	tag, digest, pinned := strings.Cut(name, "@")
	if pinned && (tag == "" || digest == "") {
		return name, "" // what no registry has
	}
	return tag, digest
}

// MovedTagError reports that a tag names another image than the one that was approved with it.
type MovedTagError struct {
	// Repository and Tag name the image; Approved and Current are digests.
	Repository, Tag, Approved, Current string
}

func (e *MovedTagError) Error() string {
	return fmt.Sprintf("%s:%s was %s when it was approved, and is %s now: the tag was moved", e.Repository, e.Tag, e.Approved, e.Current)
}

// Hint returns how to deploy either image.
func (e *MovedTagError) Hint() string {
	return fmt.Sprintf("find out who pushed it; deploy what was approved with --image-tag %s, or have %s@%s approved", e.Approved, e.Tag, e.Current)
}

// FindImage resolves a tag, a digest, the beginning of a digest, or TAG@DIGEST in the environment's repository. The hint of a *MissingImageError
// lists the newest tags. A tag that no longer has the digest is a *MovedTagError, a beginning of several digests an *AmbiguousDigestError.
func FindImage(ctx context.Context, client ecrimage.Client, env *environment.Environment, name string) (*Image, error) {
	tag, digest := SplitImage(name)
	if digest != "" && tag == "" && !digestPattern.MatchString(digest) && shortDigest.MatchString(digest) {
		whole, err := wholeDigest(ctx, client, env, digest)
		if err != nil {
			return nil, err
		}
		digest = cmp.Or(whole, digest)
	}
	image, err := findImage(ctx, client, env, cmp.Or(tag, digest))
	if missing := (*MissingImageError)(nil); errors.As(err, &missing) && digest == "" && shortDigest.MatchString(tag) {
		whole, listErr := wholeDigest(ctx, client, env, tag)
		if listErr != nil || whole == "" {
			return nil, cmp.Or(listErr, err)
		}
		return findImage(ctx, client, env, whole)
	}
	if err == nil && digest != "" && image.Digest != digest {
		return nil, &MovedTagError{Repository: env.Image.Repository, Tag: tag, Approved: digest, Current: image.Digest}
	}
	return image, err
}

// findImage resolves a tag or a digest.
func findImage(ctx context.Context, client ecrimage.Client, env *environment.Environment, tagOrDigest string) (*Image, error) {
	found, err := ecrimage.Find(ctx, client, env.Image.Repository, env.Platform(), tagOrDigest)
	var noImage *types.ImageNotFoundException
	var noRepository *types.RepositoryNotFoundException
	switch {
	case errors.As(err, &noImage):
		return nil, hint.With(&MissingImageError{env.Image.Repository, tagOrDigest}, newestTagsHint(ctx, client, env))
	case errors.As(err, &noRepository):
		return nil, missingRepository(env)
	case err != nil:
		return nil, fmt.Errorf("look up the image %s:%s: %w", env.Image.Repository, tagOrDigest, err)
	}
	digest := aws.ToString(found.ImageDigest)
	image := &Image{
		Image:   history.Image{Tag: tagOrDigest, Digest: digest, Reference: env.ImageReference(digest)},
		Digests: found.Digests(), Findings: found.Findings, Platforms: found.Names, Empty: found.Empty(), Pushed: aws.ToTime(found.ImagePushedAt),
	}
	if run := found.For(env.Platform()); len(run) > 0 {
		image.runs = run[0]
	}
	if tagOrDigest == digest {
		image.Tag = cmp.Or(preferredTag(found.ImageTags), awsx.ShortDigest(digest))
	}
	return image, nil
}

func missingRepository(env *environment.Environment) error {
	return hint.With(
		fmt.Errorf("the image repository %s does not exist in account %s, %s", env.Image.Repository, env.Account, env.Region),
		"run `deployer bootstrap`, which creates it once per account, or check the region")
}

// newestTagsHint lists the tags of the most recently pushed images, the newest first.
func newestTagsHint(ctx context.Context, client ecrimage.Client, env *environment.Environment) string {
	details, err := listImages(ctx, client, env, &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged})
	switch {
	case err != nil:
		return "the newest tags could not be listed: " + err.Error()
	case len(details) == 0:
		return "the repository is empty: push an image first"
	}
	details = list.Filter(details, func(detail types.ImageDetail) bool { return !isRunningTag(preferredTag(detail.ImageTags)) })
	if len(details) == 0 {
		return "the repository has no tag but those that the deployer sets: push an image first"
	}
	slices.SortStableFunc(details, func(a, b types.ImageDetail) int {
		return aws.ToTime(b.ImagePushedAt).Compare(aws.ToTime(a.ImagePushedAt))
	})
	newest := details[:min(len(details), maxTagsShown)]
	tags := list.Map(newest, func(detail types.ImageDetail) string { return preferredTag(detail.ImageTags) })
	return "the newest " + text.PluralWord(len(tags), "tag is ", "tags are ") + strings.Join(tags, ", ")
}

// listImages describes the images of the environment's repository, of all pages.
func listImages(
	ctx context.Context, client ecrimage.Client, env *environment.Environment, filter *types.DescribeImagesFilter,
) ([]types.ImageDetail, error) {
	var details []types.ImageDetail
	pages := ecr.NewDescribeImagesPaginator(client, &ecr.DescribeImagesInput{RepositoryName: &env.Image.Repository, Filter: filter})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if noRepository := (*types.RepositoryNotFoundException)(nil); errors.As(err, &noRepository) {
			return nil, missingRepository(env)
		}
		if err != nil {
			return nil, fmt.Errorf("list the images of %s: %w", env.Image.Repository, err)
		}
		details = append(details, page.ImageDetails...)
	}
	return details, nil
}

// preferredTag returns a tag that does not move from image to image, where there is one.
func preferredTag(tags []string) string {
	sorted := slices.Sorted(slices.Values(tags))
	for _, unwanted := range []func(string) bool{isMoving, isRunningTag} {
		if i := slices.IndexFunc(sorted, func(tag string) bool { return !unwanted(tag) }); i >= 0 {
			return sorted[i]
		}
	}
	return slices.Max(append(sorted, ""))
}

// releaseTag returns the tag that names an image of a deployment: the recorded one, unless that moves and the registry has one that does not.
func releaseTag(recorded, registered string) string {
	if recorded == "" || isMoving(recorded) && tagPattern.MatchString(registered) && !isMoving(registered) {
		return registered
	}
	return recorded
}

// NameInCommand returns what names the image of a deployment in a command that is printed: a tag that does not move, where the record or
// the registry has one, else the digest. A tag that moves may name another image by the time that someone runs the command.
func NameInCommand(ctx context.Context, client ecrimage.Client, env *environment.Environment, recorded history.Image) string {
	if recorded.Tag != "" && !isMoving(recorded.Tag) && tagPattern.MatchString(recorded.Tag) {
		return recorded.Tag
	}
	found, err := FindImage(ctx, client, env, recorded.Digest)
	if err != nil {
		return recorded.Digest
	}
	if tag := releaseTag(recorded.Tag, found.Tag); tagPattern.MatchString(tag) && !isMoving(tag) {
		return tag
	}
	return recorded.Digest
}

// isMoving reports whether a tag moves from image to image: latest, <env>-latest, and those that tagRunningImage sets.
func isMoving(tag string) bool {
	return strings.HasSuffix(tag, "latest") || isRunningTag(tag)
}

// isRunningTag reports whether tagRunningImage sets the tag.
func isRunningTag(tag string) bool {
	return strings.HasPrefix(tag, environment.RunningTag("")) || strings.HasPrefix(tag, environment.PreviousTag(""))
}

// tagRunningImage tags the running image and its predecessor in the registry, whose lifecycle policy keeps images with these tags.
// A failure is a warning: the image stays until the policy's limit.
func (d *deployment) tagRunningImage(ctx context.Context, log phaseLog) {
	client, env := ecr.NewFromConfig(d.deps.AWS), d.deps.Env
	running := environment.RunningTag(env.Name)
	previous, err := FindImage(ctx, client, env, running)
	switch {
	case err == nil && previous.Digest == d.image.Digest:
		return
	case err == nil:
		err = tagImage(ctx, client, env, previous.Digest, environment.PreviousTag(env.Name))
	default:
		// Nothing has the tag yet; where the registry cannot be reached, the next call reports it.
		err = nil
	}
	if err = errors.Join(err, tagImage(ctx, client, env, d.image.Digest, running)); err != nil {
		d.warn(log, "the registry may expire the running image: "+err.Error())
	}
}

// tagImage moves a tag to an image by putting its manifest again.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
func tagImage(ctx context.Context, client *ecr.Client, env *environment.Environment, digest, tag string) error {
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &env.Image.Repository, ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
		AcceptedMediaTypes: ecrimage.ManifestTypes(),
	})
	if err == nil && len(out.Images) == 0 {
		err = errors.New("the registry returned none")
	}
	if err != nil {
		return fmt.Errorf("read the manifest of %s: %w", awsx.ShortDigest(digest), err)
	}
	_, err = client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: &env.Image.Repository, ImageTag: aws.String(tag),
		ImageManifest: out.Images[0].ImageManifest, ImageManifestMediaType: out.Images[0].ImageManifestMediaType,
	})
	var already *types.ImageAlreadyExistsException
	if err != nil && !errors.As(err, &already) {
		return fmt.Errorf("tag %s as %s: %w", awsx.ShortDigest(digest), tag, err)
	}
	return nil
}
