package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/hostedzone"
	"github.com/balancer/v3-backend-infra/internal/list"
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
		return awsx.Pages(ctx, route53.NewListResourceRecordSetsPaginator(route53.NewFromConfig(rc.aws()), &route53.ListResourceRecordSetsInput{
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
		if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
			return []string{}, nil
		}
		if err != nil {
			return nil, err
		}
		return hostedzone.NormalNames(list.Map(found, func(ns *net.NS) string { return ns.Host })), nil
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

func evaluateZone(zone *zone, env *environment.Environment) Finding {
	f := newFinding("hosted_zone", "Route53-Zone-"+env.Domain.Root)
	if zone == nil {
		return f.error("ZoneMissing", sharedHint("the account was never bootstrapped, or the zone was deleted"),
			"the public hosted zone %s does not exist", env.Domain.Root)
	}
	f = f.with("id", awsx.NameFromARN(zone.id)).with("name_servers", zone.nameServers)
	if len(zone.nameServers) == 0 {
		return f.warning("NoNameServers", sharedHint("Route 53 returns none for the zone"), "the zone %s has no name servers", env.Domain.Root)
	}
	return f.healthy("ZoneExists", "%s, %d name servers", env.Domain.Root, len(zone.nameServers))
}

// sharedHint returns the hint for a resource of the stack that all environments of an account share.
func sharedHint(cause string) Hint {
	return Hint{Cause: cause, Solution: "deploy the shared stack", Command: "deployer bootstrap"}
}

func checkDelegation(ctx context.Context, rc *runContext) ([]Finding, error) {
	zone, registrar, err := readBoth(ctx, rc, readZone, readDelegation)
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateDelegation(zone, registrar, rc.env)}, nil
}

// evaluateDelegation compares the name servers that DNS returns with those of the zone.
func evaluateDelegation(zone *zone, registrar []string, env *environment.Environment) Finding {
	f := newFinding("delegation", "DNS-Delegation-"+env.Domain.Root).with("registrar", registrar)
	if zone == nil {
		return f.error("ZoneMissing", sharedHint("the account was never bootstrapped, or the zone was deleted"),
			"the hosted zone for %s does not exist", env.Domain.Root)
	}
	f = f.with("zone", hostedzone.NormalNames(zone.nameServers))
	hint := Hint{
		Cause:    "the registrar does not have the zone's name servers, or was changed only recently",
		Solution: "enter the zone's name servers at the registrar: " + strings.Join(hostedzone.NormalNames(zone.nameServers), ", "),
		Command:  "deployer outputs --env shared",
	}
	switch {
	case len(registrar) == 0:
		return f.error("NotDelegated", hint, "DNS returns no name servers for %s", env.Domain.Root)
	case !isDelegated(zone, registrar):
		return f.error("WrongNameServers", hint, "%s is delegated to %s, which are not the zone's name servers",
			env.Domain.Root, strings.Join(registrar, ", "))
	case len(registrar) < len(zone.nameServers):
		return f.warning("PartlyDelegated", hint, "the registrar has %d of the zone's %d name servers", len(registrar), len(zone.nameServers))
	}
	return f.healthy("Delegated", "the registrar has the zone's %d name servers", len(registrar))
}

func checkDNS(ctx context.Context, rc *runContext) ([]Finding, error) {
	records, balancer, err := readBoth(ctx, rc, readRecords, readBalancer)
	if err != nil {
		return nil, err
	}
	return []Finding{
		evaluateAlias(records, r53types.RRTypeA, balancer, rc.env),
		evaluateAlias(records, r53types.RRTypeAaaa, balancer, rc.env),
	}, nil
}

// evaluateAlias evaluates the domain's record of a type, which must be an alias of the load balancer. The AAAA record is needed
// only where the balancer has IPv6 addresses.
func evaluateAlias(
	records []r53types.ResourceRecordSet, kind r53types.RRType, balancer *elbtypes.LoadBalancer, env *environment.Environment,
) Finding {
	f := newFinding("dns", fmt.Sprintf("Route53-Record-%s-%s", env.Domain.Name, kind))
	record := findRecord(records, env.Domain.Name, kind)
	if record == nil {
		if kind == r53types.RRTypeAaaa && (balancer == nil || balancer.IpAddressType != elbtypes.IpAddressTypeDualstack) {
			return f.healthy("NotNeeded", "the load balancer has no IPv6 addresses")
		}
		return f.error("RecordMissing", missingFromHint(env, "the record"),
			"%s has no %s record in the zone", env.Domain.Name, kind)
	}
	target := ""
	if record.AliasTarget != nil {
		target = aws.ToString(record.AliasTarget.DNSName)
	}
	f = f.with("alias", target)
	switch {
	case target == "":
		return f.error("NotAnAlias", driftHint(env, "the record was created outside the deployer"),
			"the %s record has fixed values; a load balancer's addresses change", kind)
	case balancer == nil:
		return f.error("AliasDangling", deployHint(env, "the load balancer was deleted"), "the %s record points to %s, and the environment has no load balancer", kind, target)
	case !hostedzone.SameName(strings.TrimPrefix(target, "dualstack."), aws.ToString(balancer.DNSName)):
		return f.with("load_balancer", aws.ToString(balancer.DNSName)).error("WrongAliasTarget",
			driftHint(env, "the record was changed outside the deployer, or is for an older load balancer"),
			"the %s record points to %s, not to this load balancer", kind, target)
	}
	return f.healthy("PointsHere", "the %s record points to the load balancer", kind)
}

func findRecord(records []r53types.ResourceRecordSet, name string, kind r53types.RRType) *r53types.ResourceRecordSet {
	return list.Find(records, func(r r53types.ResourceRecordSet) bool {
		return r.Type == kind && hostedzone.SameName(aws.ToString(r.Name), name)
	})
}
