package environment

import "strings"

// CPUArchitecture returns the architecture of the tasks, as task definitions name it.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
func (e *Environment) CPUArchitecture() string { return strings.ToUpper(string(e.Image.Architecture)) }

// Platform returns the platform of the tasks, as image indexes name it.
// Source: https://github.com/opencontainers/image-spec/blob/main/image-index.md
func (e *Environment) Platform() string {
	if e.Image.Architecture == ARM64 {
		return "linux/arm64"
	}
	return "linux/amd64"
}
