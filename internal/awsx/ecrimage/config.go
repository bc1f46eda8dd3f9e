package ecrimage

import "time"

// A Config is what is read of an image's configuration.
// Source: https://github.com/opencontainers/image-spec/blob/main/config.md
type Config struct {
	Platform
	// Created is RFC 3339, "" where the configuration does not have it.
	Created string `json:"created"`
	Config  struct {
		Labels map[string]string `json:"Labels"`
	} `json:"config"`
}

// createdLabel declares the label with the time of the build, or of the commit where builds are reproducible.
// Source: https://github.com/opencontainers/image-spec/blob/main/annotations.md
const createdLabel = "org.opencontainers.image.created"

// earliestCreation precedes any container image: reproducible builds without a time have that of the Unix epoch or of a file
// system's.
var earliestCreation = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// CreatedAt returns when the image was created: the time in its label, else in its configuration; zero where neither has one.
// Where the build was given SOURCE_DATE_EPOCH, it is the time of the commit.
// Source: https://docs.docker.com/build/ci/github-actions/reproducible-builds/
func (c Config) CreatedAt() time.Time {
	for _, text := range []string{c.Config.Labels[createdLabel], c.Created} {
		if at, err := time.Parse(time.RFC3339, text); err == nil && at.After(earliestCreation) {
			return at.UTC()
		}
	}
	return time.Time{}
}
