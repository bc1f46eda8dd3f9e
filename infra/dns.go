package infra

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// DNS has the alias records of the environment's domain. It is separate from Certificate, which is validated while the
// load balancer is being created.
type DNS struct {
	pulumi.ResourceState
}

// NewDNS declares DNS in the shared hosted zone. The AAAA record returns nothing as long as the load balancer has no IPv6
// address.
func NewDNS(
	ctx *pulumi.Context, name string, env *environment.Environment, zoneID pulumi.StringInput, balancer *Balancer,
	opts ...pulumi.ResourceOption,
) (*DNS, error) {
	c := &DNS{}
	child, err := declare(ctx, "DNS", name, c, opts)
	if err != nil {
		return nil, err
	}
	for _, kind := range []string{"A", "AAAA"} {
		if _, err := route53.NewRecord(ctx, name+"-"+strings.ToLower(kind), &route53.RecordArgs{
			ZoneId: zoneID,
			Name:   pulumi.String(env.Domain.Name),
			Type:   pulumi.String(kind),
			Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name:   balancer.DNSName,
				ZoneId: balancer.ZoneID,
				// There is no other target: an error of an unhealthy one is more useful than no address.
				EvaluateTargetHealth: pulumi.Bool(false),
			}},
		}, child); err != nil {
			return nil, err
		}
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// IsDomainRecord reports whether a URN is that of the A record of the environment's domain.
func IsDomainRecord(urn string) bool {
	return strings.HasSuffix(urn, componentPrefix+"DNS$aws:route53/record:Record::dns-a")
}

// Zone is the hosted zone of the root domain. It is in use once the registrar delegates the domain to its name servers.
type Zone struct {
	pulumi.ResourceState

	ID, ARN pulumi.StringOutput
	// NameServers are to be entered at the registrar.
	NameServers pulumi.StringArrayOutput
}

// NewZone declares a Zone, and the authority that may issue certificates for its names. Deleting a zone that has
// records of others fails.
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
	// Only ACM issues certificates for the domain and its subdomains, wildcards included. A host with a CAA record of
	// its own can have another authority.
	// Source: https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
	if _, err := route53.NewRecord(ctx, name+"-caa", &route53.RecordArgs{
		ZoneId: zone.ZoneId, Name: pulumi.String(root), Type: pulumi.String("CAA"), Ttl: pulumi.Int(3600),
		Records: pulumi.StringArray{pulumi.String(`0 issue "amazon.com"`)},
	}, child); err != nil {
		return nil, err
	}
	return c, finish(ctx, name, c, pulumi.Map{"zoneId": c.ID, "nameServers": c.NameServers})
}
