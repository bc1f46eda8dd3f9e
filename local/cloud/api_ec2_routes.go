package cloud

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func describeInternetGateways(m model, in *ec2.DescribeInternetGatewaysInput) (*ec2.DescribeInternetGatewaysOutput, error) {
	found, err := m.filtered(in.InternetGatewayIds, in.Filters, typeInternetGateway)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	out := &ec2.DescribeInternetGatewaysOutput{NextToken: next}
	for _, r := range found {
		out.InternetGateways = append(out.InternetGateways, types.InternetGateway{
			InternetGatewayId: aws.String(r.ID), OwnerId: aws.String(m.ID), Tags: ec2Tags(r),
			Attachments: []types.InternetGatewayAttachment{{VpcId: orNil(r.Text("vpcId")), State: "available"}},
		})
	}
	return out, err
}

func describeRouteTables(m model, in *ec2.DescribeRouteTablesInput) (*ec2.DescribeRouteTablesOutput, error) {
	found, err := m.filtered(in.RouteTableIds, in.Filters, typeRouteTable)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	out := &ec2.DescribeRouteTablesOutput{NextToken: next}
	for _, r := range found {
		out.RouteTables = append(out.RouteTables, m.routeTable(r))
	}
	return out, err
}

func (m model) routeTable(r *Resource) types.RouteTable {
	table := types.RouteTable{RouteTableId: aws.String(r.ID), VpcId: orNil(r.Text("vpcId")), OwnerId: aws.String(m.ID), Tags: ec2Tags(r)}
	for _, route := range m.ByType(typeRoute) {
		if route.Text("routeTableId") == r.ID {
			described := types.Route{
				DestinationCidrBlock: orNil(route.Text("destinationCidrBlock")), GatewayId: orNil(route.Text("gatewayId")),
				NatGatewayId: orNil(route.Text("natGatewayId")), NetworkInterfaceId: orNil(route.Text("networkInterfaceId")),
				State: types.RouteStateActive, Origin: types.RouteOriginCreateRoute,
			}
			if id := route.Text("networkInterfaceId"); id != "" {
				// A route to what is attached to no instance drops its traffic.
				// Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
				if i := m.attachedTo(id); i != nil {
					described.InstanceId, described.InstanceOwnerId = aws.String(i.id), aws.String(m.ID)
				} else {
					described.State = types.RouteStateBlackhole
				}
			}
			table.Routes = append(table.Routes, described)
		}
	}
	for _, a := range m.ByType(typeRouteTableAssociation) {
		if a.Text("routeTableId") == r.ID {
			table.Associations = append(table.Associations, types.RouteTableAssociation{
				RouteTableAssociationId: aws.String(a.ID), RouteTableId: aws.String(r.ID), SubnetId: orNil(a.Text("subnetId")),
				AssociationState: &types.RouteTableAssociationState{State: types.RouteTableAssociationStateCodeAssociated},
			})
		}
	}
	return table
}

func describeAddresses(m model, in *ec2.DescribeAddressesInput) (*ec2.DescribeAddressesOutput, error) {
	found, err := m.filtered(in.AllocationIds, in.Filters, typeEIP)
	out := &ec2.DescribeAddressesOutput{}
	for _, r := range found {
		out.Addresses = append(out.Addresses, types.Address{
			AllocationId: aws.String(r.ID), PublicIp: orNil(r.Text("publicIp")), Domain: types.DomainTypeVpc, Tags: ec2Tags(r),
			NetworkInterfaceId: orNil(r.Text("networkInterface")), AssociationId: orNil(r.Text("associationId")),
		})
	}
	if m.faults[faultQuotaUsed] && len(in.AllocationIds)+len(in.Filters) == 0 {
		for i := range foreignAddresses {
			out.Addresses = append(out.Addresses, types.Address{
				AllocationId: aws.String(fmt.Sprintf("eipalloc-0f00%013d", i)), PublicIp: aws.String(fmt.Sprintf("198.51.100.%d", i+1)), Domain: types.DomainTypeVpc,
			})
		}
	}
	return out, err
}

func describeVpcEndpoints(m model, in *ec2.DescribeVpcEndpointsInput) (*ec2.DescribeVpcEndpointsOutput, error) {
	found, err := m.filtered(in.VpcEndpointIds, in.Filters, typeVPCEndpoint)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	out := &ec2.DescribeVpcEndpointsOutput{NextToken: next}
	for _, r := range found {
		out.VpcEndpoints = append(out.VpcEndpoints, types.VpcEndpoint{
			VpcEndpointId: aws.String(r.ID), VpcId: orNil(r.Text("vpcId")), ServiceName: orNil(r.Text("serviceName")),
			VpcEndpointType: types.VpcEndpointType(r.Text("vpcEndpointType")), State: types.StateAvailable, Tags: ec2Tags(r),
		})
	}
	return out, err
}

func describeFlowLogs(m model, in *ec2.DescribeFlowLogsInput) (*ec2.DescribeFlowLogsOutput, error) {
	found, err := m.filtered(in.FlowLogIds, in.Filter, typeFlowLog)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 1000)
	out := &ec2.DescribeFlowLogsOutput{NextToken: next}
	for _, r := range found {
		out.FlowLogs = append(out.FlowLogs, types.FlowLog{
			FlowLogId: aws.String(r.ID), ResourceId: orNil(r.Text("vpcId")), FlowLogStatus: aws.String("ACTIVE"), Tags: ec2Tags(r),
		})
	}
	return out, err
}
