package cloud

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// imageRepository is the repository that has images from the start.
const imageRepository = "balancer-api"

// Registry holds the images by repository name. Images exist independently of a repository's resource.
type Registry struct {
	Images map[string][]*Image `json:"images"`
}

// Image is an image in a repository.
type Image struct {
	Digest string    `json:"digest"`
	Tags   []string  `json:"tags"`
	Pushed time.Time `json:"pushed"`
	// Manifest is the document that Digest is computed from, Config the configuration that it names, which has the image's platform. An index
	// has none.
	Manifest string `json:"manifest"`
	Config   string `json:"config,omitempty"`
}

// The media types of manifests.
const (
	mediaManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
)

// mediaType returns the media type that the image's manifest names.
func (i *Image) mediaType() string {
	if strings.Contains(i.Manifest, mediaIndex) {
		return mediaIndex
	}
	return mediaManifest
}

func (r *Registry) find(repository string, match func(*Image) bool) *Image {
	images := r.Images[repository]
	if i := slices.IndexFunc(images, match); i >= 0 {
		return images[i]
	}
	return nil
}

func (r *Registry) byDigest(repository, digest string) *Image {
	return r.find(repository, func(i *Image) bool { return i.Digest == digest })
}

func (r *Registry) byTag(repository, tag string) *Image {
	return r.find(repository, func(i *Image) bool { return slices.Contains(i.Tags, tag) })
}

// tag moves a tag to an image.
func (r *Registry) tag(repository, tag string, image *Image) {
	for _, other := range r.Images[repository] {
		other.Tags = slices.DeleteFunc(other.Tags, func(t string) bool { return t == tag })
	}
	image.Tags = append(image.Tags, tag)
}

// push adds an image; each content gives another digest.
func (r *Registry) push(repository, content string, at time.Time, tags ...string) *Image {
	config := configOf(content, "amd64", at)
	manifest := manifestOf(content, config)
	return r.add(repository, &Image{Digest: digestOf(manifest), Manifest: manifest, Config: config, Pushed: at}, tags...)
}

// pushIndex adds an index as BuildKit pushes it: of an image for arm64, and of its provenance, which is for no platform.
// https://docs.docker.com/build/metadata/attestations/attestation-storage/
func (r *Registry) pushIndex(repository, content string, at time.Time, tags ...string) *Image {
	config := configOf(content, "arm64", at)
	manifest := manifestOf(content, config)
	child := r.add(repository, &Image{Digest: digestOf(manifest), Manifest: manifest, Config: config, Pushed: at})
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[`+
		`{"mediaType":%q,"size":%d,"digest":%q,"platform":{"architecture":"arm64","os":"linux"}},`+
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":566,"digest":%q,"platform":{"architecture":"unknown","os":"unknown"}}]}`,
		mediaIndex, mediaManifest, len(manifest), child.Digest, digestOf("provenance "+content))
	return r.add(repository, &Image{Digest: digestOf(index), Manifest: index, Pushed: at}, tags...)
}

func (r *Registry) add(repository string, image *Image, tags ...string) *Image {
	if r.Images == nil {
		r.Images = map[string][]*Image{}
	}
	r.Images[repository] = append(r.Images[repository], image)
	for _, tag := range tags {
		r.tag(repository, tag, image)
	}
	return image
}

// manifestOf returns a Docker image manifest, version 2.
// https://distribution.github.io/distribution/spec/manifest-v2-2/
func manifestOf(content, config string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,`+
		`"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":7023,"digest":%q},`+
		`"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":%d,"digest":%q}]}`,
		mediaManifest, digestOf(config), imageSize, digestOf("layer "+content))
}

// untilPushed declares the time from the commit of an image to its push.
const untilPushed = 20 * time.Minute

// configOf returns the configuration of an image that is pushed at a time. It was created when its code was committed, as a
// reproducible build has it.
// https://github.com/opencontainers/image-spec/blob/main/config.md
func configOf(content, architecture string, pushed time.Time) string {
	return fmt.Sprintf(`{"architecture":%q,"os":"linux","created":%q,"rootfs":{"type":"layers","diff_ids":[%q]}}`,
		architecture, pushed.Add(-untilPushed).UTC().Format(time.RFC3339), digestOf("layer "+content))
}

// architectureMatch finds the architecture in an image's configuration, and those of the images in an index.
var architectureMatch = lazyregexp.New(`"architecture":"([a-z0-9]+)"`)

// runsOn reports whether an image is built for an architecture, by its configuration or, of an index, by its manifest.
func (i *Image) runsOn(architecture string) bool {
	return slices.ContainsFunc(architectureMatch.FindAllStringSubmatch(cmp.Or(i.Config, i.Manifest), -1),
		func(found []string) bool { return found[1] == architecture })
}

// armSuffix ends the tag of an image that is built for arm64.
const armSuffix = "-arm64"

// imageSize is the size of every image in bytes.
const imageSize = 187_342_912

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// seedRegistry pushes the images that the local registry has from the start.
func (m model) seedRegistry(stacks []Stack) {
	if len(m.Registry.Images[imageRepository]) > 0 {
		return
	}
	day := 24 * time.Hour
	m.Registry.push(imageRepository, m.derive("image", 1), m.now.Add(-2*day), "1.41.7-9f8e7d6c5")
	newest := []string{"1.41.8-abc123def", "latest"}
	for _, stack := range stacks {
		newest = append(newest, stack.Name+"-latest")
	}
	m.Registry.push(imageRepository, m.derive("image", 2), m.now.Add(-day), newest...)
}

// tagPattern is what ECR accepts as a tag:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
var tagPattern = lazyregexp.New(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// Push adds an image with a new digest under a tag, as `docker push` does. An existing tag moves to it. It is built for linux/amd64, and for
// linux/arm64 where the tag ends with -arm64.
func (a *Account) Push(tag string) (Image, error) {
	if !tagPattern.MatchString(tag) {
		return Image{}, fmt.Errorf("%q is not an image tag: use at most 128 letters, digits, dots, hyphens and underscores", tag)
	}
	var pushed Image
	err := a.Update(func(s *State) error {
		s.Serial++
		m := a.model(s)
		push := s.Registry.push
		if strings.HasSuffix(tag, armSuffix) {
			push = s.Registry.pushIndex
		}
		pushed = *push(imageRepository, m.derive("pushed", tag, m.now, s.Serial), m.now, tag)
		return nil
	})
	return pushed, err
}

// Images returns the account's images, newest first.
func (a *Account) Images() ([]Image, error) {
	var all []Image
	err := a.View(func(s *State) error {
		for _, image := range s.Registry.Images[imageRepository] {
			copied := *image
			copied.Tags = slices.Clone(image.Tags)
			all = append(all, copied)
		}
		slices.SortStableFunc(all, func(x, y Image) int { return y.Pushed.Compare(x.Pushed) })
		return nil
	})
	return all, err
}
