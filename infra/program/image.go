package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// imageKey is the configuration key of the image to deploy where none was deployed yet.
const imageKey = "v3-backend:image"

// errNoImage says that nothing is known that could run.
var errNoImage = errors.New("the stack has no image yet: deploy one with the deployer (deployer up --image-tag TAG), " +
	"or name one with: pulumi config set image REPOSITORY@sha256:DIGEST")

// chooseImage decides what the services run: the image that the stack has recorded, else the configured one, else, in
// a preview only, a placeholder. A plain pulumi command thus never changes what runs.
func chooseImage(env *environment.Environment, recorded, configured string, preview bool) (string, error) {
	switch {
	case recorded != "":
		return recorded, nil
	case configured != "":
		if !strings.Contains(configured, "@sha256:") {
			return "", fmt.Errorf("the image %q in %s is no digest: give REPOSITORY@sha256:DIGEST", configured, imageKey)
		}
		return configured, nil
	case preview:
		return env.ImageReference("sha256:" + strings.Repeat("0", 64)), nil
	}
	return "", errNoImage
}

// recordedImage reads the output "image" of the stack itself, "" where it has none. It asks the engine for the outputs
// directly, as a StackReference does: being a resource, that would stand in the stack's state, where the deployer's
// runs of the same program would find nothing to match it.
func recordedImage(ctx *pulumi.Context) (string, error) {
	stackName := ctx.Organization() + "/" + ctx.Project() + "/" + ctx.Stack()
	var state struct {
		Outputs map[string]any `pulumi:"outputs"`
	}
	if err := ctx.Invoke("pulumi:pulumi:readStackOutputs", map[string]any{"name": stackName}, &state); err != nil {
		return "", fmt.Errorf("read the outputs of %s: %w", stackName, err)
	}
	image, _ := state.Outputs["image"].(string)
	return image, nil
}
