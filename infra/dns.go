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

// DNSArgs are the arguments of DNS.
type DNSArgs struct {
	Env *environment.Environment
	// ZoneID is the ID of the shared hosted zone; the other two are the load balancer's own name and zone.
	ZoneID, BalancerDNSName, BalancerZoneID pulumi.StringInput
}

// NewDNS declares DNS. The AAAA record returns nothing as long as the load balancer has no IPv6 address.
func NewDNS(ctx *pulumi.Context, name string, args *DNSArgs, opts ...pulumi.ResourceOption) (*DNS, error) {
	c := &DNS{}
	child, err := declare(ctx, "DNS", name, c, opts)
	if err != nil {
		return nil, err
	}
	for _, kind := range []string{"A", "AAAA"} {
		if _, err := route53.NewRecord(ctx, name+"-"+strings.ToLower(kind), &route53.RecordArgs{
			ZoneId: args.ZoneID,
			Name:   pulumi.String(args.Env.Domain.Name),
			Type:   pulumi.String(kind),
			Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name:   args.BalancerDNSName,
				ZoneId: args.BalancerZoneID,
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
