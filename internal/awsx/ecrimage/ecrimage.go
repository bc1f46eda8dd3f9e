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
	Findings
}

// Digests returns all digests under which a task may report the image: its own and those of its platforms.
func (i *Image) Digests() []string {
	return append([]string{aws.ToString(i.ImageDigest)}, i.Platforms...)
}

// Findings counts what the vulnerability scans found.
type Findings struct {
	// Scanned reports whether any scan has a result. Without one the counts are 0 and mean nothing.
	Scanned        bool
	Critical, High int
	// Status and Description are AWS's, of an image without a result; "" where no scan began.
	Status      types.ScanStatus
	Description string
}

// Find resolves a tag or a digest. An index is never scanned, so its findings are those of the images that it lists. An image that is
// not there is an *types.ImageNotFoundException.
func Find(ctx context.Context, client Client, repository, tagOrDigest string) (*Image, error) {
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
		if image.Index = indexes[digest]; len(image.Platforms) > 0 {
			children, err := Describe(ctx, client, repository, image.Platforms...)
			// An index can outlive its images. Only its findings are unknown then.
			if missing := (*types.ImageNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
				return nil, err
			}
			details = append(details, children...)
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

func countFindings(details []types.ImageDetail) Findings {
	var found Findings
	for _, detail := range details {
		summary := detail.ImageScanFindingsSummary
		if status := detail.ImageScanStatus; status != nil && summary == nil && !IsIndex(detail) {
			found.Status, found.Description = status.Status, aws.ToString(status.Description)
		}
		if summary != nil {
			found.Scanned = true
			found.Critical += int(summary.FindingSeverityCounts[string(types.FindingSeverityCritical)])
			found.High += int(summary.FindingSeverityCounts[string(types.FindingSeverityHigh)])
		}
	}
	return found
}
