package checks

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
)

func readRepository(ctx context.Context, rc *runContext) (*ecrtypes.Repository, error) {
	return cached(ctx, &rc.cache, "repository", func(ctx context.Context) (*ecrtypes.Repository, error) {
		out, err := ecr.NewFromConfig(rc.aws()).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
			RepositoryNames: []string{rc.env.Image.Repository},
		})
		if hasCode(err, "RepositoryNotFoundException") {
			return nil, nil
		}
		if err != nil || len(out.Repositories) == 0 {
			return nil, err
		}
		return &out.Repositories[0], nil
	})
}

func checkRepository(ctx context.Context, rc *runContext) ([]Finding, error) {
	repository, err := readRepository(ctx, rc)
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateRepository(repository, rc.env)}, nil
}

func evaluateRepository(repository *ecrtypes.Repository, env *environment.Environment) Finding {
	f := newFinding("image_repository", "ECR-Repository-"+env.Image.Repository)
	if repository == nil {
		return f.error("RepositoryMissing", sharedHint("the account was never bootstrapped, or the repository was deleted"),
			"there is no image repository %s", env.Image.Repository)
	}
	scans := repository.ImageScanningConfiguration != nil && repository.ImageScanningConfiguration.ScanOnPush
	f = f.with("uri", aws.ToString(repository.RepositoryUri)).with("scan_on_push", scans).
		with("tag_mutability", string(repository.ImageTagMutability))
	if !scans {
		return f.warning("ScanOff", sharedHint("the setting was changed by hand"), "images are not scanned when they are pushed")
	}
	return f.healthy("RepositoryExists", "%s, scanned on push", env.Image.Repository)
}

// scannedImage is an image of the registry, with the findings of its children where it is an index.
type scannedImage struct {
	ecrtypes.ImageDetail
	critical, high int32
	scanned        bool
}

// readImage returns the image of a digest, nil when the registry does not have it.
func readImage(ctx context.Context, rc *runContext, digest string) (*scannedImage, error) {
	return cached(ctx, &rc.cache, "image "+digest, func(ctx context.Context) (*scannedImage, error) {
		details, err := describeImages(ctx, rc, []string{digest})
		if err != nil || len(details) == 0 {
			return nil, err
		}
		image := scannedImage{ImageDetail: details[0]}
		scans := details
		if isIndex(details[0]) {
			// An index is never scanned; what it lists is.
			if children, err := childDigests(ctx, rc, digest); err == nil && len(children) > 0 {
				if scans, err = describeImages(ctx, rc, children); err != nil {
					return nil, err
				}
			}
		}
		for _, scan := range scans {
			if summary := scan.ImageScanFindingsSummary; summary != nil {
				image.scanned = true
				image.critical += summary.FindingSeverityCounts[string(ecrtypes.FindingSeverityCritical)]
				image.high += summary.FindingSeverityCounts[string(ecrtypes.FindingSeverityHigh)]
			}
		}
		return &image, nil
	})
}

func describeImages(ctx context.Context, rc *runContext, digests []string) ([]ecrtypes.ImageDetail, error) {
	var ids []ecrtypes.ImageIdentifier
	for _, digest := range digests {
		ids = append(ids, ecrtypes.ImageIdentifier{ImageDigest: aws.String(digest)})
	}
	out, err := ecr.NewFromConfig(rc.aws()).DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: aws.String(rc.env.Image.Repository), ImageIds: ids,
	})
	if hasCode(err, "ImageNotFoundException", "RepositoryNotFoundException") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.ImageDetails, nil
}

func isIndex(image ecrtypes.ImageDetail) bool {
	media := aws.ToString(image.ImageManifestMediaType)
	return strings.Contains(media, "image.index") || strings.Contains(media, "manifest.list")
}

// childDigests are the digests of the images that an index lists; attestations, which run nowhere, are left out.
func childDigests(ctx context.Context, rc *runContext, digest string) ([]string, error) {
	out, err := ecr.NewFromConfig(rc.aws()).BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: aws.String(rc.env.Image.Repository),
		ImageIds:       []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(digest)}},
	})
	if err != nil || len(out.Images) == 0 {
		return nil, err
	}
	var index struct {
		Manifests []struct {
			Digest   string
			Platform struct{ OS string }
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.Images[0].ImageManifest)), &index); err != nil {
		return nil, err
	}
	var children []string
	for _, m := range index.Manifests {
		if m.Platform.OS != "unknown" {
			children = append(children, m.Digest)
		}
	}
	return children, nil
}

func checkImage(ctx context.Context, rc *runContext) ([]Finding, error) {
	if rc.src.Stack != nil {
		prefetch(ctx, rc, readStack)
	}
	tasks, err := readRunningTasks(ctx, rc)
	if err != nil {
		return nil, err
	}
	running := runningDigests(tasks, rc.env)
	digests := slices.Sorted(maps.Keys(running))
	found, err := batches(ctx, digests, 1, func(ctx context.Context, one []string) ([]*scannedImage, error) {
		image, err := readImage(ctx, rc, one[0])
		return []*scannedImage{image}, err
	})
	if err != nil {
		return nil, err
	}
	images := map[string]*scannedImage{}
	for i, digest := range digests {
		images[digest] = found[i]
	}
	return []Finding{evaluateImage(running, images, recordedDigest(ctx, rc), rc.env)}, nil
}

// recordedDigest is what should run: what the last deployment's record says, else the stack's output. Where neither
// can be read there is nothing to compare with; the stack has a check of its own, which tells why.
func recordedDigest(ctx context.Context, rc *runContext) string {
	if rc.src.Deployed != nil {
		if image, err := rc.src.Deployed(ctx); err == nil && image != "" {
			return digestOf(image)
		}
	}
	if rc.src.Stack == nil {
		return ""
	}
	stack, _ := readStack(ctx, rc)
	return digestOf(stack.Image)
}

// runningDigests are the image digests that the environment's tasks were started with, and which services run each.
func runningDigests(tasks []ecstypes.Task, env *environment.Environment) map[string][]string {
	running := map[string][]string{}
	for _, s := range env.Services.List() {
		for _, task := range tasksOfService(tasks, env.ServiceName(s.Role)) {
			for _, c := range task.Containers {
				if aws.ToString(c.Name) != env.ContainerName(s.Role) {
					continue
				}
				digest := cmp.Or(digestOf(aws.ToString(c.Image)), aws.ToString(c.ImageDigest))
				if digest != "" && !slices.Contains(running[digest], string(s.Role)) {
					running[digest] = append(running[digest], string(s.Role))
				}
			}
		}
	}
	return running
}

// digestOf is the digest of an image reference, "" where it has none.
func digestOf(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}

// evaluateImage judges the images that run: one for all services, that of the last deployment, still in the registry,
// without critical findings. recorded is the digest of the last deployment, "" where it is not known.
func evaluateImage(
	running map[string][]string, images map[string]*scannedImage, recorded string, env *environment.Environment,
) Finding {
	f := newFinding("image", "ECR-Image-"+env.Image.Repository)
	digests := slices.Sorted(maps.Keys(running))
	if len(digests) == 0 {
		return f.error("NoImageRunning", Hint{
			Cause: "no task is running", Solution: "see ecs_service for the reason", Command: command(env, "status") + " --only ecs_service",
		}, "no image is running")
	}
	f = f.with("running", running)
	var deleted []string
	var critical, high int32
	for _, digest := range digests {
		image := images[digest]
		if image == nil {
			deleted = append(deleted, digest)
			continue
		}
		f = f.with("tags", image.ImageTags).with("scanned", image.scanned)
		if image.ImagePushedAt != nil {
			f = f.with("pushed", image.ImagePushedAt.UTC().Format("2006-01-02T15:04:05Z07:00"))
		}
		critical, high = critical+image.critical, high+image.high
	}
	f = f.with("critical_findings", critical).with("high_findings", high)
	if recorded != "" {
		f = f.with("recorded", recorded)
	}
	switch {
	case len(deleted) > 0:
		return f.error("ImageGone", Hint{
			Cause:    "the image was deleted from the registry: no new task can start",
			Solution: "deploy an image that is there", Command: command(env, "images"),
		}, "%s that runs is not in the registry: %s", plural(len(deleted), "image", "images"), strings.Join(deleted, ", "))
	case critical > 0:
		report := f.warning
		if env.Image.CriticalFindings == environment.Fail {
			report = f.error
		}
		return report("CriticalFindings", Hint{
			Cause:    "a package in the image has a known vulnerability",
			Solution: "build the image again with the packages of today, and deploy it", Command: command(env, "images"),
		}, "the scan found %d critical and %d high vulnerabilities", critical, high)
	case len(digests) > 1:
		return f.warning("DifferentImages", Hint{
			Cause:    "a rollout is under way, or one of the services was rolled back",
			Solution: "wait for the rollout, or deploy one image to all", Command: command(env, "up") + " --image-tag TAG",
		}, "%d different images run", len(digests))
	case recorded != "" && recorded != digests[0]:
		return f.warning("NotTheDeployedImage", driftHint(env, "ECS rolled the last deployment back, or somebody changed a service past the deployer"),
			"%s runs, the last deployment verified %s", digests[0], recorded)
	}
	return f.healthy("Running", "%s%s", digests[0], scanSummary(images[digests[0]], high))
}

func scanSummary(image *scannedImage, high int32) string {
	if !image.scanned {
		return ", not scanned"
	}
	return ", no critical findings, " + plural(int(high), "high one", "high ones")
}
