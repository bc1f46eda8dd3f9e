package cloud

import (
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func ecrOperations() []operation {
	return []operation{
		readOp(describeRepositories), readOp(describeImages), readOp(batchGetImage), readOp(describeImageScanFindings),
		readOp(getDownloadURLForLayer),
		writeOp(putImage),
	}
}

func describeRepositories(m model, in *ecr.DescribeRepositoriesInput) (*ecr.DescribeRepositoriesOutput, error) {
	found, missing := m.selectResources(typeRepository, in.RepositoryNames, "name")
	if len(missing) > 0 {
		return nil, m.repositoryNotFound(missing[0])
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribeRepositoriesOutput{NextToken: next}
	for _, r := range found {
		repository := types.Repository{
			CreatedAt: &r.Created, RegistryId: aws.String(m.ID), RepositoryArn: aws.String(r.Text("arn")),
			RepositoryName: aws.String(r.Text("name")), RepositoryUri: aws.String(r.Text("repositoryUrl")),
			ImageTagMutability: mutability(r),
		}
		for _, block := range r.Blocks("imageScanningConfiguration") {
			repository.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: blockBool(block, "scanOnPush")}
		}
		out.Repositories = append(out.Repositories, repository)
	}
	return out, nil
}

func mutability(r *Resource) types.ImageTagMutability {
	if value := r.Text("imageTagMutability"); value != "" {
		return types.ImageTagMutability(value)
	}
	return types.ImageTagMutabilityMutable
}

func (m model) repositoryNotFound(name string) error {
	return &types.RepositoryNotFoundException{Message: aws.String(
		"The repository with name '" + name + "' does not exist in the registry with id '" + m.ID + "'")}
}

// images returns the images of a repository under the current faults: under image-missing only an older image has a tag
// that can be deployed.
func (m model) images(repository string) ([]*Image, error) {
	if m.Find(typeRepository, "name", repository) == nil {
		return nil, m.repositoryNotFound(repository)
	}
	images := m.Registry.Images[repository]
	if !m.faults[faultImageMissing] {
		return images, nil
	}
	config := configOf("", "amd64", time.Unix(0, 0)) // its digest stays the same
	older := manifestOf(m.derive("older image"), config)
	remaining := []*Image{{
		Digest: digestOf(older), Manifest: older, Config: config, Tags: []string{"1.41.6-5d4c3b2a1"}, Pushed: m.now.Add(-72 * time.Hour).Truncate(time.Second),
	}}
	for _, image := range images {
		untagged := *image
		untagged.Tags = slices.DeleteFunc(slices.Clone(image.Tags), func(tag string) bool { return !isReservedTag(tag) })
		remaining = append(remaining, &untagged)
	}
	return remaining, nil
}

// isReservedTag reports whether the deployer sets the tag to mark running images.
func isReservedTag(tag string) bool {
	return strings.HasPrefix(tag, "running-") || strings.HasPrefix(tag, "previous-")
}

func findImage(images []*Image, id types.ImageIdentifier) *Image {
	i := slices.IndexFunc(images, func(image *Image) bool {
		return (id.ImageDigest == nil || *id.ImageDigest == image.Digest) &&
			(id.ImageTag == nil || slices.Contains(image.Tags, *id.ImageTag))
	})
	if i < 0 || id.ImageDigest == nil && id.ImageTag == nil {
		return nil
	}
	return images[i]
}

func (m model) imageNotFound(repository string, id types.ImageIdentifier) error {
	return &types.ImageNotFoundException{Message: aws.String("The image with imageId {imageDigest:'" + deref(id.ImageDigest) +
		"', imageTag:'" + deref(id.ImageTag) + "'} does not exist within the repository with name '" + repository +
		"' in the registry with id '" + m.ID + "'")}
}

func describeImages(m model, in *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	repository := deref(in.RepositoryName)
	images, err := m.images(repository)
	if err != nil {
		return nil, err
	}
	if len(in.ImageIds) > 0 {
		var chosen []*Image
		for _, id := range in.ImageIds {
			image := findImage(images, id)
			if image == nil {
				return nil, m.imageNotFound(repository, id)
			}
			if !slices.Contains(chosen, image) {
				chosen = append(chosen, image)
			}
		}
		images = chosen
	}
	if in.Filter != nil && in.Filter.TagStatus != "" && in.Filter.TagStatus != types.TagStatusAny {
		tagged := in.Filter.TagStatus == types.TagStatusTagged
		images = slices.DeleteFunc(slices.Clone(images), func(i *Image) bool { return (len(i.Tags) > 0) != tagged })
	}
	part, next, err := page(images, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribeImagesOutput{NextToken: next}
	for _, image := range part {
		detail := types.ImageDetail{
			RegistryId: aws.String(m.ID), RepositoryName: in.RepositoryName, ImageDigest: aws.String(image.Digest),
			ImageTags: slices.Clone(image.Tags), ImagePushedAt: aws.Time(image.Pushed), ImageManifestMediaType: aws.String(image.mediaType()),
		}
		if image.mediaType() == mediaManifest {
			// An index is not scanned, and has no size of its own to speak of.
			detail.ImageSizeInBytes, detail.ImageScanStatus = aws.Int64(imageSize), scanStatus()
			detail.ArtifactMediaType = aws.String("application/vnd.docker.container.image.v1+json")
			detail.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{
				FindingSeverityCounts: m.severities(), ImageScanCompletedAt: aws.Time(image.Pushed.Add(time.Minute)),
			}
		}
		out.ImageDetails = append(out.ImageDetails, detail)
	}
	return out, nil
}

func scanStatus() *types.ImageScanStatus {
	return &types.ImageScanStatus{
		Status: types.ScanStatusComplete, Description: aws.String("The scan was completed successfully."),
	}
}

// findings returns the findings of an image scan.
func (m model) findings() []types.ImageScanFinding {
	all := []types.ImageScanFinding{
		{Name: aws.String("CVE-2024-28835"), Severity: types.FindingSeverityMedium, Description: aws.String("gnutls: a crafted certificate chain ends the program")},
		{Name: aws.String("CVE-2023-4039"), Severity: types.FindingSeverityLow, Description: aws.String("gcc: stack protector misses dynamic variables")},
	}
	if m.faults[faultImageVulnerable] {
		all = append([]types.ImageScanFinding{
			{Name: aws.String("CVE-2024-3094"), Severity: types.FindingSeverityCritical, Description: aws.String("xz: malicious code in the library")},
			{Name: aws.String("CVE-2023-38545"), Severity: types.FindingSeverityCritical, Description: aws.String("curl: heap overflow in the SOCKS5 handshake")},
		}, all...)
	}
	return all
}

func (m model) severities() map[string]int32 {
	counts := map[string]int32{}
	for _, finding := range m.findings() {
		counts[string(finding.Severity)]++
	}
	return counts
}

func describeImageScanFindings(m model, in *ecr.DescribeImageScanFindingsInput) (*ecr.DescribeImageScanFindingsOutput, error) {
	images, err := m.images(deref(in.RepositoryName))
	if err != nil {
		return nil, err
	}
	image := findImage(images, deref(in.ImageId))
	if image == nil {
		return nil, m.imageNotFound(deref(in.RepositoryName), deref(in.ImageId))
	}
	findings, next, err := page(m.findings(), in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	return &ecr.DescribeImageScanFindingsOutput{
		RegistryId: aws.String(m.ID), RepositoryName: in.RepositoryName, NextToken: next, ImageScanStatus: scanStatus(),
		ImageId: &types.ImageIdentifier{ImageDigest: aws.String(image.Digest), ImageTag: in.ImageId.ImageTag},
		ImageScanFindings: &types.ImageScanFindings{
			Findings: findings, FindingSeverityCounts: m.severities(), ImageScanCompletedAt: aws.Time(image.Pushed.Add(time.Minute)),
		},
	}, nil
}

// batchGetImage returns images of the media types that the call accepts. An index cannot be converted into another type, so a call that does
// not accept it does not find it.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
func batchGetImage(m model, in *ecr.BatchGetImageInput) (*ecr.BatchGetImageOutput, error) {
	images, err := m.images(deref(in.RepositoryName))
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		image := findImage(images, id)
		if image == nil || image.mediaType() == mediaIndex && !slices.Contains(in.AcceptedMediaTypes, mediaIndex) {
			out.Failures = append(out.Failures, types.ImageFailure{
				ImageId: &id, FailureCode: types.ImageFailureCodeImageNotFound, FailureReason: aws.String("Requested image not found"),
			})
			continue
		}
		out.Images = append(out.Images, m.imageOf(in.RepositoryName, id.ImageTag, image))
	}
	return out, nil
}

// layerHost is the host of the URLs from which layers are downloaded; the account's HTTP client answers for it.
const layerHost = "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com"

// getDownloadURLForLayer returns the URL of a configuration. Layers are not simulated.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
func getDownloadURLForLayer(m model, in *ecr.GetDownloadUrlForLayerInput) (*ecr.GetDownloadUrlForLayerOutput, error) {
	images, err := m.images(deref(in.RepositoryName))
	if err != nil {
		return nil, err
	}
	digest := deref(in.LayerDigest)
	if configOfDigest(images, digest) == "" {
		return nil, &types.LayersNotFoundException{Message: aws.String("The layer with digest '" + digest + "' does not exist within the repository")}
	}
	return &ecr.GetDownloadUrlForLayerOutput{
		LayerDigest: in.LayerDigest, DownloadUrl: aws.String("https://" + layerHost + "/" + deref(in.RepositoryName) + "/" + digest + "?X-Amz-Signature=local"),
	}, nil
}

// configOfDigest returns the configuration with the digest, "" where no image has it.
func configOfDigest(images []*Image, digest string) string {
	i := slices.IndexFunc(images, func(image *Image) bool { return image.Config != "" && digestOf(image.Config) == digest })
	if i < 0 {
		return ""
	}
	return images[i].Config
}

// download answers a request for what getDownloadURLForLayer returned the URL of.
func (a *Account) download(in *http.Request) (*http.Response, error) {
	if in.URL.Host != layerHost {
		return nil, errors.New("local mode does not reach the network")
	}
	repository, digest := path.Split(strings.TrimPrefix(in.URL.Path, "/"))
	response := &http.Response{Request: in, StatusCode: http.StatusNotFound, Status: "404 Not Found", Body: http.NoBody}
	return response, a.View(func(s *State) error {
		if config := configOfDigest(s.Registry.Images[path.Clean(repository)], digest); config != "" {
			response.StatusCode, response.Status, response.Body = http.StatusOK, "200 OK", io.NopCloser(strings.NewReader(config))
		}
		return nil
	})
}

func (m model) imageOf(repository, tag *string, image *Image) types.Image {
	return types.Image{
		RegistryId: aws.String(m.ID), RepositoryName: repository, ImageManifest: aws.String(image.Manifest),
		ImageId:                &types.ImageIdentifier{ImageDigest: aws.String(image.Digest), ImageTag: tag},
		ImageManifestMediaType: aws.String(image.mediaType()),
	}
}

// putImage adds a tag to an existing image; pushing layers is not simulated.
func putImage(m model, in *ecr.PutImageInput) (*ecr.PutImageOutput, error) {
	repository, tag := deref(in.RepositoryName), deref(in.ImageTag)
	r := m.Find(typeRepository, "name", repository)
	if r == nil {
		return nil, m.repositoryNotFound(repository)
	}
	image := m.Registry.byDigest(repository, digestOf(deref(in.ImageManifest)))
	switch {
	case image == nil:
		return nil, &types.LayersNotFoundException{Message: aws.String("One or more layers of the image are not in the repository")}
	case in.ImageDigest != nil && *in.ImageDigest != image.Digest:
		return nil, &types.ImageDigestDoesNotMatchException{Message: aws.String("The image digest does not match its manifest")}
	case tag == "" || slices.Contains(image.Tags, tag):
		return nil, &types.ImageAlreadyExistsException{Message: aws.String("Image with digest '" + image.Digest + "' and tag '" + tag + "' already exists")}
	case mutability(r) == types.ImageTagMutabilityImmutable && m.Registry.byTag(repository, tag) != nil:
		return nil, &types.ImageTagAlreadyExistsException{Message: aws.String("The image tag '" + tag + "' already exists and is immutable")}
	}
	m.Registry.tag(repository, tag, image)
	out := m.imageOf(in.RepositoryName, in.ImageTag, image)
	return &ecr.PutImageOutput{Image: &out}, nil
}
