package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/environment"
)

// StoredImage is an image of the repository. The images and attestations of an index belong to it and are not listed.
type StoredImage struct {
	Digest string    `json:"digest"`
	Tags   []string  `json:"tags"`
	Pushed time.Time `json:"pushed"`
	// SizeBytes is the compressed size; of an index that of its images.
	SizeBytes int64 `json:"sizeBytes"`
	// Scanned says that there are findings of a scan, or that it found none; Findings counts them by severity.
	Scanned  bool           `json:"scanned"`
	Findings map[string]int `json:"findings"`
	// Index lists the digests of an index's images, one a platform.
	Index []string `json:"index,omitempty"`
	// Runs is where the image runs.
	Runs []Run `json:"runs"`
}

// Run is an environment whose tasks run an image.
type Run struct {
	Environment string           `json:"environment"`
	Role        environment.Role `json:"role"`
	Service     string           `json:"service"`
	Tasks       int              `json:"tasks"`
}

// Names are the image's tags without the marks of what runs: those that stay with it first, then those that move.
func (i StoredImage) Names() []string {
	names := slices.DeleteFunc(slices.Clone(i.Tags), isRunningTag)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(last(isMoving(a)), last(isMoving(b))) })
	return names
}

func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

// StoredImages returns the images of the environment's repository, the newest first.
func StoredImages(ctx context.Context, client registry, env *environment.Environment) ([]StoredImage, error) {
	var details []types.ImageDetail
	pages := ecr.NewDescribeImagesPaginator(client, &ecr.DescribeImagesInput{RepositoryName: &env.Image.Repository})
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
	listed, err := indexes(ctx, client, env, details)
	if err != nil {
		return nil, err
	}
	return stored(details, listed), nil
}

// indexes reads what the indexes among the images list, by the index's digest.
func indexes(ctx context.Context, client registry, env *environment.Environment, details []types.ImageDetail) (map[string]index, error) {
	var ids []types.ImageIdentifier
	for _, detail := range details {
		if isIndex(aws.ToString(detail.ImageManifestMediaType)) {
			ids = append(ids, types.ImageIdentifier{ImageDigest: detail.ImageDigest})
		}
	}
	listed := map[string]index{}
	for batch := range slices.Chunk(ids, manifestsAtOnce) {
		found, err := readIndexes(ctx, client, env, batch)
		if err != nil {
			return nil, err
		}
		for digest, one := range found {
			listed[digest] = one
		}
	}
	return listed, nil
}

// manifestsAtOnce is how many manifests one call returns.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
const manifestsAtOnce = 100

// stored puts images together with what their indexes list.
func stored(details []types.ImageDetail, listed map[string]index) []StoredImage {
	byDigest := map[string]types.ImageDetail{}
	for _, detail := range details {
		byDigest[aws.ToString(detail.ImageDigest)] = detail
	}
	inner := map[string]bool{}
	for _, one := range listed {
		for _, entry := range one.Manifests {
			inner[entry.Digest] = true
		}
	}
	var images []StoredImage
	for _, detail := range details {
		digest := aws.ToString(detail.ImageDigest)
		if inner[digest] && len(detail.ImageTags) == 0 {
			continue
		}
		image := StoredImage{
			Digest: digest, Tags: slices.Sorted(slices.Values(detail.ImageTags)), Pushed: aws.ToTime(detail.ImagePushedAt).UTC(),
			Findings: map[string]int{}, Index: listed[digest].platforms(), Runs: []Run{},
		}
		image.add(detail)
		for _, child := range image.Index {
			image.add(byDigest[child])
		}
		images = append(images, image)
	}
	slices.SortStableFunc(images, func(a, b StoredImage) int {
		return cmp.Or(b.Pushed.Compare(a.Pushed), cmp.Compare(a.Digest, b.Digest))
	})
	return images
}

// add counts size and findings of the image itself or of one that it lists.
func (i *StoredImage) add(detail types.ImageDetail) {
	i.SizeBytes += aws.ToInt64(detail.ImageSizeInBytes)
	if summary := detail.ImageScanFindingsSummary; summary != nil {
		i.Scanned = true
		for severity, n := range summary.FindingSeverityCounts {
			i.Findings[severity] += int(n)
		}
	}
}

// AddRuns notes where images run.
func AddRuns(images []StoredImage, env *environment.Environment, running []RunningImage) {
	for _, one := range running {
		i := slices.IndexFunc(images, func(image StoredImage) bool {
			return image.Digest == one.Digest || image.Digest == one.Reported || slices.Contains(image.Index, one.Reported)
		})
		if i >= 0 {
			images[i].Runs = append(images[i].Runs, Run{env.Stack, one.Role, one.Service, one.Tasks})
		}
	}
}
