package provider

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

// The component and its children, by Pulumi's tokens.
const (
	typeComponent   = "awsx:ec2:Vpc"
	typeVPC         = "aws:ec2/vpc:Vpc"
	typeGateway     = "aws:ec2/internetGateway:InternetGateway"
	typeSubnet      = "aws:ec2/subnet:Subnet"
	typeTable       = "aws:ec2/routeTable:RouteTable"
	typeAssociation = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	typeRoute       = "aws:ec2/route:Route"
	typeEIP         = "aws:ec2/eip:Eip"
	typeNAT         = "aws:ec2/natGateway:NatGateway"
)

// vpcArgs are the simulated arguments of awsx.ec2.Vpc:
// https://www.pulumi.com/registry/packages/awsx/api-docs/ec2/vpc/
type vpcArgs struct {
	CIDRBlock                 *string               `pulumi:"cidrBlock"`
	AvailabilityZoneNames     []string              `pulumi:"availabilityZoneNames"`
	NumberOfAvailabilityZones *int                  `pulumi:"numberOfAvailabilityZones"`
	AvailabilityZoneCIDRMask  *int                  `pulumi:"availabilityZoneCidrMask"`
	EnableDNSHostnames        pulumi.BoolPtrInput   `pulumi:"enableDnsHostnames"`
	EnableDNSSupport          pulumi.BoolPtrInput   `pulumi:"enableDnsSupport"`
	NATGateways               *natGatewayArgs       `pulumi:"natGateways"`
	SubnetSpecs               []subnetSpec          `pulumi:"subnetSpecs"`
	SubnetStrategy            *string               `pulumi:"subnetStrategy"`
	Tags                      pulumi.StringMapInput `pulumi:"tags"`
}

type natGatewayArgs struct {
	Strategy string `pulumi:"strategy"`
}

// The strategies of NAT gateways.
const (
	natSingle   = "Single"
	natOnePerAZ = "OnePerAz"
)

// vpc is the component while its children are registered.
type vpc struct {
	pulumi.ResourceState

	ctx  *pulumi.Context
	name string
	tags pulumi.StringMapInput

	network, gateway *child
	nats             []*child
	// children are the resources by the output that lists them, without the VPC and its internet gateway.
	children map[string][]pulumi.Input
	ids      map[string]pulumi.StringArray
}

// child is a resource of which only ID and URN are needed.
type child struct{ pulumi.CustomResourceState }

// newVPC registers the component and its children, with the same names and parents as the real one: each route table
// belongs to its subnet, each NAT gateway to its public subnet.
func newVPC(ctx *pulumi.Context, name string, args vpcArgs, options pulumi.ResourceOption) (*provider.ConstructResult, error) {
	v := &vpc{
		ctx: ctx, name: name, tags: args.Tags,
		children: map[string][]pulumi.Input{}, ids: map[string]pulumi.StringArray{},
	}
	if err := ctx.RegisterComponentResource(typeComponent, name, v, options); err != nil {
		return nil, err
	}
	zones, err := v.zones(args)
	if err != nil {
		return nil, err
	}
	plan, err := args.plan(name, zones)
	if err != nil {
		return nil, err
	}
	v.network, err = v.add(typeVPC, name, v, pulumi.Map{
		"cidrBlock": pulumi.String(plan.cidr.String()), "enableDnsHostnames": args.EnableDNSHostnames,
		"enableDnsSupport": args.EnableDNSSupport, "tags": v.tagsFor(nil),
	})
	if err != nil {
		return nil, err
	}
	v.gateway, err = v.add(typeGateway, name, v.network, pulumi.Map{
		"vpcId": v.network.ID(), "tags": v.tagsFor(nil),
	})
	if err != nil {
		return nil, err
	}
	// The NAT gateways come first: the private subnets' routes lead to them.
	for _, public := range []bool{true, false} {
		for _, s := range plan.subnets {
			if s.is("Public") == public && !s.is("Unused") {
				if err := v.addSubnet(s, plan); err != nil {
					return nil, err
				}
			}
		}
	}
	outputs := v.outputs()
	if err := ctx.RegisterResourceOutputs(v, outputs); err != nil {
		return nil, err
	}
	return &provider.ConstructResult{URN: v.URN(), State: outputs}, nil
}

// vpcPlan is what follows from the arguments alone.
type vpcPlan struct {
	cidr    netip.Prefix
	zones   []string
	subnets []subnet
	nat     string
}

// zones returns the named availability zones, or the region's first ones, by default three.
func (v *vpc) zones(args vpcArgs) ([]string, error) {
	wanted := 3
	if args.NumberOfAvailabilityZones != nil {
		wanted = *args.NumberOfAvailabilityZones
		if args.AvailabilityZoneNames != nil {
			return nil, errors.New("only one of availabilityZoneNames and numberOfAvailabilityZones can be specified")
		}
	}
	if args.AvailabilityZoneNames != nil {
		return args.AvailabilityZoneNames, nil
	}
	var found struct {
		Names []string `pulumi:"names"`
	}
	const token = "aws:index/getAvailabilityZones:getAvailabilityZones"
	if err := v.ctx.Invoke(token, nil, &found, pulumi.Parent(v)); err != nil {
		return nil, fmt.Errorf("list the availability zones: %w", err)
	}
	if len(found.Names) < wanted {
		return nil, fmt.Errorf("the region has %d availability zones, not %d", len(found.Names), wanted)
	}
	return found.Names[:wanted], nil
}

// plan validates the arguments and allocates the subnets.
func (a vpcArgs) plan(name string, zones []string) (vpcPlan, error) {
	plan := vpcPlan{zones: zones, nat: natOnePerAZ}
	if a.SubnetStrategy == nil || *a.SubnetStrategy != "Auto" {
		return plan, &cloud.UnsimulatedError{What: "a subnetStrategy of " + typeComponent + " other than Auto"}
	}
	for _, spec := range a.SubnetSpecs {
		if spec.Blocks != nil || spec.Size != nil {
			return plan, &cloud.UnsimulatedError{What: "a subnet of " + typeComponent + " with cidrBlocks or size"}
		}
	}
	block := "10.0.0.0/16"
	if a.CIDRBlock != nil {
		block = *a.CIDRBlock
	}
	cidr, err := netip.ParsePrefix(block)
	if err != nil || !cidr.Addr().Is4() {
		return plan, fmt.Errorf("cidrBlock: %q is not an IPv4 range", block)
	}
	plan.cidr = cidr
	if a.NATGateways != nil {
		plan.nat = a.NATGateways.Strategy
	}
	specs := a.SubnetSpecs
	if specs == nil {
		specs = []subnetSpec{{Type: "Private"}, {Type: "Public"}}
	}
	zoneBits := cidr.Bits() + log2Ceil(len(zones))
	if a.AvailabilityZoneCIDRMask != nil {
		zoneBits = *a.AvailabilityZoneCIDRMask
	}
	plan.subnets, err = allocateSubnets(name, cidr, zoneBits, plan.zones, specs)
	return plan, err
}

// addSubnet registers a subnet with its route table, its NAT gateway if the strategy requires one, and its default
// route.
func (v *vpc) addSubnet(s subnet, plan vpcPlan) error {
	tags := pulumi.StringMap{"Name": pulumi.String(s.name), "SubnetType": pulumi.String(s.spec.Type)}
	subnet, err := v.addTo("subnets", typeSubnet, s.name, v.network, pulumi.Map{
		"vpcId": v.network.ID(), "availabilityZone": pulumi.String(s.zone), "cidrBlock": pulumi.String(s.cidr.String()),
		"mapPublicIpOnLaunch": pulumi.Bool(s.is("Public")), "tags": v.tagsFor(mergeTags(s.spec.Tags, tags)),
	})
	if err != nil {
		return err
	}
	v.ids[s.spec.Type] = append(v.ids[s.spec.Type], subnet.ID().ToStringOutput())
	table, err := v.addTo("routeTables", typeTable, s.name, subnet, pulumi.Map{
		"vpcId": v.network.ID(), "tags": v.tagsFor(tags),
	})
	if err != nil {
		return err
	}
	association := pulumi.Map{"routeTableId": table.ID(), "subnetId": subnet.ID()}
	if _, err := v.addTo("routeTableAssociations", typeAssociation, s.name, table, association); err != nil {
		return err
	}
	if s.is("Public") && v.wantsNAT(plan.nat) {
		if err := v.addNAT(subnet); err != nil {
			return err
		}
	}
	route := v.defaultRoute(s, plan)
	if route == nil {
		return nil
	}
	route["routeTableId"], route["destinationCidrBlock"] = table.ID(), pulumi.String("0.0.0.0/0")
	_, err = v.addTo("routes", typeRoute, s.name, table, route)
	return err
}

func (v *vpc) wantsNAT(strategy string) bool {
	return strategy == natOnePerAZ || strategy == natSingle && len(v.nats) == 0
}

// addNAT registers an address and a NAT gateway in a public subnet.
func (v *vpc) addNAT(subnet *child) error {
	name := fmt.Sprintf("%s-%d", v.name, len(v.nats)+1)
	tags := v.tagsFor(pulumi.StringMap{"Name": pulumi.String(name)})
	address, err := v.addTo("eips", typeEIP, name, subnet, pulumi.Map{"tags": tags})
	if err != nil {
		return err
	}
	nat, err := v.addTo("natGateways", typeNAT, name, subnet, pulumi.Map{
		"subnetId": subnet.ID(), "allocationId": address.ID(), "tags": tags,
	})
	v.nats = append(v.nats, nat)
	return err
}

// defaultRoute returns the target of a subnet's route to the internet, or nil.
func (v *vpc) defaultRoute(s subnet, plan vpcPlan) pulumi.Map {
	switch {
	case s.is("Public"):
		return pulumi.Map{"gatewayId": v.gateway.ID()}
	case s.is("Private") && len(v.nats) > 0:
		nat := v.nats[0]
		for i, zone := range plan.zones {
			if zone == s.zone && i < len(v.nats) {
				nat = v.nats[i]
			}
		}
		return pulumi.Map{"natGatewayId": nat.ID()}
	}
	return nil
}

func (v *vpc) add(typ, name string, parent pulumi.Resource, inputs pulumi.Map) (*child, error) {
	c := &child{}
	return c, v.ctx.RegisterResource(typ, name, inputs, c, pulumi.Parent(parent))
}

func (v *vpc) addTo(list, typ, name string, parent pulumi.Resource, inputs pulumi.Map) (*child, error) {
	c, err := v.add(typ, name, parent, inputs)
	v.children[list] = append(v.children[list], pulumi.NewResourceInput(c))
	return c, err
}

// tagsFor returns the component's tags and Name, overridden by a child's own tags.
func (v *vpc) tagsFor(own pulumi.StringMap) pulumi.StringMapOutput {
	shared := pulumi.StringMap{}.ToStringMapOutput()
	if v.tags != nil {
		shared = v.tags.ToStringMapOutput()
	}
	return pulumi.All(shared, own).ApplyT(func(parts []any) map[string]string {
		tags := map[string]string{"Name": v.name}
		for _, part := range parts {
			for name, value := range part.(map[string]string) {
				tags[name] = value
			}
		}
		return tags
	}).(pulumi.StringMapOutput)
}

func mergeTags(given map[string]string, own pulumi.StringMap) pulumi.StringMap {
	all := pulumi.StringMap{}
	for name, value := range given {
		all[name] = pulumi.String(value)
	}
	for name, value := range own {
		all[name] = value
	}
	return all
}

// outputs returns the outputs of awsx.ec2.Vpc.
func (v *vpc) outputs() pulumi.Map {
	outputs := pulumi.Map{
		"vpc": pulumi.NewResourceInput(v.network), "vpcId": v.network.ID().ToStringOutput(),
		"internetGateway": pulumi.NewResourceInput(v.gateway),
		"publicSubnetIds": v.ids["Public"], "privateSubnetIds": v.ids["Private"], "isolatedSubnetIds": v.ids["Isolated"],
		"subnetLayout": pulumi.Array{}, "vpcEndpoints": pulumi.Array{},
	}
	for _, list := range []string{"subnets", "routeTables", "routeTableAssociations", "routes", "natGateways", "eips"} {
		outputs[list] = pulumi.Array(v.children[list])
	}
	return outputs
}
