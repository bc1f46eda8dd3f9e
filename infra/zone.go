package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Zone is the hosted zone of the root domain. It is in use once the registrar delegates the domain to its name servers.
type Zone struct {
	pulumi.ResourceState

	ID, ARN pulumi.StringOutput
	// NameServers are to be entered at the registrar.
	NameServers pulumi.StringArrayOutput
}

// NewZone declares a Zone. Deleting one that has records fails.
func NewZone(ctx *pulumi.Context, name string, shared *environment.Shared, opts ...pulumi.ResourceOption) (*Zone, error) {
	c := &Zone{}
	child, err := declare(ctx, "Zone", name, c, opts)
	if err != nil {
		return nil, err
	}
	root := shared.RootDomain
	zone, err := route53.NewZone(ctx, name, &route53.ZoneArgs{
		Name:         pulumi.String(root),
		Comment:      pulumi.String("Shared by the environments of " + shared.Prefix),
		ForceDestroy: pulumi.Bool(false),
		Tags:         withName(shared.Tags(), root),
	}, child)
	if err != nil {
		return nil, err
	}
	c.ID, c.ARN, c.NameServers = zone.ZoneId, zone.Arn, zone.NameServers
	return c, finish(ctx, name, c, pulumi.Map{"zoneId": c.ID, "nameServers": c.NameServers})
}
