package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/environment"
)

// tagRunningImage tags the image that runs, and the one that ran before it, in the registry: its lifecycle policy knows nothing of
// what runs, but keeps these tags. A mark that cannot be set is a warning: the image stays until the policy's limit.
func (d *deployment) tagRunningImage(ctx context.Context, log phaseLog) {
	client := ecr.NewFromConfig(d.AWS)
	running := environment.RunningTag(d.Env.Name)
	before, err := FindImage(ctx, client, d.Env, running)
	switch {
	case err == nil && before.Digest == d.image.Digest:
		return
	case err == nil:
		err = tagImage(ctx, client, d.Env, before.Digest, environment.PreviousTag(d.Env.Name))
	default:
		// Nothing was marked before; should the registry be out of reach, the next call says so.
		err = nil
	}
	if err = errors.Join(err, tagImage(ctx, client, d.Env, d.image.Digest, running)); err != nil {
		d.warn(log, "the registry may expire the image that runs: "+err.Error())
	}
}

// tagImage moves a tag to an image, by putting its manifest again.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
func tagImage(ctx context.Context, client *ecr.Client, env *environment.Environment, digest, tag string) error {
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &env.Image.Repository, ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
		AcceptedMediaTypes: manifestTypes(),
	})
	if err != nil {
		return fmt.Errorf("read the manifest of %s: %w", shortDigest(digest), err)
	}
	if len(out.Images) == 0 {
		return fmt.Errorf("read the manifest of %s: the registry has none", shortDigest(digest))
	}
	_, err = client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: &env.Image.Repository, ImageTag: aws.String(tag),
		ImageManifest: out.Images[0].ImageManifest, ImageManifestMediaType: out.Images[0].ImageManifestMediaType,
	})
	var already *types.ImageAlreadyExistsException
	if err != nil && !errors.As(err, &already) {
		return fmt.Errorf("tag %s as %s: %w", shortDigest(digest), tag, err)
	}
	return nil
}
