// Command program runs the infrastructure program with the plain pulumi command. The deployer runs it in its own process
// instead.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

func main() { pulumi.Run(program(os.Getenv("AWS_ENDPOINT_URL"))) }

func program(endpointURL string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		if ctx.Stack() == environment.SharedStack {
			return runShared(ctx, endpointURL)
		}
		return runEnvironment(ctx, endpointURL)
	}
}

func runShared(ctx *pulumi.Context, endpointURL string) error {
	value, err := configValue(ctx, environment.SharedKey)
	if err != nil {
		return err
	}
	shared, err := environment.DecodeShared(value)
	if err != nil {
		return err
	}
	if err := shared.Resolve(ctx.RootDirectory()); err != nil {
		return err
	}
	return infra.DeployShared(shared, endpointURL)(ctx)
}

func runEnvironment(ctx *pulumi.Context, endpointURL string) error {
	value, err := configValue(ctx, environment.Key)
	if err != nil {
		return err
	}
	env, err := environment.Decode(ctx.Stack(), value)
	if err != nil {
		return err
	}
	outputs, err := recordedOutputs(ctx)
	if err != nil {
		return err
	}
	version, err := recordedDatabaseVersion(ctx.Stack(), outputs)
	if err != nil {
		return err
	}
	recorded, _ := outputs[infra.OutputImage].(string)
	configured, _ := ctx.GetConfig(imageKey)
	image, err := chooseImage(env, recorded, configured, ctx.DryRun())
	if err != nil {
		return err
	}
	return infra.Deploy(env, infra.Release{Image: image, RecordedImage: image, DatabaseVersion: version, EndpointURL: endpointURL})(ctx)
}

// configValue returns the object under a key of the stack's file, which Pulumi passes as JSON.
func configValue(ctx *pulumi.Context, key string) ([]byte, error) {
	value, ok := ctx.GetConfig(key)
	if !ok {
		return nil, fmt.Errorf("%s has no %q", environment.FileName(ctx.Stack()), key)
	}
	return []byte(value), nil
}
