package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// imageKey is the configuration key of the image to deploy if the stack has recorded none.
const imageKey = "v3-backend:image"

var errNoImage = errors.New("the stack has no image yet: deploy one with `deployer up --image-tag TAG`, " +
	"or configure one with: pulumi config set image REPOSITORY@sha256:DIGEST")

// chooseImage returns the image of the services: the one that the stack has recorded, else the configured one, else, in
// a preview only, a placeholder. So a plain pulumi command never changes what runs.
func chooseImage(env *environment.Environment, recorded, configured string, preview bool) (string, error) {
	switch {
	case recorded != "":
		return recorded, nil
	case configured != "":
		if !strings.Contains(configured, "@sha256:") {
			return "", fmt.Errorf("the image %q in %s has no digest: give REPOSITORY@sha256:DIGEST", configured, imageKey)
		}
		return configured, nil
	case preview:
		return env.ImageReference("sha256:" + strings.Repeat("0", 64)), nil
	}
	return "", errNoImage
}

// recordedOutputs returns the outputs of the stack itself. It calls the function of the engine that a StackReference uses. The
// reference itself is a resource: it would be in the state, but not in the deployer's program.
func recordedOutputs(ctx *pulumi.Context) (map[string]any, error) {
	stackName := ctx.Organization() + "/" + ctx.Project() + "/" + ctx.Stack()
	var state struct {
		Outputs map[string]any `pulumi:"outputs"`
	}
	if err := ctx.Invoke("pulumi:pulumi:readStackOutputs", map[string]any{"name": stackName}, &state); err != nil {
		return nil, fmt.Errorf("read the outputs of %s: %w", stackName, err)
	}
	return state.Outputs, nil
}

// recordedDatabaseVersion returns the version of PostgreSQL of the environment that the outputs describe as deployed, or "".
func recordedDatabaseVersion(stack string, outputs map[string]any) (string, error) {
	described, ok := outputs[infra.OutputEnvironment]
	if !ok {
		return "", nil
	}
	deployed, err := environment.DecodeDeployed(stack, described)
	if err != nil {
		return "", err
	}
	return deployed.Database.EngineVersion, nil
}
