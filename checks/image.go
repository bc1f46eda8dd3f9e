package checks

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func readRepository(ctx context.Context, rc *runContext) (*ecrtypes.Repository, error) {
	out, err := ecr.NewFromConfig(rc.aws()).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
		RepositoryNames: []string{rc.env.Image.Repository},
	})
	if err != nil || len(out.Repositories) == 0 {
		return nil, ignoreCodes(err, "RepositoryNotFoundException")
	}
	return &out.Repositories[0], nil
}

func evaluateRepository(repository *ecrtypes.Repository, env *environment.Environment) Finding {
	f := newFinding("image_repository", "ECR-Repository-"+env.Image.Repository)
	if repository == nil {
		return f.error("RepositoryMissing", sharedHint("the account was never bootstrapped, or the repository was deleted"),
			"the image repository %s does not exist", env.Image.Repository)
	}
	scans := repository.ImageScanningConfiguration != nil && repository.ImageScanningConfiguration.ScanOnPush
	f = f.with("uri", aws.ToString(repository.RepositoryUri)).with("scan_on_push", scans).
		with("tag_mutability", string(repository.ImageTagMutability))
	if repository.ImageScanningConfiguration == nil {
		return f.unknown("ScanUnknown", incompleteAnswer("DescribeRepositories", "ImageScanningConfiguration"), "it is unknown whether images are scanned when they are pushed")
	}
	if !scans {
		return f.warning("ScanOff", sharedHint("the setting was changed outside the deployer"), "images are not scanned when they are pushed")
	}
	return f.healthy("RepositoryExists", "%s, scanned on push", env.Image.Repository)
}

// readImage returns the image of a digest, or nil where the registry does not have it.
func readImage(ctx context.Context, rc *runContext, digest string) (*ecrimage.Image, error) {
	image, err := ecrimage.Find(ctx, ecr.NewFromConfig(rc.aws()), rc.env.Image.Repository, rc.env.Platform(), digest)
	return image, ignoreCodes(err, "ImageNotFoundException", "RepositoryNotFoundException")
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
	found, err := forEach(ctx, digests, func(ctx context.Context, digest string) ([]*ecrimage.Image, error) {
		image, err := readImage(ctx, rc, digest)
		return []*ecrimage.Image{image}, err
	})
	if err != nil {
		return nil, err
	}
	images := map[string]*ecrimage.Image{}
	for i, digest := range digests {
		images[digest] = found[i]
	}
	return []Finding{evaluateImage(running, images, readExpectedImage(ctx, rc), rc.env)}, nil
}

// expectedImage holds the digest that should run, "" where it is unknown, what names it, and the digest that the stack names.
type expectedImage struct {
	digest, source, stack string
}

// readExpectedImage returns the image of the last deployment that was verified, by the records. Where there are no records, or they cannot be
// read, it is the stack's output, which nothing has verified. Where neither can be read it is unknown; the check of the stack reports why.
func readExpectedImage(ctx context.Context, rc *runContext) expectedImage {
	named := ""
	if rc.src.Stack != nil {
		stack, _ := readStack(ctx, rc)
		named = awsx.DigestOf(stack.Image)
	}
	if rc.src.Deployed != nil {
		if image, err := rc.src.Deployed(ctx); err == nil {
			return expectedImage{awsx.DigestOf(image), "the last deployment verified", named}
		}
	}
	return expectedImage{named, "the stack's output is", named}
}

// runningDigests returns the digests that the environment's tasks were started with, and the services that run each.
func runningDigests(tasks []ecstypes.Task, env *environment.Environment) map[string][]string {
	running := map[string][]string{}
	for _, s := range env.Services.List() {
		for _, task := range tasksOfService(tasks, env.ServiceName(s.Role)) {
			for _, c := range task.Containers {
				if aws.ToString(c.Name) != env.ContainerName(s.Role) {
					continue
				}
				digest := cmp.Or(awsx.DigestOf(aws.ToString(c.Image)), aws.ToString(c.ImageDigest))
				if digest != "" && !slices.Contains(running[digest], string(s.Role)) {
					running[digest] = append(running[digest], string(s.Role))
				}
			}
		}
	}
	return running
}

// evaluateImage evaluates the running images: one for all services, the one last deployed, still in the registry, without critical
// findings.
func evaluateImage(
	running map[string][]string, images map[string]*ecrimage.Image, expected expectedImage, env *environment.Environment,
) Finding {
	f := newFinding("image", "ECR-Image-"+env.Image.Repository)
	digests := slices.Sorted(maps.Keys(running))
	if len(digests) == 0 {
		return f.error("NoImageRunning", Hint{
			Cause: "no task is running", Solution: "check ecs_service for the reason", Command: command(env, "status") + " --only ecs_service",
		}, "no image is running")
	}
	f = f.with("running", running)
	var deleted []string
	var critical, high int
	for _, digest := range digests {
		image := images[digest]
		if image == nil {
			deleted = append(deleted, digest)
			continue
		}
		f = f.with("tags", image.ImageTags).with("scanned", image.Scanned)
		if image.ImagePushedAt != nil {
			f = f.with("pushed", image.ImagePushedAt.UTC().Format("2006-01-02T15:04:05Z07:00"))
		}
		critical, high = critical+image.Critical, high+image.High
	}
	f = f.with("critical_findings", critical).with("high_findings", high)
	if expected.digest != "" {
		f = f.with("recorded", expected.digest)
	}
	switch {
	case len(deleted) > 0:
		return f.error("ImageGone", Hint{
			Cause:    "the image was deleted from the registry: no new task can start",
			Solution: "deploy an image that the registry has", Command: command(env, "images"),
		}, "%s not in the registry although running: %s", text.Plural(len(deleted), "image", "images"), strings.Join(deleted, ", "))
	case critical > 0:
		report := f.warning
		if env.Image.CriticalFindings == environment.Fail {
			report = f.error
		}
		return report("CriticalFindings", Hint{
			Cause:    "a package in the image has a known vulnerability",
			Solution: "rebuild the image with current packages, and deploy it", Command: command(env, "images"),
		}, "the scan found %d critical and %d high vulnerabilities", critical, high)
	case len(digests) > 1:
		return f.warning("DifferentImages", Hint{
			Cause:    "a rollout is in progress, or one of the services was rolled back",
			Solution: "wait for the rollout, or deploy one image to all", Command: command(env, "up") + " " + tagPlaceholder,
		}, "%d different images run", len(digests))
	case expected.digest != "" && expected.digest != digests[0]:
		return f.warning("ImageMismatch", driftHint(env, "ECS rolled the last deployment back, or a service was changed outside the deployer"),
			"%s is running, %s %s", digests[0], expected.source, expected.digest)
	case expected.stack != "" && expected.stack != digests[0]:
		return f.warning("StackDiffers", Hint{
			Cause:    "a rollout has not ended, or it failed and ECS returned to the previous revision",
			Solution: "wait for the rollout, or deploy the image that should run", Command: command(env, "up") + " " + tagPlaceholder,
		}, "%s is running, the stack names %s", digests[0], expected.stack)
	}
	return f.healthy("Running", "%s%s", digests[0], scanSummary(images[digests[0]], high))
}

// scanSummary returns what the scan found, or why it found nothing.
func scanSummary(image *ecrimage.Image, high int) string {
	if image.Scanned {
		return ", no critical findings, " + text.Plural(high, "high one", "high ones")
	}
	return ", " + ecrimage.NotScanned(image.Status, image.Description)
}
