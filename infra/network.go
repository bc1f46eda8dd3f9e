package infra

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	awsx "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Network is the VPC: a public and a private subnet in each zone, NAT for the private ones, a gateway endpoint that
// keeps S3's traffic (including image layers) off NAT, and a default security group that allows nothing.
//
// awsx resolves its outputs when all of its resources exist. NAT is not one of them: only what needs the internet waits
// for Routed, and a database is created beside the NAT gateways.
type Network struct {
	pulumi.ResourceState

	VPCID pulumi.StringOutput
	// PublicSubnetIDs are the subnets of the load balancer, one per zone.
	PublicSubnetIDs pulumi.StringArrayOutput
	// PrivateSubnetIDs are the subnets of tasks and database, one per zone.
	PrivateSubnetIDs pulumi.StringArrayOutput
	// Routed are the default routes of the private subnets. Tasks need them to start, since they pull their image through
	// NAT.
	Routed []pulumi.Resource
}

// NewNetwork declares a Network.
func NewNetwork(ctx *pulumi.Context, name string, env *environment.Environment, opts ...pulumi.ResourceOption) (*Network, error) {
	c := &Network{}
	child, err := declare(ctx, "Network", name, c, opts)
	if err != nil {
		return nil, err
	}

	vpc, err := newVPC(ctx, env, child)
	if err != nil {
		return nil, err
	}
	if _, err := ec2.NewDefaultSecurityGroup(ctx, name+"-default", &ec2.DefaultSecurityGroupArgs{
		VpcId: vpc.VpcId,
		Tags:  withName(env.Tags(), env.ResourceName("default")),
	}, child); err != nil {
		return nil, err
	}
	if _, err := ec2.NewVpcEndpoint(ctx, name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           vpc.VpcId,
		ServiceName:     pulumi.String("com.amazonaws." + env.Region + ".s3"),
		VpcEndpointType: pulumi.String("Gateway"),
		RouteTableIds:   privateRouteTables(vpc),
		Tags:            withName(env.Tags(), env.ResourceName("s3")),
	}, child); err != nil {
		return nil, err
	}
	if env.Monitoring.AtLeast(environment.Enhanced) {
		if err := newFlowLogs(ctx, name+"-flow-logs", env, vpc.VpcId, child); err != nil {
			return nil, err
		}
	}

	if c.Routed, err = newNAT(ctx, name, env, vpc, child); err != nil {
		return nil, err
	}

	c.VPCID, c.PublicSubnetIDs, c.PrivateSubnetIDs = vpc.VpcId, vpc.PublicSubnetIds, vpc.PrivateSubnetIds
	return c, finish(ctx, name, c, pulumi.Map{
		"vpcId": c.VPCID, "publicSubnetIds": c.PublicSubnetIDs, "privateSubnetIds": c.PrivateSubnetIDs,
	})
}

// newVPC declares the VPC. awsx derives the Name tags of subnets, route tables and gateways from its own logical name,
// which therefore is the name in AWS.
//
// A zone's range is a quarter of the VPC's, whether there are two or three zones. Otherwise it would depend on their
// number, and a third zone would replace all subnets by ones that overlap the existing ones.
// Source: https://github.com/pulumi/pulumi-awsx/blob/v2.22.0/awsx/ec2/subnetDistributorNew.ts
func newVPC(ctx *pulumi.Context, env *environment.Environment, child pulumi.ResourceOption) (*awsx.Vpc, error) {
	vpcRange, err := netip.ParsePrefix(env.Network.CIDR)
	if err != nil {
		return nil, fmt.Errorf("read network.cidr: %w", err)
	}
	zoneBits := vpcRange.Bits() + 2
	auto := awsx.SubnetAllocationStrategyAuto
	return awsx.NewVpc(ctx, env.VPCName(), &awsx.VpcArgs{
		CidrBlock:                 &env.Network.CIDR,
		NumberOfAvailabilityZones: &env.Network.Zones,
		AvailabilityZoneCidrMask:  &zoneBits,
		EnableDnsHostnames:        pulumi.Bool(true),
		EnableDnsSupport:          pulumi.Bool(true),
		SubnetStrategy:            &auto,
		SubnetSpecs:               []awsx.SubnetSpecArgs{{Type: awsx.SubnetTypePrivate}, {Type: awsx.SubnetTypePublic}},
		NatGateways:               &awsx.NatGatewayConfigurationArgs{Strategy: awsx.NatGatewayStrategyNone},
		Tags:                      withName(env.Tags(), env.VPCName()),
	}, child)
}

// privateRouteTables returns the IDs of the private subnets' route tables, which have a tag of awsx.
func privateRouteTables(vpc *awsx.Vpc) pulumi.StringArrayOutput {
	return vpc.RouteTables.ApplyT(func(tables []*ec2.RouteTable) pulumi.StringArrayOutput {
		var resolved []any
		for _, table := range tables {
			resolved = append(resolved, table.ID(), table.Tags)
		}
		return pulumi.All(resolved...).ApplyT(func(resolved []any) []string {
			var ids []string
			for i := 0; i < len(resolved); i += 2 {
				if tags, _ := resolved[i+1].(map[string]string); tags["SubnetType"] == string(awsx.SubnetTypePrivate) {
					ids = append(ids, string(resolved[i].(pulumi.ID)))
				}
			}
			return ids
		}).(pulumi.StringArrayOutput)
	}).(pulumi.StringArrayOutput)
}

// newFlowLogs declares flow logs of all traffic in the VPC, accepted or rejected.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
func newFlowLogs(
	ctx *pulumi.Context, name string, env *environment.Environment, vpcID pulumi.StringInput, child pulumi.ResourceOption,
) error {
	group, err := newLogGroup(ctx, name, "/aws/vpc/"+env.VPCName(), env, child)
	if err != nil {
		return err
	}
	role, policy, err := newServiceRole(ctx, name, env, serviceRole{
		name: env.FlowLogsRoleName(), service: "vpc-flow-logs.amazonaws.com",
		sources: fmt.Sprintf("arn:aws:ec2:%s:%s:vpc-flow-log/*", env.Region, env.Account),
		policy:  "write-flow-logs", permissions: documentOf(flowLogStatements, group.Arn),
	}, child)
	if err != nil {
		return err
	}
	_, err = ec2.NewFlowLog(ctx, name, &ec2.FlowLogArgs{
		VpcId:                  vpcID,
		TrafficType:            pulumi.String("ALL"),
		LogDestinationType:     pulumi.String("cloud-watch-logs"),
		LogDestination:         group.Arn,
		IamRoleArn:             role.Arn,
		MaxAggregationInterval: pulumi.Int(600),
		Tags:                   withName(env.Tags(), env.ResourceName("flow-logs")),
	}, child, pulumi.DependsOn([]pulumi.Resource{policy}))
	return err
}

func flowLogStatements(arn []string) []statement {
	return []statement{allow("Write", []string{
		"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams",
	}, arn[0], arn[0]+":*")}
}
