package release

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

func TestEvaluatePlatform(t *testing.T) {
	for name, test := range map[string]struct {
		platforms []string
		want      string
	}{
		"the tasks'":          {[]string{"linux/amd64"}, ""},
		"one of several":      {[]string{"linux/arm64", "linux/amd64"}, ""},
		"another":             {[]string{"linux/arm64"}, "t is built for linux/arm64, the tasks run on linux/amd64 (X86_64)"},
		"others":              {[]string{"linux/arm64", "windows/amd64"}, "t is built for linux/arm64, windows/amd64, the tasks run on linux/amd64 (X86_64)"},
		"unknown":             {nil, ""},
		"none is named":       {[]string{"", ""}, ""},
		"one that is unnamed": {[]string{"linux/arm64", ""}, "t is built for linux/arm64, the tasks run on linux/amd64 (X86_64)"},
	} {
		t.Run(name, func(t *testing.T) {
			found := evaluatePlatform("t", test.platforms, staging(t), false)
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Equal(t, test.want, found[0].Message)
			require.True(t, found[0].Stops)
			require.False(t, found[0].Transient)
			require.Contains(t, found[0].Hint, "--platform linux/amd64")
		})
	}
}

// Where the tasks get the code of the file, the message names the key, and the hint offers the value that the image is built for.
func TestPlatformByTheFile(t *testing.T) {
	for name, test := range map[string]struct {
		architecture  environment.Architecture
		platforms     []string
		message, hint string
	}{
		"for x86": {environment.ARM64, []string{"linux/amd64"},
			"t is built for linux/amd64, and image.architecture in Pulumi.staging.yaml is arm64 (linux/arm64)",
			"build it with `docker buildx build --platform linux/arm64`, push it, and deploy it; " +
				"or set image.architecture to x86_64 in Pulumi.staging.yaml"},
		"for ARM": {environment.X86, []string{"linux/arm64"},
			"t is built for linux/arm64, and image.architecture in Pulumi.staging.yaml is x86_64 (linux/amd64)",
			"build it with `docker buildx build --platform linux/amd64`, push it, and deploy it; " +
				"or set image.architecture to arm64 in Pulumi.staging.yaml"},
		"for none that tasks run on": {environment.X86, []string{"windows/amd64"},
			"t is built for windows/amd64, and image.architecture in Pulumi.staging.yaml is x86_64 (linux/amd64)",
			"build it with `docker buildx build --platform linux/amd64`, push it, and deploy it"},
	} {
		t.Run(name, func(t *testing.T) {
			env := staging(t)
			env.Image.Architecture = test.architecture
			found := evaluatePlatform("t", test.platforms, env, true)
			require.Len(t, found, 1)
			require.Equal(t, test.message, found[0].Message)
			require.Equal(t, test.hint, found[0].Hint)
		})
	}
}

// A migration runs the task definition that was registered with the image, whatever architecture the file has now.
func TestMigrationKeepsTheArchitecture(t *testing.T) {
	image := &Image{Image: history.Image{Tag: "t", Digest: "sha256:1"}, Platforms: []string{"linux/arm64"}, runs: "sha256:1"}
	refused := fakeAWS(func(any) (any, error) { return nil, errors.New("no") })
	require.NotEmpty(t, platformProblems(t, &preflight{env: staging(t), aws: refused}, image))
	require.Empty(t, platformProblems(t, &preflight{env: staging(t), aws: refused, migrationOnly: true}, image))
}

// platformProblems returns the problems of an image's platform, with the configuration that preflight reads.
func platformProblems(t *testing.T, p *preflight, image *Image) []Problem {
	config, err := p.readImageConfig(t.Context(), image)
	return p.platform(image, config, err)
}

// An index without an image is refused before anything is asked about it.
func TestPlatformOfAnEmptyIndex(t *testing.T) {
	found := platformProblems(t, &preflight{env: staging(t)}, &Image{Image: history.Image{Tag: "t"}, Empty: true})
	require.Len(t, found, 1)
	require.True(t, found[0].Stops)
	require.Equal(t, "t is an index that lists no image, only attestations or nothing", found[0].Message)
}

// configurations answers downloads of images' configurations.
type configurations func(*http.Request) (*http.Response, error)

func (c configurations) Do(in *http.Request) (*http.Response, error) { return c(in) }

// The platform of an image that is no index is in its configuration. The signed URL, with which anyone can read it, is in no error.
func TestReadConfig(t *testing.T) {
	const signed = "https://bucket.example/layer?X-Amz-Signature=5161"
	answer := func(status int, body string) configurations {
		return func(in *http.Request) (*http.Response, error) {
			require.Equal(t, signed, in.URL.String())
			return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	for name, test := range map[string]struct {
		manifest string
		download configurations
		refused  error
		want     string
		err      string
	}{
		"arm64":     {`{"config":{"digest":"sha256:c"}}`, answer(200, `{"os":"linux","architecture":"arm64"}`), nil, "linux/arm64", ""},
		"no config": {`{}`, nil, nil, "", ""},
		"no JSON":   {`{"config":{"digest":"sha256:c"}}`, answer(200, "<html>"), nil, "", "read its configuration: parse it"},
		"refused":   {`{"config":{"digest":"sha256:c"}}`, answer(403, ""), nil, "", "read its configuration: download it from bucket.example: Forbidden"},
		"no network": {`{"config":{"digest":"sha256:c"}}`, func(*http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: signed, Err: errors.New("no route")}
		}, nil, "", "download it from bucket.example: no route"},
		"no permission": {`{"config":{"digest":"sha256:c"}}`, nil, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}, "", "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fakeAWS(func(in any) (any, error) {
				switch in := in.(type) {
				case *ecr.BatchGetImageInput:
					require.NotEmpty(t, in.AcceptedMediaTypes)
					return &ecr.BatchGetImageOutput{Images: []types.Image{{ImageManifest: aws.String(test.manifest)}}}, nil
				case *ecr.GetDownloadUrlForLayerInput:
					require.Equal(t, "sha256:c", *in.LayerDigest)
					return &ecr.GetDownloadUrlForLayerOutput{DownloadUrl: aws.String(signed)}, test.refused
				}
				return nil, fmt.Errorf("unexpected %T", in)
			})
			cfg.HTTPClient = test.download
			got, err := readConfig(t.Context(), cfg, staging(t), "sha256:1")
			require.Equal(t, test.want, got.String())
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
			require.NotContains(t, err.Error(), "5161")
			p := preflight{env: staging(t), aws: cfg}
			problems := platformProblems(t, &p, &Image{Image: history.Image{Tag: "1.0.0", Digest: "sha256:1"}})
			require.Len(t, problems, 1)
			require.False(t, problems[0].Stops)
			require.Contains(t, problems[0].Message, "it is not known whether 1.0.0 is built for linux/amd64")
		})
	}
}

// The image of a deployment has the time of its commit: that of the image of an index which the tasks run. Without it no problem is reported, for only
// statistics need it.
func TestImageHasTheTimeOfItsCommit(t *testing.T) {
	for name, test := range map[string]struct {
		image   Image
		refused error
		reads   string
		want    string
	}{
		"a single image":    {Image{Image: history.Image{Digest: "sha256:1"}}, nil, "sha256:1", "2026-11-23T10:00:00Z"},
		"an index":          {Image{Image: history.Image{Digest: "sha256:2"}, Platforms: []string{"linux/amd64"}, runs: "sha256:3"}, nil, "sha256:3", "2026-11-23T10:00:00Z"},
		"it cannot be read": {Image{Image: history.Image{Digest: "sha256:2"}, Platforms: []string{"linux/amd64"}, runs: "sha256:3"}, errors.New("no"), "sha256:3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fakeAWS(func(in any) (any, error) {
				switch in := in.(type) {
				case *ecr.BatchGetImageInput:
					require.Equal(t, test.reads, *in.ImageIds[0].ImageDigest)
					return &ecr.BatchGetImageOutput{Images: []types.Image{{ImageManifest: aws.String(`{"config":{"digest":"sha256:c"}}`)}}}, test.refused
				case *ecr.GetDownloadUrlForLayerInput:
					return &ecr.GetDownloadUrlForLayerOutput{DownloadUrl: aws.String("https://bucket.example/layer")}, nil
				}
				return nil, fmt.Errorf("unexpected %T", in)
			})
			cfg.HTTPClient = configurations(func(*http.Request) (*http.Response, error) {
				body := `{"os":"linux","architecture":"amd64","created":"2026-11-23T10:00:00Z"}`
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
			})
			p := &preflight{env: staging(t), aws: cfg}
			require.Empty(t, platformProblems(t, p, &test.image))
			config, _ := p.readImageConfig(t.Context(), &test.image)
			if test.want == "" {
				require.Zero(t, config.CreatedAt())
				return
			}
			require.Equal(t, test.want, config.CreatedAt().Format(time.RFC3339))
		})
	}
}

// platformOverTheWire reads the platform of an image at moto, which stores manifests and no layers: it is not known. It shares a server with
// another test.
func platformOverTheWire(t *testing.T, cfg aws.Config, env *environment.Environment) {
	client := ecr.NewFromConfig(cfg)
	_, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &env.Image.Repository})
	require.NoError(t, err)
	push := func(tag, mediaType, manifest string) {
		_, err := client.PutImage(t.Context(), &ecr.PutImageInput{
			RepositoryName: &env.Image.Repository, ImageTag: &tag, ImageManifest: &manifest, ImageManifestMediaType: &mediaType,
		})
		require.NoError(t, err)
	}
	const single = "application/vnd.docker.distribution.manifest.v2+json"
	push("single", single, `{"schemaVersion":2,"mediaType":"`+single+`","config":{"digest":"sha256:c","size":1},"layers":[]}`)
	image, err := FindImage(t.Context(), client, env, "single")
	require.NoError(t, err)
	require.Empty(t, image.Platforms)
	config, err := readConfig(t.Context(), cfg, env, image.Digest)
	require.NoError(t, err)
	require.Empty(t, config)
	require.Empty(t, platformProblems(t, &preflight{env: env, aws: cfg}, image))
}
