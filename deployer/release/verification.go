package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Verification is the check of deployment.verifiedIn.
const Verification = "verification"

// verification checks that one of the environments in deployment.verifiedIn has verified the image. An image that this environment has
// verified itself passes as well: it was let through before, and a rollback to it must not depend on records elsewhere. A migration and a
// restart use an image that runs.
func (p *preflight) verification(ctx context.Context, image *Image) []Problem {
	names := p.env.Deployment.VerifiedIn
	p.passed = ""
	switch {
	case p.migrationOnly, p.restart:
		return p.needless("the image stays the same")
	case len(names) == 0:
		return p.needless("deployment.verifiedIn is not set")
	}
	for _, name := range append([]string{p.env.Stack}, names...) {
		records, err := p.records.List(ctx, environment.StackOf(name), historyLimit)
		switch {
		case err != nil && p.unverified == "":
			return blocking(Verification, hint.With(err, "deployment.verifiedIn needs the records of "+name+
				": allow s3:GetObject and s3:ListBucket, "+
				"or give a reason with --unverified"))
		case history.HasVerified(records, image.Digest):
			return p.needless(image.Tag + " (" + awsx.ShortDigest(image.Digest) + ") was verified healthy in " + name)
		}
	}
	problem := fmt.Sprintf("%s (%s) was not verified healthy in %s, within its last %d deployments", image.Tag, awsx.ShortDigest(image.Digest),
		strings.Join(names, " or "), historyLimit)
	if p.unverified != "" {
		p.passed = p.unverified
		return []Problem{{Check: Verification, Message: problem + "; it is deployed all the same: " + p.unverified, Hint: "verify it in " + names[0] + " next time"}}
	}
	return blocking(Verification, hint.With(fmt.Errorf("%s", problem),
		fmt.Sprintf("deploy it there first: `deployer up --env %s --image-tag %s`; "+
			"or give a reason with --unverified, which the record keeps",
			environment.StackOf(names[0]), imageName(image))))
}

// needless returns a warning where a reason was given with --unverified that was not needed, so that the record has it all the
// same.
func (p *preflight) needless(why string) []Problem {
	if p.unverified == "" {
		return nil
	}
	message := fmt.Sprintf("--unverified (%s) was not needed: %s", p.unverified, why)
	return []Problem{{Check: Verification, Message: message, Hint: "leave --unverified out"}}
}

// imageName returns what names an image in a command: TAG@DIGEST, or the digest where no tag is known.
func imageName(image *Image) string {
	if tagPattern.MatchString(image.Tag) {
		return image.Tag + "@" + image.Digest
	}
	return image.Digest
}

// ImageChange describes a change of the image for the question that precedes it.
type ImageChange struct {
	// Name names the new image by its digest, as Request.Tag, and New in words; Reference is repository@digest. They are "" where the image
	// stays the same.
	Name, Reference string
	// Running is what runs now, in words.
	New, Running string
}

// DescribeChange resolves an image, and describes it and what runs. The name is a tag, a digest or TAG@DIGEST; "" is the running image.
func DescribeChange(ctx context.Context, cfg aws.Config, env *environment.Environment, name string) (ImageChange, error) {
	images := ecr.NewFromConfig(cfg)
	change := ImageChange{Running: DescribeRunning(ctx, cfg, env)}
	if name == "" {
		return change, nil
	}
	image, err := FindImage(ctx, images, env, name)
	if err != nil {
		return ImageChange{}, err
	}
	change.Name, change.Reference, change.New = imageName(image), image.Reference, image.Tag+" ("+image.Digest+")"
	return change, nil
}

// DescribeRunning returns what runs, as the end of a sentence about the environment.
func DescribeRunning(ctx context.Context, cfg aws.Config, env *environment.Environment) string {
	images := ecr.NewFromConfig(cfg)
	running, err := RunningImages(ctx, ecs.NewFromConfig(cfg), env)
	if err != nil {
		return "what it runs could not be read: " + err.Error()
	}
	var names []string
	for _, r := range running {
		name := awsx.ShortDigest(r.Digest)
		if image, err := FindImage(ctx, images, env, r.Digest); err == nil && image.Tag != name {
			name = image.Tag + " (" + name + ")"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "runs nothing yet"
	}
	return "runs " + text.Join(names, "and")
}
