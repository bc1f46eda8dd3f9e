package discovery

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// filters is the filters that pairs of name and value make.
func filters(pairs ...string) []types.Filter {
	var filters []types.Filter
	for i := 0; i+1 < len(pairs); i += 2 {
		filters = append(filters, types.Filter{Name: &pairs[i], Values: pairs[i+1 : i+2]})
	}
	return filters
}

// tagged is the filters for the resource's own tags, by which those are found that AWS names.
func (w Query) tagged(pairs ...string) []types.Filter {
	for _, name := range []string{"Name", "Environment", "ManagedBy"} {
		pairs = append(pairs, "tag:"+name, w.tag(name))
	}
	return filters(pairs...)
}

// firstID is the ID of the first of some things that were found; "" where there are none.
func firstID[T any](found []T, id func(T) *string) (string, error) {
	if len(found) == 0 {
		return "", nil
	}
	return aws.ToString(id(found[0])), nil
}

func findVPC(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: w.tagged()})
	if err != nil {
		return "", err
	}
	return firstID(out.Vpcs, func(v types.Vpc) *string { return v.VpcId })
}

func findInternetGateway(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{Filters: w.tagged()})
	if err != nil {
		return "", err
	}
	return firstID(out.InternetGateways, func(g types.InternetGateway) *string { return g.InternetGatewayId })
}

func findSubnet(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
		Filters: filters("vpc-id", w.text("vpcId"), "cidr-block", w.text("cidrBlock")),
	})
	if err != nil {
		return "", err
	}
	return firstID(out.Subnets, func(s types.Subnet) *string { return s.SubnetId })
}

func findRouteTable(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: w.tagged("vpc-id", w.text("vpcId"))})
	if err != nil {
		return "", err
	}
	return firstID(out.RouteTables, func(t types.RouteTable) *string { return t.RouteTableId })
}

// routeTable is the one that a route or an association belongs to; empty where it is gone.
func routeTable(ctx context.Context, a account, w Query) (types.RouteTable, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{
		Filters: filters("route-table-id", w.text("routeTableId")),
	})
	if err != nil || len(out.RouteTables) == 0 {
		return types.RouteTable{}, err
	}
	return out.RouteTables[0], nil
}

func findRoute(ctx context.Context, a account, w Query) (string, error) {
	table, err := routeTable(ctx, a, w)
	if err != nil {
		return "", err
	}
	for _, route := range table.Routes {
		if aws.ToString(route.DestinationCidrBlock) == w.text("destinationCidrBlock") {
			return w.text("routeTableId") + "_" + w.text("destinationCidrBlock"), nil
		}
	}
	return "", nil
}

func findAssociation(ctx context.Context, a account, w Query) (string, error) {
	table, err := routeTable(ctx, a, w)
	if err != nil {
		return "", err
	}
	for _, association := range table.Associations {
		if aws.ToString(association.SubnetId) == w.text("subnetId") {
			return w.text("subnetId") + "/" + w.text("routeTableId"), nil
		}
	}
	return "", nil
}

func findAddress(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{Filters: w.tagged()})
	if err != nil {
		return "", err
	}
	return firstID(out.Addresses, func(a types.Address) *string { return a.AllocationId })
}

// findNATGateway passes over those that are being deleted, which AWS shows for an hour.
func findNATGateway(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{Filter: w.tagged("subnet-id", w.text("subnetId"))})
	if err != nil {
		return "", err
	}
	for _, gateway := range out.NatGateways {
		if gateway.State == types.NatGatewayStateAvailable || gateway.State == types.NatGatewayStatePending {
			return aws.ToString(gateway.NatGatewayId), nil
		}
	}
	return "", nil
}

func findEndpoint(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{
		Filters: w.tagged("vpc-id", w.text("vpcId"), "service-name", w.text("serviceName")),
	})
	if err != nil {
		return "", err
	}
	return firstID(out.VpcEndpoints, func(e types.VpcEndpoint) *string { return e.VpcEndpointId })
}

func findFlowLog(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeFlowLogs(ctx, &ec2.DescribeFlowLogsInput{Filter: w.tagged("resource-id", w.text("vpcId"))})
	if err != nil {
		return "", err
	}
	return firstID(out.FlowLogs, func(l types.FlowLog) *string { return l.FlowLogId })
}

func findSecurityGroup(ctx context.Context, a account, w Query) (string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: filters("vpc-id", w.text("vpcId"), "group-name", w.text("name")),
	})
	if err != nil {
		return "", err
	}
	return firstID(out.SecurityGroups, func(g types.SecurityGroup) *string { return g.GroupId })
}

// findRule finds a rule by what it allows: a group has no two that allow the same.
func findRule(egress bool) func(context.Context, account, Query) (string, error) {
	return func(ctx context.Context, a account, w Query) (string, error) {
		pages := ec2.NewDescribeSecurityGroupRulesPaginator(ec2.NewFromConfig(a.aws), &ec2.DescribeSecurityGroupRulesInput{
			Filters: filters("group-id", w.text("securityGroupId")),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return "", err
			}
			for _, rule := range page.SecurityGroupRules {
				if aws.ToBool(rule.IsEgress) == egress && sameRule(rule, w) {
					return aws.ToString(rule.SecurityGroupRuleId), nil
				}
			}
		}
		return "", nil
	}
}

func sameRule(rule types.SecurityGroupRule, w Query) bool {
	var group string
	if rule.ReferencedGroupInfo != nil {
		group = aws.ToString(rule.ReferencedGroupInfo.GroupId)
	}
	return aws.ToString(rule.IpProtocol) == w.text("ipProtocol") &&
		w.port("fromPort", rule.FromPort) && w.port("toPort", rule.ToPort) &&
		aws.ToString(rule.CidrIpv4) == w.text("cidrIpv4") && aws.ToString(rule.CidrIpv6) == w.text("cidrIpv6") &&
		group == w.text("referencedSecurityGroupId") && aws.ToString(rule.PrefixListId) == w.text("prefixListId")
}

// port compares a port; AWS says -1 for one that was not given.
func (w Query) port(property string, found *int32) bool {
	wanted, given := w.Inputs[property].(float64)
	if !given {
		wanted = -1
	}
	return found == nil && !given || found != nil && float64(*found) == wanted
}
