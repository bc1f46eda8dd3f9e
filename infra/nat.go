package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awsx "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// A natTarget is the target of private subnets' default routes: a NAT gateway, or the network interface of the NAT instance.
type natTarget struct {
	gatewayID, interfaceID pulumi.StringPtrInput
	// after are what the target needs to forward traffic, besides itself.
	after []pulumi.Resource
}

// newNAT declares what private subnets reach the internet through, and the default route of each of them. It returns the routes.
//
// awsx would declare NAT gateways too, but then another kind of NAT would be other resources: a second default route in the same
// table, which AWS rejects with RouteAlreadyExists. Here the route stays, and only its target is updated: after the new target is
// created, and before the engine deletes the old one.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRoute.html
func newNAT(
	ctx *pulumi.Context, name string, env *environment.Environment, vpc *awsx.Vpc, child pulumi.ResourceOption,
) ([]pulumi.Resource, error) {
	declareTargets := newNATGateways
	if env.Network.NAT == environment.NATInstance {
		declareTargets = newNATInstance
	}
	targets, err := declareTargets(ctx, name, env, vpc, child)
	if err != nil {
		return nil, err
	}
	var routes []pulumi.Resource
	for i := range env.Network.Zones {
		target := targets[min(i, len(targets)-1)]
		route, err := ec2.NewRoute(ctx, fmt.Sprintf("%s-default-%d", name, i+1), &ec2.RouteArgs{
			RouteTableId:         privateRouteTable(vpc, i),
			DestinationCidrBlock: pulumi.String(anywhere),
			NatGatewayId:         target.gatewayID,
			NetworkInterfaceId:   target.interfaceID,
		}, child, pulumi.DependsOn(target.after))
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

// newNATGateways declares the NAT gateways with their Elastic IPs.
func newNATGateways(
	ctx *pulumi.Context, name string, env *environment.Environment, vpc *awsx.Vpc, child pulumi.ResourceOption,
) ([]natTarget, error) {
	// A gateway reaches the internet only once its public subnet has a route there, which the component includes.
	// Source: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
	after := pulumi.DependsOn([]pulumi.Resource{vpc})
	var targets []natTarget
	for i := range env.NATGateways() {
		tags := withName(env.Tags(), env.NATGatewayName(i+1))
		gatewayName := fmt.Sprintf("%s-nat-%d", name, i+1)
		address, err := ec2.NewEip(ctx, gatewayName, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: tags}, child)
		if err != nil {
			return nil, err
		}
		gateway, err := ec2.NewNatGateway(ctx, gatewayName, &ec2.NatGatewayArgs{
			SubnetId:     publicSubnet(vpc, i),
			AllocationId: address.AllocationId,
			Tags:         tags,
		}, child, after)
		if err != nil {
			return nil, err
		}
		targets = append(targets, natTarget{gatewayID: gateway.ID()})
	}
	return targets, nil
}

// publicSubnet returns the ID of the public subnet in the i-th zone.
func publicSubnet(vpc *awsx.Vpc, i int) pulumi.StringOutput {
	return ofPublicSubnet(vpc, i, func(s *ec2.Subnet) pulumi.StringOutput { return s.ID().ToStringOutput() })
}

// ofPublicSubnet returns a property of the public subnet in the i-th zone.
func ofPublicSubnet(vpc *awsx.Vpc, i int, property func(*ec2.Subnet) pulumi.StringOutput) pulumi.StringOutput {
	return vpc.Subnets.ApplyT(func(subnets []*ec2.Subnet) pulumi.StringOutput {
		return nth(list.Map(subnets, func(s *ec2.Subnet) tagged { return tagged{property(s), s.Tags} }), awsx.SubnetTypePublic, i)
	}).(pulumi.StringOutput)
}

// privateRouteTable returns the ID of the route table of the private subnet in the i-th zone.
func privateRouteTable(vpc *awsx.Vpc, i int) pulumi.StringOutput {
	return vpc.RouteTables.ApplyT(func(tables []*ec2.RouteTable) pulumi.StringOutput {
		return nth(list.Map(tables, func(t *ec2.RouteTable) tagged { return tagged{t.ID().ToStringOutput(), t.Tags} }), awsx.SubnetTypePrivate, i)
	}).(pulumi.StringOutput)
}

// A tagged is a property of a resource of awsx that has a tag with the type of its subnet.
type tagged struct {
	value pulumi.StringOutput
	tags  pulumi.StringMapOutput
}

// nth returns the value of the i-th resource with a type of subnet; awsx returns them in the order of the zones. It waits for
// this value only: in a preview that adds a zone, a list of IDs is unknown as a whole, and what refers to one of them would
// seem to be replaced. Of a VPC that a deployment of other components leaves out, it returns "": the engine leaves out what uses it as well.
func nth(resources []tagged, kind awsx.SubnetType, i int) pulumi.StringOutput {
	tags := list.Map(resources, func(r tagged) any { return r.tags })
	return pulumi.All(tags...).ApplyT(func(tags []any) (pulumi.StringOutput, error) {
		found, known := 0, false
		for n := range tags {
			t, _ := tags[n].(map[string]string)
			known = known || len(t) > 0
			if t["SubnetType"] != string(kind) {
				continue
			}
			if found == i {
				return resources[n].value, nil
			}
			found++
		}
		if !known {
			return pulumi.String("").ToStringOutput(), nil
		}
		return pulumi.StringOutput{}, fmt.Errorf("the VPC has %d subnets of the type %s, but the environment has at least %d zones",
			found, kind, i+1)
	}).(pulumi.StringOutput)
}
