package discovery

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// filters returns EC2's filters for pairs of name and value.
func filters(pairs ...string) []types.Filter {
	var all []types.Filter
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, types.Filter{Name: &pairs[i], Values: pairs[i+1 : i+2]})
	}
	return all
}

// tagFilters returns filters for pairs of name and value, and for the tags that the program sets.
func (q Query) tagFilters(pairs ...string) []types.Filter {
	for _, name := range []string{"Name", "Environment", "ManagedBy"} {
		pairs = append(pairs, "tag:"+name, q.tag(name))
	}
	return filters(pairs...)
}

// managedFilters returns filters for pairs of name and value, with those for tags only where the resource is managed.
func (q Query) managedFilters(pairs ...string) []types.Filter {
	if q.managed {
		return q.tagFilters(pairs...)
	}
	return filters(pairs...)
}

// lookUp returns the IDs of what a call to AWS describes; none if AWS answers that there is nothing of that name.
func lookUp[In, Out, Opt any](
	ctx context.Context, call func(context.Context, *In, ...func(*Opt)) (*Out, error), in *In, ids func(*Out) []string,
) ([]string, error) {
	out, err := call(ctx, in)
	if awsx.HasCode(err, "LoadBalancerNotFound", "TargetGroupNotFound") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ids(out), nil
}

func ids[T any](found []T, id func(T) *string) []string {
	var all []string
	for _, resource := range found {
		all = append(all, aws.ToString(id(resource)))
	}
	return all
}

func findVPC(ctx context.Context, a account, q Query) ([]string, error) {
	by := filters("tag:Name", q.tag("Name"))
	if q.managed {
		by = q.tagFilters()
	}
	in := &ec2.DescribeVpcsInput{Filters: by}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeVpcs, in, func(out *ec2.DescribeVpcsOutput) []string {
		return ids(out.Vpcs, func(v types.Vpc) *string { return v.VpcId })
	})
}

// findInternetGateway finds a managed gateway by its tags, because a killed deployment may not have attached it yet.
func findInternetGateway(ctx context.Context, a account, q Query) ([]string, error) {
	by := filters("attachment.vpc-id", q.text("vpcId"))
	if q.managed {
		by = q.tagFilters()
	}
	in := &ec2.DescribeInternetGatewaysInput{Filters: by}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeInternetGateways, in, func(out *ec2.DescribeInternetGatewaysOutput) []string {
		return ids(out.InternetGateways, func(g types.InternetGateway) *string { return g.InternetGatewayId })
	})
}

func findSubnet(ctx context.Context, a account, q Query) ([]string, error) {
	in := &ec2.DescribeSubnetsInput{Filters: filters("vpc-id", q.text("vpcId"), "cidr-block", q.text("cidrBlock"))}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeSubnets, in, func(out *ec2.DescribeSubnetsOutput) []string {
		return ids(out.Subnets, func(s types.Subnet) *string { return s.SubnetId })
	})
}

// findRouteTable finds a table that is not managed by the subnet that is its parent in the program. The VPC's main table, which
// serves subnets without one of their own, is never a match.
func findRouteTable(ctx context.Context, a account, q Query) ([]string, error) {
	in := &ec2.DescribeRouteTablesInput{Filters: q.managedFilters("vpc-id", q.text("vpcId"))}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeRouteTables, in, func(out *ec2.DescribeRouteTablesOutput) []string {
		tables := slices.DeleteFunc(out.RouteTables, func(t types.RouteTable) bool {
			return !q.managed && !slices.ContainsFunc(t.Associations, func(a types.RouteTableAssociation) bool {
				return q.Parent != "" && aws.ToString(a.SubnetId) == q.Parent
			})
		})
		return ids(tables, func(t types.RouteTable) *string { return t.RouteTableId })
	})
}

// routeTable returns the table that a route or an association belongs to; it is empty where that is gone.
func routeTable(ctx context.Context, a account, q Query) (types.RouteTable, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{
		Filters: filters("route-table-id", q.text("routeTableId")),
	})
	if err != nil || len(out.RouteTables) == 0 {
		return types.RouteTable{}, err
	}
	return out.RouteTables[0], nil
}

func findRoute(ctx context.Context, a account, q Query) ([]string, error) {
	table, err := routeTable(ctx, a, q)
	destination := q.text("destinationCidrBlock")
	if !slices.ContainsFunc(table.Routes, func(r types.Route) bool { return aws.ToString(r.DestinationCidrBlock) == destination }) {
		return nil, err
	}
	return []string{q.text("routeTableId") + "_" + destination}, nil
}

func findAssociation(ctx context.Context, a account, q Query) ([]string, error) {
	table, err := routeTable(ctx, a, q)
	subnet := q.text("subnetId")
	if !slices.ContainsFunc(table.Associations, func(a types.RouteTableAssociation) bool { return aws.ToString(a.SubnetId) == subnet }) {
		return nil, err
	}
	return []string{subnet + "/" + q.text("routeTableId")}, nil
}

// findAddress finds an address that is not managed by its NAT gateway or network interface, which has the same name in the program.
func findAddress(ctx context.Context, a account, q Query) ([]string, error) {
	if q.managed {
		in := &ec2.DescribeAddressesInput{Filters: q.tagFilters()}
		return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeAddresses, in, func(out *ec2.DescribeAddressesOutput) []string {
			return ids(out.Addresses, func(a types.Address) *string { return a.AllocationId })
		})
	}
	if q.Namesake == "" {
		return nil, nil
	}
	if strings.HasPrefix(q.Namesake, "eni-") {
		in := &ec2.DescribeAddressesInput{Filters: filters("network-interface-id", q.Namesake)}
		return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeAddresses, in, func(out *ec2.DescribeAddressesOutput) []string {
			return ids(out.Addresses, func(a types.Address) *string { return a.AllocationId })
		})
	}
	gateways, err := natGateways(ctx, a, filters("nat-gateway-id", q.Namesake))
	var addresses []types.NatGatewayAddress
	for _, gateway := range gateways {
		addresses = append(addresses, gateway.NatGatewayAddresses...)
	}
	addresses = slices.DeleteFunc(addresses, func(a types.NatGatewayAddress) bool { return a.AllocationId == nil })
	return ids(addresses, func(a types.NatGatewayAddress) *string { return a.AllocationId }), err
}

// findNetworkInterface finds the interface of the NAT instance by its tag Name: a subnet has other interfaces, such as the load balancer's.
func findNetworkInterface(ctx context.Context, a account, q Query) ([]string, error) {
	by := filters("subnet-id", q.text("subnetId"), "tag:Name", q.tag("Name"))
	if q.managed {
		by = q.tagFilters("subnet-id", q.text("subnetId"))
	}
	in := &ec2.DescribeNetworkInterfacesInput{Filters: by}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeNetworkInterfaces, in, func(out *ec2.DescribeNetworkInterfacesOutput) []string {
		return ids(out.NetworkInterfaces, func(i types.NetworkInterface) *string { return i.NetworkInterfaceId })
	})
}

func findLaunchTemplate(ctx context.Context, a account, q Query) ([]string, error) {
	in := &ec2.DescribeLaunchTemplatesInput{Filters: filters("launch-template-name", q.text("name"))}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeLaunchTemplates, in, func(out *ec2.DescribeLaunchTemplatesOutput) []string {
		return ids(out.LaunchTemplates, func(t types.LaunchTemplate) *string { return t.LaunchTemplateId })
	})
}

func findNATGateway(ctx context.Context, a account, q Query) ([]string, error) {
	gateways, err := natGateways(ctx, a, q.managedFilters("subnet-id", q.text("subnetId")))
	return ids(gateways, func(g types.NatGateway) *string { return g.NatGatewayId }), err
}

// natGateways leaves out those that are being deleted, which AWS lists for an hour.
func natGateways(ctx context.Context, a account, by []types.Filter) ([]types.NatGateway, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{Filter: by})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out.NatGateways, func(g types.NatGateway) bool {
		return g.State != types.NatGatewayStateAvailable && g.State != types.NatGatewayStatePending
	}), nil
}

func findEndpoint(ctx context.Context, a account, q Query) ([]string, error) {
	in := &ec2.DescribeVpcEndpointsInput{Filters: q.managedFilters("vpc-id", q.text("vpcId"), "service-name", q.text("serviceName"))}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeVpcEndpoints, in, func(out *ec2.DescribeVpcEndpointsOutput) []string {
		return ids(out.VpcEndpoints, func(e types.VpcEndpoint) *string { return e.VpcEndpointId })
	})
}

func findFlowLog(ctx context.Context, a account, q Query) ([]string, error) {
	in := &ec2.DescribeFlowLogsInput{Filter: q.managedFilters("resource-id", q.text("vpcId"))}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeFlowLogs, in, func(out *ec2.DescribeFlowLogsOutput) []string {
		return ids(out.FlowLogs, func(l types.FlowLog) *string { return l.FlowLogId })
	})
}

// findSecurityGroup finds a group by its name, which the VPC's default group does not have as an input.
func findSecurityGroup(ctx context.Context, a account, q Query) ([]string, error) {
	name := cmp.Or(q.text("name"), "default")
	in := &ec2.DescribeSecurityGroupsInput{Filters: filters("vpc-id", q.text("vpcId"), "group-name", name)}
	return lookUp(ctx, ec2.NewFromConfig(a.aws).DescribeSecurityGroups, in, func(out *ec2.DescribeSecurityGroupsOutput) []string {
		return ids(out.SecurityGroups, func(g types.SecurityGroup) *string { return g.GroupId })
	})
}

// findRule finds a rule by what it allows: a group has no two that allow the same.
func findRule(egress bool) func(context.Context, account, Query) ([]string, error) {
	return func(ctx context.Context, a account, q Query) ([]string, error) {
		in := &ec2.DescribeSecurityGroupRulesInput{Filters: filters("group-id", q.text("securityGroupId"))}
		pages := ec2.NewDescribeSecurityGroupRulesPaginator(ec2.NewFromConfig(a.aws), in)
		return awsx.Pages(ctx, pages, func(page *ec2.DescribeSecurityGroupRulesOutput) []string {
			other := func(r types.SecurityGroupRule) bool { return aws.ToBool(r.IsEgress) != egress || !sameRule(r, q) }
			rules := slices.DeleteFunc(page.SecurityGroupRules, other)
			return ids(rules, func(r types.SecurityGroupRule) *string { return r.SecurityGroupRuleId })
		})
	}
}

func sameRule(rule types.SecurityGroupRule, q Query) bool {
	var group string
	if rule.ReferencedGroupInfo != nil {
		group = aws.ToString(rule.ReferencedGroupInfo.GroupId)
	}
	return aws.ToString(rule.IpProtocol) == q.text("ipProtocol") &&
		q.samePort("fromPort", rule.FromPort) && q.samePort("toPort", rule.ToPort) &&
		aws.ToString(rule.CidrIpv4) == q.text("cidrIpv4") && aws.ToString(rule.CidrIpv6) == q.text("cidrIpv6") &&
		group == q.text("referencedSecurityGroupId") && aws.ToString(rule.PrefixListId) == q.text("prefixListId")
}

// samePort compares a port with an input; AWS returns -1 for one that was not given.
func (q Query) samePort(property string, actual *int32) bool {
	expected, given := q.Inputs[property].(float64)
	if !given {
		expected = -1
	}
	return actual == nil && !given || actual != nil && float64(*actual) == expected
}
