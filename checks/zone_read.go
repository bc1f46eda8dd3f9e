package checks

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/balancer/v3-backend-infra/internal/awsx/hostedzone"
)

// zone is the hosted zone of the root domain.
type zone struct {
	id          string
	nameServers []string
}

// readZoneID returns the ID of the public hosted zone of the environment's root domain, or "" where there is none.
func readZoneID(ctx context.Context, rc *runContext) (string, error) {
	return cached(ctx, &rc.cache, "zone id", func(ctx context.Context) (string, error) {
		zones, err := hostedzone.Public(ctx, route53.NewFromConfig(rc.aws()), rc.env.Domain.Root)
		if err != nil || len(zones) == 0 {
			return "", err
		}
		return aws.ToString(zones[0].Id), nil
	})
}

// readZone returns the public hosted zone of the environment's root domain, or nil where there is none.
func readZone(ctx context.Context, rc *runContext) (*zone, error) {
	return cached(ctx, &rc.cache, "zone", func(ctx context.Context) (*zone, error) {
		id, err := readZoneID(ctx, rc)
		if err != nil || id == "" {
			return nil, err
		}
		found := zone{id: id}
		got, err := route53.NewFromConfig(rc.aws()).GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: aws.String(id)})
		if err != nil {
			return nil, err
		}
		if got.DelegationSet != nil {
			found.nameServers = got.DelegationSet.NameServers
		}
		return &found, nil
	})
}

// readRecords returns the records of the zone, none where there is no zone.
func readRecords(ctx context.Context, rc *runContext) ([]r53types.ResourceRecordSet, error) {
	return cached(ctx, &rc.cache, "records", func(ctx context.Context) ([]r53types.ResourceRecordSet, error) {
		id, err := readZoneID(ctx, rc)
		if err != nil || id == "" {
			return nil, err
		}
		return pages(ctx, route53.NewListResourceRecordSetsPaginator(route53.NewFromConfig(rc.aws()), &route53.ListResourceRecordSetsInput{
			HostedZoneId: aws.String(id),
		}), func(out *route53.ListResourceRecordSetsOutput) []r53types.ResourceRecordSet {
			return out.ResourceRecordSets
		})
	})
}

// readDelegation returns the name servers that DNS has for the root domain, as set at the registrar.
func readDelegation(ctx context.Context, rc *runContext) ([]string, error) {
	return cached(ctx, &rc.cache, "delegation", func(ctx context.Context) ([]string, error) {
		found, err := rc.src.Network.Resolver.LookupNS(ctx, rc.env.Domain.Root)
		if isNotFound(err) {
			return []string{}, nil
		}
		if err != nil {
			return nil, err
		}
		var names []string
		for _, ns := range found {
			names = append(names, ns.Host)
		}
		return hostedzone.NormalNames(names), nil
	})
}

// isDelegated reports whether every name server at the registrar is one of the zone's.
func isDelegated(zone *zone, registrar []string) bool {
	if zone == nil || len(registrar) == 0 {
		return false
	}
	own := hostedzone.NormalNames(zone.nameServers)
	return !slices.ContainsFunc(hostedzone.NormalNames(registrar), func(name string) bool { return !slices.Contains(own, name) })
}
