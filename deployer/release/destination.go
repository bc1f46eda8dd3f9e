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

	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
)

// Destination is where a rollback leads.
type Destination struct {
	*Image
	// Verified is the newest deployment that saw the image healthy; nil where none did.
	Verified *record.Deployment
	// Database is what is left of the database as that deployment left it; nil where there was none. Doubt is why it is not
	// known whether the snapshot is still there.
	Database *record.DatabaseThen
	Doubt    error
	// Code is what was deployed with the image; nil where no record says, and the deployed code stays.
	Code *environment.Code
	// Damaged are the records that could not be read: one of them may be of a better image.
	Damaged []record.Deployment
}

// way finds the destination of a rollback.
type way struct {
	env     *environment.Environment
	images  registry
	ecs     *ecs.Client
	records []record.Deployment
	// left is the digest of the image that the stack names.
	left string
}

// Back finds where a rollback leads: to what is named, else to the last deployment before the image that the stack
// names that was verified healthy. What is named is a tag, a digest, a task definition's revision (api:41, family:41, an
// ARN), or the ID of a deployment.
func (w World) Back(ctx context.Context, leaves, named string) (*Destination, error) {
	records, err := w.Records.List(ctx, w.Env.Stack, recordsRead)
	if err != nil {
		return nil, err
	}
	b := way{
		env: w.Env, images: ecr.NewFromConfig(w.AWS), ecs: ecs.NewFromConfig(w.AWS), records: records, left: DigestIn(leaves),
	}
	image, err := b.image(ctx, named)
	if err != nil {
		return nil, err
	}
	to := &Destination{Image: image, Damaged: record.Damaged(records)}
	if i := slices.IndexFunc(records, func(d record.Deployment) bool { return d.Verified && d.Image.Digest == image.Digest }); i >= 0 {
		to.Verified, to.Code = &records[i], records[i].Code
		to.Database, to.Doubt = w.databaseThen(ctx, records, records[i].ID)
	}
	if i := slices.IndexFunc(records, func(d record.Deployment) bool { return d.ID == named }); i >= 0 {
		to.Code = records[i].Code
	}
	if to.Code != nil && !to.Code.Agrees(w.Env.Code()) {
		return to, nil // the same image with another code is something else
	}
	return to, b.refuseSame(ctx, image)
}

// Unseen is how a snapshot is that could not be looked at.
const Unseen = "unknown"

// databaseThen is what is left of the database as a deployment left it. A snapshot that cannot be looked at stops nobody who goes
// back: code can do so without it.
func (w World) databaseThen(ctx context.Context, records []record.Deployment, id string) (*record.DatabaseThen, error) {
	then := &record.DatabaseThen{Snapshot: record.SnapshotAfter(records, id), MigratedSince: record.MigratedAfter(records, id)}
	if then.Snapshot == "" {
		return then, nil
	}
	status, err := database.At(w.AWS, w.Env, w.Clock).StatusOf(ctx, then.Snapshot)
	then.SnapshotStatus = cmp.Or(status, Unseen)
	return then, err
}

// deploymentID is the form of a deployment's ID, which no tag of an image has by accident.
var deploymentID = regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{4}$`)

func (b way) image(ctx context.Context, named string) (*Image, error) {
	switch {
	case named == "":
		good := record.Before(b.records, b.left)
		if good == nil {
			return nil, b.nothing(ctx)
		}
		return b.deployed(ctx, *good)
	case deploymentID.MatchString(named):
		return b.ofDeployment(ctx, named)
	case strings.Contains(named, ":") && !strings.HasPrefix(named, "sha256:"):
		digest, err := b.ofRevision(ctx, named)
		if err != nil {
			return nil, err
		}
		return b.find(ctx, digest, "the image of "+named)
	}
	return b.find(ctx, named, "")
}

func (b way) ofDeployment(ctx context.Context, id string) (*Image, error) {
	i := slices.IndexFunc(b.records, func(d record.Deployment) bool { return d.ID == id })
	switch {
	case i < 0:
		return nil, advice.With(fmt.Errorf("no record of %s has the ID %s", b.env.Name, id), "`deployer history --env "+b.env.Stack+"` lists them")
	case b.records[i].Image.Digest == "":
		return nil, fmt.Errorf("the deployment %s ended before it had an image", id)
	}
	return b.deployed(ctx, b.records[i])
}

// deployed is the image of a deployment, which may be gone from the registry.
func (b way) deployed(ctx context.Context, d record.Deployment) (*Image, error) {
	image, err := b.find(ctx, d.Image.Digest, fmt.Sprintf("the image %s of the deployment %s", d.Image.Tag, d.ID))
	if err == nil {
		image.Tag = cmp.Or(d.Image.Tag, image.Tag)
	}
	return image, err
}

// find looks an image up. One that the registry has lost cannot be deployed; the hint names those that can.
func (b way) find(ctx context.Context, tagOrDigest, what string) (*Image, error) {
	image, err := FindImage(ctx, b.images, b.env, tagOrDigest)
	if missing := (*MissingImageError)(nil); what != "" && errors.As(err, &missing) {
		return nil, advice.With(fmt.Errorf("%s (%s) is gone from the registry", what, shortDigest(tagOrDigest)), b.alternatives(ctx))
	}
	return image, err
}

// nothing says why there is nothing to go back to.
func (b way) nothing(ctx context.Context) error {
	if slices.ContainsFunc(b.records, func(d record.Deployment) bool { return d.Verified && d.Image.Digest != b.left }) {
		return advice.With(fmt.Errorf("every other image that was deployed well in %s was left by a rollback, and is not chosen again by itself", b.env.Name),
			b.alternatives(ctx))
	}
	return advice.With(fmt.Errorf("no deployment of %s before the one that runs was verified healthy, so there is nothing to go back to", b.env.Name),
		b.alternatives(ctx))
}

// alternatives names the images that were deployed well and are still there, the newest first.
func (b way) alternatives(ctx context.Context) string {
	var tags, seen []string
	for _, d := range b.records {
		if !d.Verified || d.Image.Digest == b.left || slices.Contains(seen, d.Image.Digest) || len(tags) == newestShown {
			continue
		}
		seen = append(seen, d.Image.Digest)
		if _, err := FindImage(ctx, b.images, b.env, d.Image.Digest); err == nil {
			tags = append(tags, fmt.Sprintf("%s (%s)", d.Image.Tag, d.ID))
		}
	}
	if len(tags) == 0 {
		return "nothing else that was deployed well is there: name with --to what `deployer images` lists"
	}
	return "deployed well and still there: " + strings.Join(tags, ", ") + "; choose one with --to"
}

// ofRevision is the digest of the image in a task definition: api:41 is short for the family of that role.
func (b way) ofRevision(ctx context.Context, named string) (string, error) {
	family, revision, _ := strings.Cut(shortID(named), ":")
	service, known := b.serviceOf(family)
	if !known {
		return "", advice.With(fmt.Errorf("%s is no task definition of a service of %s", named, b.env.Name),
			"give it as "+b.env.TaskFamily(environment.API)+":41, or short as api:41")
	}
	full := b.env.TaskFamily(service.Role) + ":" + revision
	out, err := b.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &full})
	var unknown *types.ClientException
	switch {
	case errors.As(err, &unknown):
		return "", advice.With(fmt.Errorf("ECS has no revision %s", full), "`aws ecs list-task-definitions --family-prefix "+b.env.TaskFamily(service.Role)+"` lists them")
	case err != nil:
		return "", fmt.Errorf("look at the revision %s: %w", full, err)
	}
	digest := ""
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		if aws.ToString(c.Name) == b.env.ContainerName(service.Role) {
			digest = DigestIn(aws.ToString(c.Image))
		}
	}
	switch {
	case digest == "":
		return "", advice.With(fmt.Errorf("the revision %s does not say by digest which image it is", full), "name the image itself: a tag or a digest")
	case out.TaskDefinition.Status == types.TaskDefinitionStatusInactive:
		return "", advice.With(fmt.Errorf("the revision %s was deregistered, it is INACTIVE", full), "its image may still be good: --to "+digest)
	}
	return digest, nil
}

func (b way) serviceOf(family string) (environment.Service, bool) {
	services := b.env.Services.List()
	i := slices.IndexFunc(services, func(s environment.Service) bool {
		return family == string(s.Role) || family == b.env.TaskFamily(s.Role)
	})
	if i < 0 {
		return environment.Service{}, false
	}
	return services[i], true
}

// refuseSame refuses to go to where everything is already: the stack names the image, and every task runs it.
func (b way) refuseSame(ctx context.Context, image *Image) error {
	if image.Digest != b.left {
		return nil
	}
	uses, err := Uses(ctx, b.ecs, b.env)
	if err != nil {
		return err
	}
	running, err := oneDigest(b.env, uses)
	if err != nil || running != image.Digest {
		return nil
	}
	return advice.With(fmt.Errorf("%s (%s) runs already", image.Tag, shortDigest(image.Digest)),
		"leave --to out for the one before it, or start it anew with `up --code-only --restart`")
}
