package environment

import "strings"

// FargateSpot declares the capacity provider of services with spot: true.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
const FargateSpot = "FARGATE_SPOT"

// CPUArchitecture returns the architecture of the tasks, as task definitions name it.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
func (e *Environment) CPUArchitecture() string { return strings.ToUpper(string(e.Image.Architecture)) }

// Platform returns the platform of the tasks, as image indexes name it.
// Source: https://github.com/opencontainers/image-spec/blob/main/image-index.md
func (e *Environment) Platform() string { return e.Image.Architecture.Platform() }

// Platform returns the platform of tasks on an architecture.
func (a Architecture) Platform() string {
	if a == ARM64 {
		return "linux/arm64"
	}
	return "linux/amd64"
}
