// Package ecrimage resolves images of an ECR repository: their digest, the platforms of an index, and the findings of their scans.
package ecrimage

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Client is the part of ECR that finds images.
type Client interface {
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
	BatchGetImage(context.Context, *ecr.BatchGetImageInput, ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error)
}

// Image is an image or an index of the repository.
type Image struct {
	types.ImageDetail
	// Index is what an index lists; a single image lists nothing.
	Index
	// Findings are those of the image that the tasks run.
	Findings
}

// Empty reports whether the image is an index that lists no image, so that no task can run it.
func (i *Image) Empty() bool { return i.Read && len(i.Platforms) == 0 }

// Digests returns all digests under which a task may report the image: its own and those of its platforms.
func (i *Image) Digests() []string {
	return append([]string{aws.ToString(i.ImageDigest)}, i.Platforms...)
}

// Findings counts what the vulnerability scans found.
type Findings struct {
	// Scanned reports whether the scan has a result. Without one the counts are 0 and mean nothing.
	Scanned        bool
	Critical, High int
	// Status and Description are AWS's, of an image without a result; "" where no scan began.
	Status      types.ScanStatus
	Description string
}

// Find resolves a tag or a digest. An index is never scanned, so its findings are those of the image that it lists for the platform
// of the tasks. An image that is not there is an *types.ImageNotFoundException.
func Find(ctx context.Context, client Client, repository, platform, tagOrDigest string) (*Image, error) {
	details, err := Describe(ctx, client, repository, tagOrDigest)
	if err != nil {
		return nil, err
	}
	if len(details) == 0 {
		return nil, &types.ImageNotFoundException{Message: aws.String(tagOrDigest + " is not in " + repository)}
	}
	image := &Image{ImageDetail: details[0]}
	if IsIndex(image.ImageDetail) {
		digest := aws.ToString(image.ImageDigest)
		indexes, err := Indexes(ctx, client, repository, digest)
		if err != nil {
			return nil, err
		}
		image.Index, details = indexes[digest], nil
		if run := image.For(platform); len(run) > 0 {
			details, err = Describe(ctx, client, repository, run...)
			// An index can outlive its images. Only its findings are unknown then.
			if missing := (*types.ImageNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
				return nil, err
			}
		}
	}
	image.Findings = countFindings(details)
	return image, nil
}

// Describe describes images of a repository, each given by a tag or a digest, in one call. ECR refuses the call where one of them is
// not there.
func Describe(ctx context.Context, client Client, repository string, tagsOrDigests ...string) ([]types.ImageDetail, error) {
	var ids []types.ImageIdentifier
	for _, name := range tagsOrDigests {
		if IsDigest(name) {
			ids = append(ids, types.ImageIdentifier{ImageDigest: aws.String(name)})
		} else {
			ids = append(ids, types.ImageIdentifier{ImageTag: aws.String(name)})
		}
	}
	out, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &repository, ImageIds: ids})
	if err != nil {
		return nil, err
	}
	return out.ImageDetails, nil
}

// IsDigest reports whether a name is a digest, not a tag.
func IsDigest(name string) bool { return strings.HasPrefix(name, "sha256:") }

// countFindings counts the findings of images of which a task may run any: they are scanned where each has a result.
func countFindings(details []types.ImageDetail) Findings {
	found := Findings{Scanned: len(details) > 0}
	for _, detail := range details {
		if summary := detail.ImageScanFindingsSummary; summary != nil {
			found.Critical += int(summary.FindingSeverityCounts[string(types.FindingSeverityCritical)])
			found.High += int(summary.FindingSeverityCounts[string(types.FindingSeverityHigh)])
			continue
		}
		found.Scanned = false
		if status := detail.ImageScanStatus; status != nil {
			found.Status, found.Description = status.Status, aws.ToString(status.Description)
		}
	}
	if !found.Scanned {
		found.Critical, found.High = 0, 0
	}
	return found
}
