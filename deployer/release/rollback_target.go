package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// RollbackTarget is what a rollback deploys.
type RollbackTarget struct {
	*Image
	// Verified is the newest deployment that verified the image healthy; nil where there is none.
	Verified *history.Deployment
	// Database describes the database as that deployment left it; nil where Verified is. SnapshotErr is why it is not known
	// whether the snapshot still exists.
	Database    *history.PriorDatabase
	SnapshotErr error
	// Code is what was deployed with the image; nil where no record has it, and the deployed code stays.
	Code *environment.Code
	// UnreadableRecords are the records that could not be read: one of them may have a better image.
	UnreadableRecords []history.Deployment
}

// rollbackResolver finds the target of a rollback.
type rollbackResolver struct {
	env     *environment.Environment
	images  ecrimage.Client
	ecs     *ecs.Client
	records []history.Deployment
	// current is the digest of the image that the stack names.
	current string
}

// ResolveRollback returns the target of a rollback: what named names, else the last image that was verified healthy before current,
// the image reference that the stack names, or current itself where its rollout failed. named is a tag, a digest or its beginning, TAG@DIGEST, a whole reference, a task definition's revision (api:41, family:41, an ARN), or
// the ID of a deployment.
func (d Deps) ResolveRollback(ctx context.Context, current, named string) (*RollbackTarget, error) {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil {
		return nil, err
	}
	resolver := rollbackResolver{
		env: d.Env, images: ecr.NewFromConfig(d.AWS), ecs: ecs.NewFromConfig(d.AWS), records: records, current: awsx.DigestOf(current),
	}
	named, err = ImageName(d.Env, named)
	if err != nil {
		return nil, err
	}
	image, err := resolver.resolve(ctx, named)
	if err != nil {
		return nil, err
	}
	target := &RollbackTarget{Image: image, UnreadableRecords: history.UnreadableRecords(records)}
	verified := list.Find(records, func(d history.Deployment) bool { return d.Verified && d.Image.Digest == image.Digest })
	if verified != nil {
		target.Verified, target.Code = verified, verified.Code
		target.Database, target.SnapshotErr = d.databaseAt(ctx, records, verified.ID)
	}
	if earlier := resolver.record(named); earlier != nil {
		target.Code = earlier.Code
	}
	if target.Code != nil && !target.Code.Matches(d.Env.Code()) {
		return target, nil // the running image with other code is a target too
	}
	return target, resolver.rejectCurrent(ctx, image)
}

// SnapshotUnknown is the status of a snapshot that could not be read.
const SnapshotUnknown = "unknown"

// databaseAt describes the database as a deployment left it. The error is why the snapshot could not be read, which stops no
// rollback: code does not need it.
func (d Deps) databaseAt(ctx context.Context, records []history.Deployment, id string) (*history.PriorDatabase, error) {
	prior := &history.PriorDatabase{Snapshot: history.SnapshotAfter(records, id), MigratedSince: history.MigratedAfter(records, id)}
	if prior.Snapshot == "" {
		return prior, nil
	}
	status, err := database.New(d.AWS, d.Env, d.Clock).SnapshotStatus(ctx, prior.Snapshot)
	prior.SnapshotStatus = cmp.Or(status, SnapshotUnknown)
	return prior, err
}

// deploymentID matches a deployment's ID, which no image tag looks like by accident.
var deploymentID = lazyregexp.New(`^\d{8}-\d{6}-[0-9a-f]{4}$`)

func (r rollbackResolver) resolve(ctx context.Context, named string) (*Image, error) {
	switch {
	case named == "":
		deployed, err := r.deployedDigest(ctx)
		if err != nil {
			return nil, err
		}
		candidate := history.RollbackCandidate(r.records, deployed)
		if candidate == nil {
			return nil, r.noTarget(ctx)
		}
		return r.imageOf(ctx, *candidate)
	case deploymentID.MatchString(named):
		return r.byDeployment(ctx, named)
	case strings.Contains(named, ":") && !ValidImage(named):
		digest, err := r.digestOfRevision(ctx, named)
		if err != nil {
			return nil, err
		}
		return r.find(ctx, digest, "the image of "+named)
	}
	image, err := r.find(ctx, named, "")
	if err != nil {
		return nil, err
	}
	return image, r.rejectMoved(named, image)
}

// deployedDigest returns the digest of the image from which a rollback goes back: the one that the stack names. It returns "" after a
// deployment that failed where not every task runs that: its automatic rollback failed, so that the last verified image has yet to run.
func (r rollbackResolver) deployedDigest(ctx context.Context) (string, error) {
	if !history.LastFailed(r.records) {
		return r.current, nil
	}
	everywhere, err := r.runsEverywhere(ctx, r.current)
	if err != nil || everywhere {
		return r.current, err
	}
	return "", nil
}

// runsEverywhere reports whether every running task has the image, and some task runs.
func (r rollbackResolver) runsEverywhere(ctx context.Context, digest string) (bool, error) {
	images, err := RunningImages(ctx, r.ecs, r.env)
	if err != nil {
		return false, err
	}
	running, err := singleDigest(r.env, images)
	return err == nil && running == digest, nil
}

// rejectMoved returns an error where the tag was deployed here with another digest than it has now: of the newest deployment of the
// tag that was verified healthy, else of the newest. A digest and TAG@DIGEST name no tag that is recorded.
func (r rollbackResolver) rejectMoved(tag string, image *Image) error {
	deployed := list.Find(r.records, func(d history.Deployment) bool { return d.Verified && d.Image.Tag == tag })
	if deployed == nil {
		deployed = list.Find(r.records, func(d history.Deployment) bool { return d.Image.Tag == tag && d.Image.Digest != "" })
	}
	if deployed == nil || deployed.Image.Digest == image.Digest {
		return nil
	}
	return hint.With(
		fmt.Errorf("%s was deployed to %s as %s, and is %s now: the tag was moved", tag, r.env.Name, deployed.Image.Digest, image.Digest),
		fmt.Sprintf("deploy what ran then with --to %s, its deployment, or what the tag names now with --to %s@%s", deployed.ID, tag, image.Digest))
}

// record returns the record of a deployment, or nil.
func (r rollbackResolver) record(id string) *history.Deployment {
	return list.Find(r.records, func(d history.Deployment) bool { return d.ID == id })
}

func (r rollbackResolver) byDeployment(ctx context.Context, id string) (*Image, error) {
	switch record := r.record(id); {
	case record == nil:
		return nil, hint.With(fmt.Errorf("no record of %s has the ID %s", r.env.Name, id), "list them with `deployer history --env "+r.env.Stack+"`")
	case record.Image.Digest == "":
		return nil, fmt.Errorf("the deployment %s ended before its image was resolved", id)
	case !record.Verified && !record.RolledOut():
		return nil, hint.With(fmt.Errorf("the deployment %s never rolled out %s", id, record.Image.Tag),
			"give a deployment that did, as `deployer history --env "+r.env.Stack+"` lists them, or the image itself")
	default:
		return r.imageOf(ctx, *record)
	}
}

// imageOf returns the image of a deployment.
func (r rollbackResolver) imageOf(ctx context.Context, d history.Deployment) (*Image, error) {
	image, err := r.find(ctx, d.Image.Digest, fmt.Sprintf("the image %s of the deployment %s", d.Image.Tag, d.ID))
	if err == nil {
		image.Tag = releaseTag(d.Image.Tag, image.Tag)
	}
	return image, err
}

// find looks up an image. The hint for one that the registry no longer has lists alternatives.
func (r rollbackResolver) find(ctx context.Context, tagOrDigest, what string) (*Image, error) {
	image, err := FindImage(ctx, r.images, r.env, tagOrDigest)
	if missing := (*MissingImageError)(nil); what != "" && errors.As(err, &missing) {
		return nil, hint.With(fmt.Errorf("%s (%s) is gone from the registry", what, awsx.ShortDigest(tagOrDigest)), r.alternatives(ctx))
	}
	return image, err
}

func (r rollbackResolver) noTarget(ctx context.Context) error {
	text := "no earlier deployment of %s was verified healthy, so there is nothing to roll back to"
	if slices.ContainsFunc(r.records, func(d history.Deployment) bool { return d.Verified && d.Image.Digest != r.current }) {
		text = "every other verified image of %s was already rolled back, and is not chosen automatically"
	}
	return hint.With(fmt.Errorf(text, r.env.Name), r.alternatives(ctx))
}

// alternatives lists the verified images that the registry still has, the newest first.
func (r rollbackResolver) alternatives(ctx context.Context) string {
	var tags, seen []string
	for _, d := range r.records {
		if !d.Verified || d.Image.Digest == r.current || slices.Contains(seen, d.Image.Digest) || len(tags) == maxTagsShown {
			continue
		}
		seen = append(seen, d.Image.Digest)
		if _, err := FindImage(ctx, r.images, r.env, d.Image.Digest); err == nil {
			tags = append(tags, fmt.Sprintf("%s (%s)", d.Image.Tag, d.ID))
		}
	}
	if len(tags) == 0 {
		return "no other image in the registry was verified healthy; " +
			"--to takes any of those that `deployer images --env " + r.env.Stack + "` lists"
	}
	return "verified images in the registry: " + strings.Join(tags, ", ") + "; choose one with --to"
}

// digestOfRevision returns the digest of the image in a task definition: api:41 is short for the family of that role. Where the
// environment is protected or deployed with an approval, a record has to have the revision: the role of the other environments can
// register revisions of any family.
func (r rollbackResolver) digestOfRevision(ctx context.Context, named string) (string, error) {
	family, revision, _ := strings.Cut(awsx.NameFromARN(named), ":")
	service := list.Find(r.env.Services.List(), func(s environment.Service) bool {
		return family == string(s.Role) || family == r.env.TaskFamily(s.Role)
	})
	if service == nil {
		return "", hint.With(fmt.Errorf("%s is not a task definition of a service of %s", named, r.env.Name),
			"use the form "+r.env.TaskFamily(environment.API)+":41, or short api:41")
	}
	family = r.env.TaskFamily(service.Role)
	full := family + ":" + revision
	recorded := slices.ContainsFunc(r.records, func(d history.Deployment) bool {
		return slices.Contains(slices.Collect(maps.Values(d.TaskDefinitions)), full)
	})
	if !recorded && (r.env.Protected || r.env.Delivery.Approval) {
		return "", hint.With(fmt.Errorf("no record of %s has the revision %s, so no deployment of it registered that", r.env.Name, full),
			"list the deployments with `deployer history --env "+r.env.Stack+"`, and give one's ID or an image")
	}
	out, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &full})
	var unknown *types.ClientException
	switch {
	case errors.As(err, &unknown):
		return "", hint.With(fmt.Errorf("ECS has no revision %s", full), "list them with `aws ecs list-task-definitions --family-prefix "+family+"`")
	case err != nil:
		return "", fmt.Errorf("read the revision %s: %w", full, err)
	}
	digest := awsx.DigestOf(imageIn(out.TaskDefinition, r.env.ContainerName(service.Role)))
	switch {
	case digest == "":
		return "", hint.With(fmt.Errorf("the revision %s does not name its image by digest", full), "give the image's tag or digest instead")
	case out.TaskDefinition.Status == types.TaskDefinitionStatusInactive:
		return "", hint.With(fmt.Errorf("the revision %s was deregistered, it is INACTIVE", full), "its image may still be usable: --to "+digest)
	}
	return digest, nil
}

// rejectCurrent returns an error where the stack names the image already and every task runs it.
func (r rollbackResolver) rejectCurrent(ctx context.Context, image *Image) error {
	if image.Digest != r.current {
		return nil
	}
	if everywhere, err := r.runsEverywhere(ctx, image.Digest); err != nil || !everywhere {
		return err
	}
	return hint.With(fmt.Errorf("%s (%s) is already running", image.Tag, awsx.ShortDigest(image.Digest)),
		"omit --to for the previous image, or restart this one with `deployer restart --env "+r.env.Stack+"`")
}
