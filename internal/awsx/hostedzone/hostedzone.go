// Package hostedzone finds public hosted zones of Route 53 by name, and compares DNS names.
package hostedzone

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// Client is the part of Route 53 that lists hosted zones by name.
type Client interface {
	ListHostedZonesByName(
		context.Context, *route53.ListHostedZonesByNameInput, ...func(*route53.Options),
	) (*route53.ListHostedZonesByNameOutput, error)
}

// Public returns the public hosted zones of a domain: none, one, or where several were created for it, all of them. It sends one
// call, because Route 53 lists the zones of the name first.
// Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html
func Public(ctx context.Context, client Client, domain string) ([]types.HostedZone, error) {
	out, err := client.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: &domain})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out.HostedZones, func(z types.HostedZone) bool {
		return !SameName(aws.ToString(z.Name), domain) || z.Config != nil && z.Config.PrivateZone
	}), nil
}

// ID returns the zone's ID without the path that Route 53 puts before it.
func ID(zone types.HostedZone) string {
	return strings.TrimPrefix(aws.ToString(zone.Id), "/hostedzone/")
}

// NormalName returns a DNS name in lower case, without the final dot, and with an asterisk where Route 53 writes \052.
// Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
func NormalName(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.ReplaceAll(name, `\052`, "*"), "."))
}

// NormalNames returns the names normalised and sorted, so that lists can be compared.
func NormalNames(names []string) []string {
	normal := make([]string, 0, len(names))
	for _, name := range names {
		normal = append(normal, NormalName(name))
	}
	slices.Sort(normal)
	return normal
}

// SameName reports whether two DNS names are the same name, however they are written.
func SameName(a, b string) bool { return NormalName(a) == NormalName(b) }
