package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// RollbackTarget is where a rollback leads.
type RollbackTarget struct {
	*Image
	// Verified is the newest deployment that saw the image healthy; nil where none did.
	Verified *history.Deployment
	// Database is what is left of the database as that deployment left it; nil where there was none. Doubt is why it is not
	// known whether the snapshot is still there.
	Database    *history.PriorDatabase
	SnapshotErr error
	// Code is what was deployed with the image; nil where no record says, and the deployed code stays.
	Code *environment.Code
	// UnreadableRecords are the records that could not be read: one of them may be of a better image.
	UnreadableRecords []history.Deployment
}

// rollbackResolver finds the destination of a rollback.
type rollbackResolver struct {
	env     *environment.Environment
	images  registry
	ecs     *ecs.Client
	records []history.Deployment
	// current is the digest of the image that the stack names.
	current string
}

// ResolveRollback finds where a rollback leads: to what is named, else to the last deployment before the image that the stack
// names that was verified healthy. What is named is a tag, a digest, a task definition's revision (api:41, family:41, an
// ARN), or the ID of a deployment.
func (d Deps) ResolveRollback(ctx context.Context, current, named string) (*RollbackTarget, error) {
	records, err := d.Records.List(ctx, d.Env.Stack, historyLimit)
	if err != nil {
		return nil, err
	}
	resolver := rollbackResolver{
		env: d.Env, images: ecr.NewFromConfig(d.AWS), ecs: ecs.NewFromConfig(d.AWS), records: records, current: DigestIn(current),
	}
	image, err := resolver.resolve(ctx, named)
	if err != nil {
		return nil, err
	}
	to := &RollbackTarget{Image: image, UnreadableRecords: history.UnreadableRecords(records)}
	if i := slices.IndexFunc(records, func(d history.Deployment) bool { return d.Verified && d.Image.Digest == image.Digest }); i >= 0 {
		to.Verified, to.Code = &records[i], records[i].Code
		to.Database, to.SnapshotErr = d.databaseAt(ctx, records, records[i].ID)
	}
	if i := slices.IndexFunc(records, func(d history.Deployment) bool { return d.ID == named }); i >= 0 {
		to.Code = records[i].Code
	}
	if to.Code != nil && !to.Code.Matches(d.Env.Code()) {
		return to, nil // the same image with another code is something else
	}
	return to, resolver.rejectCurrent(ctx, image)
}

// SnapshotUnknown is how a snapshot is that could not be looked at.
const SnapshotUnknown = "unknown"

// databaseAt is what is left of the database as a deployment left it. A snapshot that cannot be looked at stops nobody who goes
// back: code can do so without it.
func (d Deps) databaseAt(ctx context.Context, records []history.Deployment, id string) (*history.PriorDatabase, error) {
	state := &history.PriorDatabase{Snapshot: history.SnapshotAfter(records, id), MigratedSince: history.MigratedAfter(records, id)}
	if state.Snapshot == "" {
		return state, nil
	}
	status, err := database.New(d.AWS, d.Env, d.Clock).SnapshotStatus(ctx, state.Snapshot)
	state.SnapshotStatus = cmp.Or(status, SnapshotUnknown)
	return state, err
}

// deploymentID is the form of a deployment's ID, which no tag of an image has by accident.
var deploymentID = regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{4}$`)

func (r rollbackResolver) resolve(ctx context.Context, named string) (*Image, error) {
	switch {
	case named == "":
		good := history.RollbackCandidate(r.records, r.current)
		if good == nil {
			return nil, r.noTarget(ctx)
		}
		return r.imageOf(ctx, *good)
	case deploymentID.MatchString(named):
		return r.byDeployment(ctx, named)
	case strings.Contains(named, ":") && !strings.HasPrefix(named, "sha256:"):
		digest, err := r.digestOfRevision(ctx, named)
		if err != nil {
			return nil, err
		}
		return r.find(ctx, digest, "the image of "+named)
	}
	return r.find(ctx, named, "")
}

func (r rollbackResolver) byDeployment(ctx context.Context, id string) (*Image, error) {
	i := slices.IndexFunc(r.records, func(d history.Deployment) bool { return d.ID == id })
	switch {
	case i < 0:
		return nil, hint.With(fmt.Errorf("no record of %s has the ID %s", r.env.Name, id), "`deployer history --env "+r.env.Stack+"` lists them")
	case r.records[i].Image.Digest == "":
		return nil, fmt.Errorf("the deployment %s ended before it had an image", id)
	}
	return r.imageOf(ctx, r.records[i])
}

// imageOf is the image of a deployment, which may be gone from the registry.
func (r rollbackResolver) imageOf(ctx context.Context, d history.Deployment) (*Image, error) {
	image, err := r.find(ctx, d.Image.Digest, fmt.Sprintf("the image %s of the deployment %s", d.Image.Tag, d.ID))
	if err == nil {
		image.Tag = cmp.Or(d.Image.Tag, image.Tag)
	}
	return image, err
}

// find looks an image up. One that the registry has lost cannot be deployed; the hint names those that can.
func (r rollbackResolver) find(ctx context.Context, tagOrDigest, what string) (*Image, error) {
	image, err := FindImage(ctx, r.images, r.env, tagOrDigest)
	if missing := (*MissingImageError)(nil); what != "" && errors.As(err, &missing) {
		return nil, hint.With(fmt.Errorf("%s (%s) is gone from the registry", what, shortDigest(tagOrDigest)), r.alternatives(ctx))
	}
	return image, err
}

// noTarget says why there is nothing to go back to.
func (r rollbackResolver) noTarget(ctx context.Context) error {
	if slices.ContainsFunc(r.records, func(d history.Deployment) bool { return d.Verified && d.Image.Digest != r.current }) {
		return hint.With(fmt.Errorf("every other image that was deployed well in %s was left by a rollback, and is not chosen again by itself", r.env.Name),
			r.alternatives(ctx))
	}
	return hint.With(fmt.Errorf("no deployment of %s before the one that runs was verified healthy, so there is nothing to go back to", r.env.Name),
		r.alternatives(ctx))
}

// alternatives names the images that were deployed well and are still there, the newest first.
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
		return "nothing else that was deployed well is there: name with --to what `deployer images` lists"
	}
	return "deployed well and still there: " + strings.Join(tags, ", ") + "; choose one with --to"
}

// digestOfRevision is the digest of the image in a task definition: api:41 is short for the family of that role.
func (r rollbackResolver) digestOfRevision(ctx context.Context, named string) (string, error) {
	family, revision, _ := strings.Cut(shortID(named), ":")
	service, known := r.serviceOfFamily(family)
	if !known {
		return "", hint.With(fmt.Errorf("%s is no task definition of a service of %s", named, r.env.Name),
			"give it as "+r.env.TaskFamily(environment.API)+":41, or short as api:41")
	}
	full := r.env.TaskFamily(service.Role) + ":" + revision
	out, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &full})
	var unknown *types.ClientException
	switch {
	case errors.As(err, &unknown):
		return "", hint.With(fmt.Errorf("ECS has no revision %s", full), "`aws ecs list-task-definitions --family-prefix "+r.env.TaskFamily(service.Role)+"` lists them")
	case err != nil:
		return "", fmt.Errorf("look at the revision %s: %w", full, err)
	}
	digest := ""
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		if aws.ToString(c.Name) == r.env.ContainerName(service.Role) {
			digest = DigestIn(aws.ToString(c.Image))
		}
	}
	switch {
	case digest == "":
		return "", hint.With(fmt.Errorf("the revision %s does not say by digest which image it is", full), "name the image itself: a tag or a digest")
	case out.TaskDefinition.Status == types.TaskDefinitionStatusInactive:
		return "", hint.With(fmt.Errorf("the revision %s was deregistered, it is INACTIVE", full), "its image may still be good: --to "+digest)
	}
	return digest, nil
}

func (r rollbackResolver) serviceOfFamily(family string) (environment.Service, bool) {
	services := r.env.Services.List()
	i := slices.IndexFunc(services, func(s environment.Service) bool {
		return family == string(s.Role) || family == r.env.TaskFamily(s.Role)
	})
	if i < 0 {
		return environment.Service{}, false
	}
	return services[i], true
}

// rejectCurrent refuses to go to where everything is already: the stack names the image, and every task runs it.
func (r rollbackResolver) rejectCurrent(ctx context.Context, image *Image) error {
	if image.Digest != r.current {
		return nil
	}
	images, err := RunningImages(ctx, r.ecs, r.env)
	if err != nil {
		return err
	}
	running, err := singleDigest(r.env, images)
	if err != nil || running != image.Digest {
		return nil
	}
	return hint.With(fmt.Errorf("%s (%s) runs already", image.Tag, shortDigest(image.Digest)),
		"leave --to out for the one before it, or start it anew with `up --code-only --restart`")
}
