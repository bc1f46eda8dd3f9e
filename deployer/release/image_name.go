package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// shortDigest matches the beginning of a digest, as `deployer images` prints it; without sha256: it may also be a tag.
var shortDigest = lazyregexp.New(`^(sha256:)?[0-9a-f]{7,64}$`)

// ImageName returns the tag, the digest or TAG@DIGEST of a whole reference, REPOSITORY:TAG@DIGEST, to an image of the environment's repository.
// It returns every other name as it is, and an error for a reference to another repository.
func ImageName(env *environment.Environment, name string) (string, error) {
	if strings.HasPrefix(name, "sha256:") && !ValidImage(name) {
		return "", hint.With(fmt.Errorf("%q is not a digest", name), "a digest has sha256: and 64 hexadecimal digits, of which at least the first 7 are needed")
	}
	slash := strings.LastIndex(name, "/")
	repository, digest, _ := strings.Cut(name, "@")
	tag := ""
	if colon := strings.LastIndex(repository, ":"); colon > slash {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	own := repository == env.RepositoryURL() || repository == env.Image.Repository
	switch {
	case strings.HasPrefix(name, "arn:"), !own && slash < 0, !strings.ContainsAny(name, ":@/"):
		return name, nil
	case !own:
		return "", hint.With(fmt.Errorf("%s is an image of %s, and %s runs images of %s", name, repository, env.Name, env.RepositoryURL()),
			"push it there, and give its tag")
	case digest == "":
		return tag, nil
	case tag == "":
		return digest, nil
	}
	return tag + "@" + digest, nil
}

// AmbiguousDigestError reports the beginning of a digest that several images have.
type AmbiguousDigestError struct {
	Repository, Short string
	// Digests are those of the images, sorted.
	Digests []string
}

func (e *AmbiguousDigestError) Error() string {
	return fmt.Sprintf("%d images of %s have digests that begin with %s: %s", len(e.Digests), e.Repository, e.Short, strings.Join(e.Digests, ", "))
}

// Hint returns what to give instead.
func (e *AmbiguousDigestError) Hint() string { return "give more digits, or the tag" }

// wholeDigest returns the digest of the image whose digest begins with the digits of a short one; "" where there is none.
func wholeDigest(ctx context.Context, client ecrimage.Client, env *environment.Environment, short string) (string, error) {
	details, err := listImages(ctx, client, env, nil)
	if err != nil {
		return "", err
	}
	begin := "sha256:" + strings.TrimPrefix(short, "sha256:")
	all := list.Map(details, func(detail types.ImageDetail) string { return aws.ToString(detail.ImageDigest) })
	found := list.Filter(all, func(digest string) bool { return strings.HasPrefix(digest, begin) })
	slices.Sort(found)
	switch found = slices.Compact(found); len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", &AmbiguousDigestError{Repository: env.Image.Repository, Short: begin, Digests: found}
}
