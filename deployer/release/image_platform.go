package release

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// maxConfigSize limits an image's configuration, which has a few KiB.
const maxConfigSize = 4 << 20

// platform returns the problem of an image that is built for another platform than the tasks', which would fail in the migration at
// the earliest. Where the platform cannot be read it is a warning. The configuration is that of readImageConfig, or its error.
func (p *preflight) platform(image *Image, config ecrimage.Config, err error) []Problem {
	if image.Empty {
		return []Problem{{
			Check: "platform", Stops: true, Message: image.Tag + " is an index that lists no image, only attestations or nothing",
			Hint: "build it with `docker buildx build --platform " + p.env.Platform() + "`, push it, and deploy it",
		}}
	}
	platforms := image.Platforms
	if len(platforms) == 0 {
		platforms = []string{config.String()}
	} else {
		err = nil // the index names them
	}
	if err != nil {
		return []Problem{{
			Check: "platform", Message: fmt.Sprintf("it is not known whether %s is built for %s: %v", image.Tag, p.env.Platform(), err),
			Hint: "allow ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, or check it with `docker buildx imagetools inspect`",
		}}
	}
	if p.migrationOnly {
		return nil // its task definition was registered with the image, and with the architecture of that time
	}
	return evaluatePlatform(image.Tag, platforms, p.env, p.appliesFile)
}

// PlatformProblems returns why a deployment by the environment's file would refuse an image because of its platform.
func PlatformProblems(ctx context.Context, cfg aws.Config, env *environment.Environment, reference string) ([]Problem, error) {
	image, err := FindImage(ctx, ecr.NewFromConfig(cfg), env, awsx.DigestOf(reference))
	if err != nil {
		return nil, err
	}
	byFile := &preflight{env: env, aws: cfg, appliesFile: true}
	config, err := byFile.readImageConfig(ctx, image)
	return list.Filter(byFile.platform(image, config, err), func(p Problem) bool { return p.Stops }), nil
}

// readImageConfig reads the configuration of the image that the tasks run; an index that lists no image has none.
func (p *preflight) readImageConfig(ctx context.Context, image *Image) (ecrimage.Config, error) {
	if image.Empty {
		return ecrimage.Config{}, nil
	}
	return readConfig(ctx, p.aws, p.env, cmp.Or(image.runs, image.Digest))
}

// evaluatePlatform compares the platforms of an image with the tasks', which is that of the environment's file or of the code that
// is deployed with the image. It is not known where none is named.
func evaluatePlatform(tag string, platforms []string, env *environment.Environment, byFile bool) []Problem {
	want := env.Platform()
	named := list.Filter(platforms, func(platform string) bool { return platform != "" })
	if len(named) == 0 || slices.Contains(named, want) {
		return nil
	}
	problem := Problem{
		Check: "platform", Stops: true,
		Message: fmt.Sprintf("%s is built for %s, the tasks run on %s (%s)", tag, strings.Join(named, ", "), want, env.CPUArchitecture()),
		Hint:    "build it with `docker buildx build --platform " + want + "`, push it, and deploy it",
	}
	if byFile {
		file := environment.FileName(env.Stack)
		problem.Message = fmt.Sprintf("%s is built for %s, and image.architecture in %s is %s (%s)",
			tag, strings.Join(named, ", "), file, env.Image.Architecture, want)
		for _, other := range []environment.Architecture{environment.X86, environment.ARM64} {
			if slices.Contains(named, other.Platform()) {
				problem.Hint += fmt.Sprintf("; or set image.architecture to %s in %s", other, file)
			}
		}
	}
	return []Problem{problem}
}

// readConfig reads the configuration of an image that is no index; an empty one where an emulator has no layers.
func readConfig(ctx context.Context, cfg aws.Config, env *environment.Environment, digest string) (ecrimage.Config, error) {
	var config ecrimage.Config
	client := ecr.NewFromConfig(cfg)
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &env.Image.Repository, ImageIds: []types.ImageIdentifier{{ImageDigest: &digest}},
		AcceptedMediaTypes: ecrimage.ManifestTypes(),
	})
	if err == nil && len(out.Images) == 0 {
		err = errors.New("the registry returned none")
	}
	if err != nil {
		return config, fmt.Errorf("read its manifest: %w", err)
	}
	configDigest, err := ecrimage.ConfigDigest(aws.ToString(out.Images[0].ImageManifest))
	if err != nil || configDigest == "" {
		return config, err
	}
	layer, err := client.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RepositoryName: &env.Image.Repository, LayerDigest: &configDigest,
	})
	if cfg.BaseEndpoint != nil && isUnavailable(err) {
		return config, nil
	}
	if err == nil {
		config, err = downloadConfig(ctx, cfg, aws.ToString(layer.DownloadUrl))
	}
	if err != nil {
		return config, fmt.Errorf("read its configuration: %w", err)
	}
	return config, nil
}

// downloadConfig returns the configuration at a URL that AWS has signed. The URL is a credential and in no error.
func downloadConfig(ctx context.Context, cfg aws.Config, signed string) (ecrimage.Config, error) {
	var config ecrimage.Config
	in, err := http.NewRequestWithContext(ctx, http.MethodGet, signed, nil)
	if err != nil {
		return config, errors.New("AWS returned no valid URL for it")
	}
	client := cfg.HTTPClient
	if client == nil {
		client = awshttp.NewBuildableClient()
	}
	response, err := client.Do(in)
	if err != nil {
		return config, fmt.Errorf("download it from %s: %w", in.URL.Host, sanitize.WithoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return config, fmt.Errorf("download it from %s: %s", in.URL.Host, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxConfigSize)).Decode(&config); err != nil {
		return config, fmt.Errorf("parse it: %w", err)
	}
	return config, nil
}
