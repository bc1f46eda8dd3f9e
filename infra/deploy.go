package infra

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Release is what one run of the program brings to an environment.
type Release struct {
	// Image is the image that every task definition gets: repository@sha256:…, never a tag.
	Image string
	// Recorded is the image that the stack's output "image" names after this run. Until the services run Image, it is
	// the one before, or "" for none.
	Recorded string
	// EndpointURL is an AWS-compatible endpoint, or "" for AWS itself.
	EndpointURL string
}

// Deploy returns the program of an environment's stack.
func Deploy(env *environment.Environment, r Release) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		if _, err := newProvider(ctx, env.Region, env.Account, r.EndpointURL); err != nil {
			return err
		}
		ctx.Export("image", pulumi.String(r.Recorded))
		ctx.Export("url", pulumi.String(env.URL()))
		return nil
	}
}

// DeployShared returns the program of the stack that an account's environments share.
func DeployShared(shared *environment.Shared, endpointURL string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		_, err := newProvider(ctx, shared.Region, shared.Account, endpointURL)
		return err
	}
}
