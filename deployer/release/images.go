package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// StoredImage is an image of the repository. The images and attestations of an index belong to it and are not listed.
type StoredImage struct {
	Digest string    `json:"digest"`
	Tags   []string  `json:"tags"`
	Pushed time.Time `json:"pushed"`
	// SizeBytes is the compressed size; of an index that of its images.
	SizeBytes int64 `json:"sizeBytes"`
	// Scanned reports whether the scan has a result; Findings counts its findings by severity. Of an index they are those of the
	// image that the tasks run.
	Scanned  bool           `json:"scanned"`
	Findings map[string]int `json:"findings"`
	// ScanStatus and ScanDescription are AWS's, of a scan without a result; "" where none began.
	ScanStatus      types.ScanStatus `json:"scanStatus,omitempty"`
	ScanDescription string           `json:"scanDescription,omitempty"`
	// Index lists the digests of an index's images, one a platform.
	Index []string `json:"index,omitempty"`
	// Runs lists where the image runs, Verified the environments that verified it healthy.
	Runs     []Run    `json:"runs"`
	Verified []string `json:"verified"`
}

// Run is an environment whose tasks run an image.
type Run struct {
	Environment string           `json:"environment"`
	Role        environment.Role `json:"role"`
	Service     string           `json:"service"`
	Tasks       int              `json:"tasks"`
}

// Names returns the image's tags without those that tagRunningImage sets, permanent ones first.
func (i StoredImage) Names() []string {
	var permanent, moving []string
	for _, tag := range i.Tags {
		switch {
		case isRunningTag(tag):
		case isMoving(tag):
			moving = append(moving, tag)
		default:
			permanent = append(permanent, tag)
		}
	}
	return append(permanent, moving...)
}

// StoredImages returns the images of the environment's repository, the newest first.
func StoredImages(ctx context.Context, client ecrimage.Client, env *environment.Environment) ([]StoredImage, error) {
	details, err := listImages(ctx, client, env, nil)
	if err != nil {
		return nil, err
	}
	digests := list.Map(list.Filter(details, ecrimage.IsIndex), func(index types.ImageDetail) string { return aws.ToString(index.ImageDigest) })
	indexes, err := ecrimage.Indexes(ctx, client, env.Image.Repository, digests...)
	if err != nil {
		return nil, fmt.Errorf("read the image indexes of %s: %w", env.Image.Repository, err)
	}
	return storedImages(details, indexes, env.Platform()), nil
}

// storedImages expects platform to be that of the tasks, whose image of an index has the findings.
func storedImages(details []types.ImageDetail, indexes map[string]ecrimage.Index, platform string) []StoredImage {
	byDigest := map[string]types.ImageDetail{}
	for _, detail := range details {
		byDigest[aws.ToString(detail.ImageDigest)] = detail
	}
	children := map[string]bool{}
	for _, index := range indexes {
		for _, digest := range slices.Concat(index.Platforms, index.Attestations) {
			children[digest] = true
		}
	}
	var images []StoredImage
	for _, detail := range details {
		digest := aws.ToString(detail.ImageDigest)
		if children[digest] && len(detail.ImageTags) == 0 {
			continue
		}
		image := StoredImage{
			Digest: digest, Tags: slices.Sorted(slices.Values(detail.ImageTags)), Pushed: aws.ToTime(detail.ImagePushedAt).UTC(),
			Findings: map[string]int{}, Index: indexes[digest].Platforms, Runs: []Run{}, Verified: []string{},
		}
		image.SizeBytes = aws.ToInt64(detail.ImageSizeInBytes)
		for _, child := range image.Index {
			image.SizeBytes += aws.ToInt64(byDigest[child].ImageSizeInBytes)
		}
		run := []types.ImageDetail{detail}
		if ecrimage.IsIndex(detail) {
			run = list.Map(indexes[digest].For(platform), func(child string) types.ImageDetail { return byDigest[child] })
		}
		image.addFindings(run)
		images = append(images, image)
	}
	slices.SortStableFunc(images, func(a, b StoredImage) int {
		return cmp.Or(b.Pushed.Compare(a.Pushed), cmp.Compare(a.Digest, b.Digest))
	})
	return images
}

// addFindings adds the findings of images of which a task may run any, if each was scanned.
func (i *StoredImage) addFindings(run []types.ImageDetail) {
	unscanned := func(detail types.ImageDetail) bool { return detail.ImageScanFindingsSummary == nil }
	if i.Scanned = len(run) > 0 && !slices.ContainsFunc(run, unscanned); !i.Scanned {
		for _, detail := range list.Filter(run, unscanned) {
			if status := detail.ImageScanStatus; status != nil && !ecrimage.IsIndex(detail) {
				i.ScanStatus, i.ScanDescription = status.Status, aws.ToString(status.Description)
			}
		}
		return
	}
	for _, detail := range run {
		for severity, n := range detail.ImageScanFindingsSummary.FindingSeverityCounts {
			i.Findings[severity] += int(n)
		}
	}
}

// AddVerified adds to the images that the records of an environment verified it healthy.
func AddVerified(images []StoredImage, env *environment.Environment, records []history.Deployment) {
	for i := range images {
		if history.HasVerified(records, images[i].Digest) {
			images[i].Verified = append(images[i].Verified, env.Stack)
		}
	}
}

// AddRuns adds to the images where an environment runs them.
func AddRuns(images []StoredImage, env *environment.Environment, running []RunningImage) {
	for _, r := range running {
		i := slices.IndexFunc(images, func(image StoredImage) bool {
			return image.Digest == r.Digest || image.Digest == r.Reported || slices.Contains(image.Index, r.Reported)
		})
		if i >= 0 {
			images[i].Runs = append(images[i].Runs, Run{env.Stack, r.Role, r.Service, r.Tasks})
		}
	}
}
