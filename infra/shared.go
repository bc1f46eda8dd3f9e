package infra

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// DeployShared returns the program of the shared stack: the hosted zone, the image repository, the permissions boundary,
// and GitHub's roles. All of it is protected, since every environment depends on it. endpointURL is an AWS-compatible
// endpoint, or "" for AWS.
func DeployShared(shared *environment.Shared, endpointURL string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		provider, err := newProvider(ctx, shared.Region, shared.Account, endpointURL)
		if err != nil {
			return err
		}
		opts := []pulumi.ResourceOption{pulumi.Providers(provider), pulumi.Protect(true)}
		zone, err := NewZone(ctx, "zone", shared, opts...)
		if err != nil {
			return err
		}
		registry, err := NewRegistry(ctx, "registry", shared, opts...)
		if err != nil {
			return err
		}
		if _, err := NewBoundary(ctx, "boundary", shared, registry.ARN, opts...); err != nil {
			return err
		}
		args := &DeliveryArgs{Shared: shared, RepositoryARN: registry.ARN, ZoneARN: zone.ARN}
		delivery, err := NewDelivery(ctx, "delivery", args, opts...)
		if err != nil {
			return err
		}
		ctx.Export("zoneId", zone.ID)
		ctx.Export("nameServers", zone.NameServers)
		ctx.Export("repositoryUrl", registry.URL)
		ctx.Export("deployRoleArn", delivery.DeployRoleARN)
		ctx.Export("productionDeployRoleArn", delivery.ProductionRoleARN)
		ctx.Export("readRoleArn", delivery.ReadRoleARN)
		return nil
	}
}
