package cloud

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func ec2Operations() []operation {
	return []operation{
		readOp(describeVpcs), readOp(describeSubnets), readOp(describeNatGateways), readOp(describeSecurityGroups),
		readOp(describeSecurityGroupRules), readOp(describeAvailabilityZones), readOp(describeInternetGateways),
		readOp(describeRouteTables), readOp(describeAddresses), readOp(describeVpcEndpoints), readOp(describeFlowLogs),
	}
}

// filterProperties maps the names of filters to properties; tags are tag:NAME.
var filterProperties = map[string]string{
	"vpc-id": "vpcId", "subnet-id": "id", "nat-gateway-id": "id", "group-id": "id", "group-name": "name", "cidr": "cidrBlock",
	"cidr-block": "cidrBlock", "availability-zone": "availabilityZone", "state": "state", "security-group-rule-id": "id",
	"attachment.vpc-id": "vpcId", "instance-state-name": "instanceState", "network-interface-id": "networkInterface",
	"launch-template-name": "name", "route-table-id": "id", "resource-id": "vpcId", "service-name": "serviceName",
}

// filtered returns the resources of some types that have one of the IDs, if any are given, and pass all filters. A
// filter that is not simulated is an error.
func (m model) filtered(ids []string, filters []types.Filter, typs ...string) ([]*Resource, error) {
	var all []*Resource
	for _, typ := range typs {
		all = append(all, m.ByType(typ)...)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(r *Resource) bool { return r.ID == id }) {
			return nil, apiError(notFoundCodes[typs[0]], "The ID '%s' does not exist", id)
		}
	}
	var found []*Resource
	for _, r := range all {
		if len(ids) > 0 && !slices.Contains(ids, r.ID) {
			continue
		}
		matches, err := m.matchesFilters(r, filters)
		if err != nil {
			return nil, err
		}
		if matches {
			found = append(found, r)
		}
	}
	return found, nil
}

var notFoundCodes = map[string]string{
	typeVPC: "InvalidVpcID.NotFound", typeSubnet: "InvalidSubnetID.NotFound", typeNATGateway: "NatGatewayNotFound",
	typeNetworkInterface: "InvalidNetworkInterfaceID.NotFound", typeLaunchTemplate: "InvalidLaunchTemplateId.NotFound",
	typeSecurityGroup: "InvalidGroup.NotFound", typeIngressRule: "InvalidSecurityGroupRuleId.NotFound",
}

// parentProperties are the properties that hold the parent's ID, for filters that mean the parent rather than the
// resource itself.
var parentProperties = map[string]string{"group-id": "securityGroupId", "subnet-id": "subnetId"}

func (m model) matchesFilters(r *Resource, filters []types.Filter) (bool, error) {
	for _, f := range filters {
		name := deref(f.Name)
		property, known := filterProperties[name]
		var value string
		switch tag, isTag := strings.CutPrefix(name, "tag:"); {
		case isTag:
			value = r.Tags()[tag]
		case !known:
			return false, apiError("InvalidParameterValue", "local mode does not simulate the filter '%s'", name)
		case name == "subnet-id":
			value = cmp.Or(r.Text("subnetId"), r.ID)
		case property == "id":
			value = r.ID
			if parent := parentProperties[name]; parent != "" {
				value = cmp.Or(r.Text(parent), r.ID)
			}
		case property == "vpcId":
			value = m.vpcOf(r)
		case property == "state":
			value = "available"
		default:
			value = r.Text(property)
		}
		if !slices.ContainsFunc(f.Values, func(wanted string) bool { return matchesWildcard(wanted, value) }) {
			return false, nil
		}
	}
	return true, nil
}

// matchesWildcard compares a value with a filter value that may end with *.
func matchesWildcard(wanted, value string) bool {
	if prefix, open := strings.CutSuffix(wanted, "*"); open {
		return strings.HasPrefix(value, prefix)
	}
	return wanted == value
}

// vpcOf returns the VPC of a subnet, of a resource in a subnet, or of a group.
func (m model) vpcOf(r *Resource) string {
	if r.Type == typeVPC {
		return r.ID
	}
	if subnet := m.Get(typeSubnet, r.Text("subnetId")); subnet != nil {
		return subnet.Text("vpcId")
	}
	return r.Text("vpcId")
}

func ec2Tags(r *Resource) []types.Tag {
	var tags []types.Tag
	for _, tag := range ecsTags(r) {
		tags = append(tags, types.Tag{Key: tag.Key, Value: tag.Value})
	}
	return tags
}

func describeVpcs(m model, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
	found, err := m.filtered(in.VpcIds, in.Filters, typeVPC)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcsOutput{NextToken: next}
	for _, r := range found {
		out.Vpcs = append(out.Vpcs, types.Vpc{
			VpcId: aws.String(r.ID), CidrBlock: aws.String(r.Text("cidrBlock")), State: types.VpcStateAvailable, IsDefault: aws.Bool(false),
			OwnerId: aws.String(m.ID), InstanceTenancy: types.TenancyDefault, Tags: ec2Tags(r),
		})
	}
	return out, nil
}

func describeSubnets(m model, in *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	found, err := m.filtered(in.SubnetIds, in.Filters, typeSubnet)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSubnetsOutput{NextToken: next}
	for _, r := range found {
		out.Subnets = append(out.Subnets, types.Subnet{
			SubnetId: aws.String(r.ID), SubnetArn: aws.String(r.Text("arn")), VpcId: aws.String(r.Text("vpcId")),
			CidrBlock: aws.String(r.Text("cidrBlock")), AvailabilityZone: aws.String(r.Text("availabilityZone")),
			AvailabilityZoneId: aws.String(r.Text("availabilityZoneId")), State: types.SubnetStateAvailable, OwnerId: aws.String(m.ID),
			MapPublicIpOnLaunch: aws.Bool(r.Bool("mapPublicIpOnLaunch")), AvailableIpAddressCount: int32p(m.freeAddresses(r)),
			DefaultForAz: aws.Bool(false), Tags: ec2Tags(r),
		})
	}
	return out, nil
}

// freeAddresses returns the number of addresses of a subnet that are neither reserved by AWS nor used by a task.
func (m model) freeAddresses(subnet *Resource) int {
	prefix, err := netip.ParsePrefix(subnet.Text("cidrBlock"))
	if err != nil {
		return 0
	}
	used := m.ECS.tasks(func(t *task) bool { return t.Subnet == subnet.ID && !m.reached(t.Stopped) })
	return 1<<(32-prefix.Bits()) - 5 - len(used)
}

func describeNatGateways(m model, in *ec2.DescribeNatGatewaysInput) (*ec2.DescribeNatGatewaysOutput, error) {
	found, err := m.filtered(in.NatGatewayIds, in.Filter, typeNATGateway)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNatGatewaysOutput{NextToken: next}
	for _, r := range found {
		state := types.NatGatewayStateAvailable
		if r.Pending {
			state = types.NatGatewayStatePending
		}
		out.NatGateways = append(out.NatGateways, types.NatGateway{
			NatGatewayId: aws.String(r.ID), SubnetId: aws.String(r.Text("subnetId")), VpcId: aws.String(m.vpcOf(r)), State: state,
			ConnectivityType: types.ConnectivityType(r.Text("connectivityType")), CreateTime: &r.Created, Tags: ec2Tags(r),
			NatGatewayAddresses: []types.NatGatewayAddress{{
				AllocationId: orNil(r.Text("allocationId")), PublicIp: orNil(r.Text("publicIp")), PrivateIp: orNil(r.Text("privateIp")),
				NetworkInterfaceId: orNil(r.Text("networkInterfaceId")), IsPrimary: aws.Bool(true),
				Status: types.NatGatewayAddressStatusSucceeded,
			}},
		})
	}
	return out, nil
}

func describeSecurityGroups(m model, in *ec2.DescribeSecurityGroupsInput) (*ec2.DescribeSecurityGroupsOutput, error) {
	filters := in.Filters
	if len(in.GroupNames) > 0 {
		filters = append(slices.Clone(filters), types.Filter{Name: aws.String("group-name"), Values: in.GroupNames})
	}
	found, err := m.filtered(in.GroupIds, filters, typeSecurityGroup, typeDefaultSecurityGroup)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupsOutput{NextToken: next}
	for _, r := range found {
		out.SecurityGroups = append(out.SecurityGroups, types.SecurityGroup{
			GroupId: aws.String(r.ID), GroupName: aws.String(r.Text("name")), Description: aws.String(r.Text("description")),
			VpcId: aws.String(r.Text("vpcId")), OwnerId: aws.String(m.ID), SecurityGroupArn: aws.String(r.Text("arn")), Tags: ec2Tags(r),
			IpPermissions: m.permissions(r.ID, typeIngressRule), IpPermissionsEgress: m.permissions(r.ID, typeEgressRule),
		})
	}
	return out, nil
}

// rules returns the rules of a security group in one direction. Under the fault port-open the database's port is open
// to 0.0.0.0/0.
func (m model) rules(group, typ string) []*Resource {
	found := slices.DeleteFunc(m.ByType(typ), func(r *Resource) bool { return r.Text("securityGroupId") != group })
	if typ == typeIngressRule && m.faults[faultPortOpen] && m.guardsDatabase(group) {
		found = append(found, &Resource{Type: typ, ID: "sgr-" + m.derive("open port", group)[:17], Outputs: map[string]any{
			"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 5432.0, "toPort": 5432.0, "cidrIpv4": "0.0.0.0/0",
			"description": "opened manually",
		}})
	}
	return found
}

func (m model) guardsDatabase(group string) bool {
	return slices.ContainsFunc(m.ByType(typeDatabase), func(r *Resource) bool {
		return slices.Contains(r.Strings("vpcSecurityGroupIds"), group)
	})
}

func (m model) permissions(group, typ string) []types.IpPermission {
	var all []types.IpPermission
	for _, r := range m.rules(group, typ) {
		p := types.IpPermission{IpProtocol: aws.String(r.Text("ipProtocol"))}
		if *p.IpProtocol != "-1" {
			p.FromPort, p.ToPort = int32p(numberOr(r, "fromPort", 0)), int32p(numberOr(r, "toPort", 0))
		}
		description := orNil(r.Text("description"))
		if cidr := r.Text("cidrIpv4"); cidr != "" {
			p.IpRanges = []types.IpRange{{CidrIp: aws.String(cidr), Description: description}}
		}
		if cidr := r.Text("cidrIpv6"); cidr != "" {
			p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String(cidr), Description: description}}
		}
		if other := r.Text("referencedSecurityGroupId"); other != "" {
			p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String(other), UserId: aws.String(m.ID), Description: description}}
		}
		if list := r.Text("prefixListId"); list != "" {
			p.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String(list), Description: description}}
		}
		all = append(all, p)
	}
	return all
}

func describeSecurityGroupRules(m model, in *ec2.DescribeSecurityGroupRulesInput) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	out := &ec2.DescribeSecurityGroupRulesOutput{}
	for _, group := range slices.Concat(m.ByType(typeSecurityGroup), m.ByType(typeDefaultSecurityGroup)) {
		for _, typ := range []string{typeIngressRule, typeEgressRule} {
			for _, r := range m.rules(group.ID, typ) {
				matches, err := m.matchesFilters(r, in.Filters)
				if err != nil {
					return nil, err
				}
				if matches && (len(in.SecurityGroupRuleIds) == 0 || slices.Contains(in.SecurityGroupRuleIds, r.ID)) {
					out.SecurityGroupRules = append(out.SecurityGroupRules, m.ruleOf(r))
				}
			}
		}
	}
	var err error
	out.SecurityGroupRules, out.NextToken, err = page(out.SecurityGroupRules, in.NextToken, in.MaxResults, 1000)
	return out, err
}

func (m model) ruleOf(r *Resource) types.SecurityGroupRule {
	rule := types.SecurityGroupRule{
		SecurityGroupRuleId: aws.String(r.ID), GroupId: aws.String(r.Text("securityGroupId")), GroupOwnerId: aws.String(m.ID),
		IsEgress: aws.Bool(r.Type == typeEgressRule), IpProtocol: aws.String(r.Text("ipProtocol")),
		FromPort: int32p(numberOr(r, "fromPort", -1)), ToPort: int32p(numberOr(r, "toPort", -1)), CidrIpv4: orNil(r.Text("cidrIpv4")),
		CidrIpv6: orNil(r.Text("cidrIpv6")), PrefixListId: orNil(r.Text("prefixListId")), Description: orNil(r.Text("description")),
		Tags: ec2Tags(r),
	}
	if other := r.Text("referencedSecurityGroupId"); other != "" {
		rule.ReferencedGroupInfo = &types.ReferencedSecurityGroup{GroupId: aws.String(other), UserId: aws.String(m.ID)}
	}
	return rule
}

func describeAvailabilityZones(m model, _ *ec2.DescribeAvailabilityZonesInput) (*ec2.DescribeAvailabilityZonesOutput, error) {
	out := &ec2.DescribeAvailabilityZonesOutput{}
	for _, zone := range availabilityZones(m.Region) {
		out.AvailabilityZones = append(out.AvailabilityZones, types.AvailabilityZone{
			ZoneName: aws.String(zone), ZoneId: aws.String(zoneID(m.Region, zone)), RegionName: aws.String(m.Region),
			State: types.AvailabilityZoneStateAvailable, ZoneType: aws.String("availability-zone"),
			GroupName: aws.String(fmt.Sprintf("%s-zg-1", m.Region)), OptInStatus: types.AvailabilityZoneOptInStatusOptInNotRequired,
		})
	}
	return out, nil
}
