package infra

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// DNS points the environment's domain at its load balancer, apart from the certificate, which is to be validated
// while the load balancer is still being made.
type DNS struct {
	pulumi.ResourceState
}

// DNSArgs is what DNS needs to know.
type DNSArgs struct {
	Env *environment.Environment
	// ZoneID is the shared hosted zone; the Balancer values are the load balancer's own name and zone.
	ZoneID, BalancerDNSName, BalancerZoneID pulumi.StringInput
}

// NewDNS declares DNS. The AAAA record answers nothing as long as the load balancer has no IPv6 address, and needs no
// change on the day when it gets one.
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
				// There is nowhere else to go to: an unhealthy answer says more than none.
				EvaluateTargetHealth: pulumi.Bool(false),
			}},
		}, child); err != nil {
			return nil, err
		}
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// IsDomainRecord reports whether a URN is that of the record that points the environment's domain at its load balancer.
func IsDomainRecord(urn string) bool {
	return strings.HasSuffix(urn, componentPrefix+"DNS$aws:route53/record:Record::dns-a")
}
