package infra

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// componentPrefix is the prefix of the types of this program's components.
const componentPrefix = "v3-backend:infra:"

// declare registers a component and returns the option that makes resources its children.
func declare(
	ctx *pulumi.Context, kind, name string, c pulumi.ComponentResource, opts []pulumi.ResourceOption,
) (pulumi.ResourceOption, error) {
	if err := ctx.RegisterComponentResource(componentPrefix+kind, name, c, opts...); err != nil {
		return nil, fmt.Errorf("declare the component %s: %w", name, err)
	}
	return pulumi.Parent(c), nil
}

// finish registers a component's outputs, which ends its construction.
func finish(ctx *pulumi.Context, name string, c pulumi.ComponentResource, outputs pulumi.Map) error {
	if err := ctx.RegisterResourceOutputs(c, outputs); err != nil {
		return fmt.Errorf("register the outputs of %s: %w", name, err)
	}
	return nil
}
