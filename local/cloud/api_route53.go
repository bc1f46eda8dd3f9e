package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func route53Operations() []operation {
	return []operation{
		readOp(listHostedZonesByName), readOp(getHostedZone), readOp(listResourceRecordSets), readOp(getHealthCheckStatus),
		readOp(listHealthChecks),
	}
}

// withTrailingDot returns a name with a trailing dot, as Route 53 formats it.
func withTrailingDot(name string) string { return strings.TrimSuffix(name, ".") + "." }

func (m model) zoneOf(r *Resource) types.HostedZone {
	return types.HostedZone{
		Id: aws.String("/hostedzone/" + r.ID), Name: aws.String(withTrailingDot(r.Text("name"))), CallerReference: aws.String(r.ID),
		Config: &types.HostedZoneConfig{Comment: orNil(r.Text("comment"))}, ResourceRecordSetCount: aws.Int64(int64(len(m.recordsOf(r)))),
	}
}

// listHostedZonesByName starts with the zone of the name, or the first one after it, as Route 53 does.
func listHostedZonesByName(m model, in *route53.ListHostedZonesByNameInput) (*route53.ListHostedZonesByNameOutput, error) {
	zones := m.ByType(typeZone)
	slices.SortFunc(zones, func(x, y *Resource) int {
		return cmp.Compare(reverseLabels(x.Text("name")), reverseLabels(y.Text("name")))
	})
	out := &route53.ListHostedZonesByNameOutput{DNSName: in.DNSName, MaxItems: aws.Int32(100)}
	for _, r := range zones {
		if in.DNSName == nil || reverseLabels(r.Text("name")) >= reverseLabels(*in.DNSName) {
			out.HostedZones = append(out.HostedZones, m.zoneOf(r))
		}
	}
	if in.MaxItems != nil {
		out.MaxItems = in.MaxItems
		if limit := int(*in.MaxItems); len(out.HostedZones) > limit {
			next := out.HostedZones[limit]
			out.HostedZones, out.IsTruncated = out.HostedZones[:limit], true
			out.NextDNSName, out.NextHostedZoneId = next.Name, aws.String(awsx.NameFromARN(*next.Id))
		}
	}
	return out, nil
}

// reverseLabels reverses the labels of a name, which gives the order in which Route 53 sorts.
func reverseLabels(name string) string {
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(name), "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}

func (m model) zone(id *string) (*Resource, error) {
	if r := m.Get(typeZone, awsx.NameFromARN(deref(id))); r != nil {
		return r, nil
	}
	return nil, &types.NoSuchHostedZone{Message: aws.String(fmt.Sprintf("No hosted zone found with ID: %s", awsx.NameFromARN(deref(id))))}
}

func getHostedZone(m model, in *route53.GetHostedZoneInput) (*route53.GetHostedZoneOutput, error) {
	r, err := m.zone(in.Id)
	if err != nil {
		return nil, err
	}
	zone := m.zoneOf(r)
	return &route53.GetHostedZoneOutput{HostedZone: &zone, DelegationSet: &types.DelegationSet{NameServers: r.Strings("nameServers")}}, nil
}

// recordsOf returns the record sets of a zone with its own NS and SOA, sorted.
func (m model) recordsOf(zone *Resource) []types.ResourceRecordSet {
	name := withTrailingDot(zone.Text("name"))
	servers := zone.Strings("nameServers")
	all := []types.ResourceRecordSet{
		{Name: aws.String(name), Type: types.RRTypeNs, TTL: aws.Int64(172800), ResourceRecords: recordValues(servers, ".")},
		{Name: aws.String(name), Type: types.RRTypeSoa, TTL: aws.Int64(900), ResourceRecords: recordValues([]string{
			withTrailingDot(zone.Text("primaryNameServer")) + " awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"}, "")},
	}
	for _, r := range m.records() {
		if r.Text("zoneId") == zone.ID {
			all = append(all, m.recordOf(r))
		}
	}
	slices.SortFunc(all, func(x, y types.ResourceRecordSet) int {
		return cmp.Or(cmp.Compare(reverseLabels(*x.Name), reverseLabels(*y.Name)), cmp.Compare(x.Type, y.Type))
	})
	return all
}

// records returns the records of the stacks under the current faults: under dns-missing the aliases are deleted.
func (m model) records() []*Resource {
	return slices.DeleteFunc(m.ByType(typeRecord), func(r *Resource) bool {
		return m.faults[faultDNSMissing] && len(r.Blocks("aliases")) > 0
	})
}

func recordValues(values []string, end string) []types.ResourceRecord {
	var all []types.ResourceRecord
	for _, value := range values {
		all = append(all, types.ResourceRecord{Value: aws.String(value + end)})
	}
	return all
}

func (m model) recordOf(r *Resource) types.ResourceRecordSet {
	set := types.ResourceRecordSet{
		Name: aws.String(withTrailingDot(r.Text("fqdn"))), Type: types.RRType(r.Text("type")), HealthCheckId: orNil(r.Text("healthCheckId")),
	}
	for _, alias := range r.Blocks("aliases") {
		set.AliasTarget = &types.AliasTarget{
			DNSName: aws.String(withTrailingDot(blockText(alias, "name"))), HostedZoneId: aws.String(blockText(alias, "zoneId")),
			EvaluateTargetHealth: blockBool(alias, "evaluateTargetHealth"),
		}
	}
	if set.AliasTarget == nil {
		set.TTL = aws.Int64(int64(numberOr(r, "ttl", 300)))
		set.ResourceRecords = recordValues(r.Strings("records"), "")
	}
	return set
}

func listResourceRecordSets(m model, in *route53.ListResourceRecordSetsInput) (*route53.ListResourceRecordSetsOutput, error) {
	zone, err := m.zone(in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	sets := slices.DeleteFunc(m.recordsOf(zone), func(set types.ResourceRecordSet) bool {
		if in.StartRecordName == nil {
			return false
		}
		order := cmp.Compare(reverseLabels(*set.Name), reverseLabels(*in.StartRecordName))
		return order < 0 || order == 0 && in.StartRecordType != "" && set.Type < in.StartRecordType
	})
	out := &route53.ListResourceRecordSetsOutput{MaxItems: aws.Int32(300), ResourceRecordSets: sets}
	if in.MaxItems != nil && *in.MaxItems > 0 {
		out.MaxItems = in.MaxItems
	}
	if limit := int(*out.MaxItems); len(sets) > limit {
		out.ResourceRecordSets, out.IsTruncated = sets[:limit], true
		out.NextRecordName, out.NextRecordType = sets[limit].Name, sets[limit].Type
	}
	return out, nil
}

func listHealthChecks(m model, _ *route53.ListHealthChecksInput) (*route53.ListHealthChecksOutput, error) {
	out := &route53.ListHealthChecksOutput{MaxItems: aws.Int32(100)}
	for _, r := range m.ByType(typeHealthCheck) {
		out.HealthChecks = append(out.HealthChecks, types.HealthCheck{
			Id: aws.String(r.ID), CallerReference: aws.String(r.ID), HealthCheckVersion: aws.Int64(1),
			HealthCheckConfig: &types.HealthCheckConfig{
				Type: types.HealthCheckType(r.Text("type")), FullyQualifiedDomainName: orNil(r.Text("fqdn")),
				ResourcePath: orNil(r.Text("resourcePath")), Port: int32p(numberOr(r, "port", 443)),
				RequestInterval: int32p(numberOr(r, "requestInterval", 30)), FailureThreshold: int32p(numberOr(r, "failureThreshold", 3)),
			},
		})
	}
	return out, nil
}

// getHealthCheckStatus reports whether the domain's load balancer has a healthy target.
func getHealthCheckStatus(m model, in *route53.GetHealthCheckStatusInput) (*route53.GetHealthCheckStatusOutput, error) {
	r := m.Get(typeHealthCheck, deref(in.HealthCheckId))
	if r == nil {
		return nil, &types.NoSuchHealthCheck{Message: aws.String("No health check exists with the specified ID.")}
	}
	status := "Failure: HTTP Status Code 503, Service Unavailable"
	if balancer := m.balancerOf(r.Text("fqdn")); balancer != nil && m.hasHealthyTarget(balancer) {
		status = "Success: HTTP Status Code 200, OK"
	}
	out := &route53.GetHealthCheckStatusOutput{}
	for _, region := range []types.HealthCheckRegion{
		types.HealthCheckRegionUsEast1, types.HealthCheckRegionUsWest2, types.HealthCheckRegionEuWest1,
	} {
		out.HealthCheckObservations = append(out.HealthCheckObservations, types.HealthCheckObservation{
			Region: region, StatusReport: &types.StatusReport{Status: aws.String(status), CheckedTime: aws.Time(m.now.Truncate(time.Second))},
		})
	}
	return out, nil
}

// balancerOf returns the load balancer that a name resolves to: by an alias in a delegated zone of the account, or by
// its own DNS name.
func (m model) balancerOf(name string) *Resource {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, r := range m.records() {
		if m.faults[faultNotDelegated] || r.Text("fqdn") != name || r.Text("type") != "A" {
			continue
		}
		for _, alias := range r.Blocks("aliases") {
			name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(blockText(alias, "name"), "dualstack."), "."))
		}
	}
	for _, r := range m.ByType(typeLoadBalancer) {
		if strings.ToLower(r.Text("dnsName")) == name {
			return r
		}
	}
	return nil
}

func (m model) hasHealthyTarget(balancer *Resource) bool {
	for _, listener := range m.ByType(typeListener) {
		if listener.Text("loadBalancerArn") == balancer.ID && len(m.healthyTargets(listener)) > 0 {
			return true
		}
	}
	return false
}

func (m model) healthyTargets(listener *Resource) []target {
	var all []target
	for _, group := range groupsOf(listener) {
		for _, t := range m.targets(group) {
			if m.healthy(t.task) {
				all = append(all, t)
			}
		}
	}
	return all
}
