package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
)

// tagRunningImage tags the running image and its predecessor in the registry, whose lifecycle policy keeps images with these tags.
// A failure is a warning: the image stays until the policy's limit.
func (d *deployment) tagRunningImage(ctx context.Context, log phaseLog) {
	client, env := ecr.NewFromConfig(d.deps.AWS), d.deps.Env
	running := environment.RunningTag(env.Name)
	previous, err := FindImage(ctx, client, env, running)
	switch {
	case err == nil && previous.Digest == d.image.Digest:
		return
	case err == nil:
		err = tagImage(ctx, client, env, previous.Digest, environment.PreviousTag(env.Name))
	default:
		// Nothing has the tag yet; where the registry cannot be reached, the next call reports it.
		err = nil
	}
	if err = errors.Join(err, tagImage(ctx, client, env, d.image.Digest, running)); err != nil {
		d.warn(log, "the registry may expire the running image: "+err.Error())
	}
}

// tagImage moves a tag to an image by putting its manifest again.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
func tagImage(ctx context.Context, client *ecr.Client, env *environment.Environment, digest, tag string) error {
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &env.Image.Repository, ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
		AcceptedMediaTypes: ecrimage.ManifestTypes(),
	})
	if err == nil && len(out.Images) == 0 {
		err = errors.New("the registry returned none")
	}
	if err != nil {
		return fmt.Errorf("read the manifest of %s: %w", awsx.ShortDigest(digest), err)
	}
	_, err = client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: &env.Image.Repository, ImageTag: aws.String(tag),
		ImageManifest: out.Images[0].ImageManifest, ImageManifestMediaType: out.Images[0].ImageManifestMediaType,
	})
	var already *types.ImageAlreadyExistsException
	if err != nil && !errors.As(err, &already) {
		return fmt.Errorf("tag %s as %s: %w", awsx.ShortDigest(digest), tag, err)
	}
	return nil
}
