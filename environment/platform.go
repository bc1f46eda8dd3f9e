package environment

// CPUArchitecture returns the architecture of the tasks, as task definitions name it. The existing pipelines build the image for it only.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
func (e *Environment) CPUArchitecture() string { return "X86_64" }

// Platform returns the platform of the tasks, as image indexes name it.
// Source: https://github.com/opencontainers/image-spec/blob/main/image-index.md
func (e *Environment) Platform() string {
	if e.CPUArchitecture() == "ARM64" {
		return "linux/arm64"
	}
	return "linux/amd64"
}
