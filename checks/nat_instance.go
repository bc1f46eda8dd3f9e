package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// natPath has what private subnets reach the internet through.
type natPath struct {
	gateways []ec2types.NatGateway
	// The others are read only where the environment's file has a NAT instance, or where no gateway is available.
	interfaces []ec2types.NetworkInterface
	instances  []ec2types.Instance
	tables     []ec2types.RouteTable
}

// checkNAT evaluates the NAT gateways, or the NAT instance.
func checkNAT(ctx context.Context, rc *runContext) ([]Finding, error) {
	gateways, err := readNATs(ctx, rc)
	if err != nil {
		return nil, err
	}
	path := natPath{gateways: gateways}
	if rc.env.Network.NAT == environment.NATInstance || !anyAvailable(gateways) {
		if path, err = readNATInstance(ctx, rc, gateways); err != nil {
			return nil, err
		}
	}
	return []Finding{evaluateNATPath(path, rc.env)}, nil
}

// evaluateNATPath evaluates the kind of NAT of the environment's file, or the other kind where only that is there.
func evaluateNATPath(path natPath, env *environment.Environment) Finding {
	byInstance, byGateway := len(path.interfaces) > 0, anyAvailable(path.gateways)
	switch wanted := env.Network.NAT == environment.NATInstance; {
	case wanted && !byInstance && byGateway:
		return otherNAT(env, "a NAT gateway", "a NAT instance")
	case !wanted && !byGateway && byInstance:
		if f := evaluateNATInstance(path, env); f.Status != Healthy {
			return f
		}
		return otherNAT(env, "a NAT instance", "NAT gateways")
	case wanted:
		return evaluateNATInstance(path, env)
	}
	return evaluateNAT(path.gateways, env)
}

// otherNAT returns a finding about a kind of NAT that works, and is not the one of the environment's file.
func otherNAT(env *environment.Environment, has, wants string) Finding {
	return newFinding("nat", "VPC-NAT-"+env.VPCName()).warning("OtherNAT", differsHint(env, "the NAT was changed"),
		"private subnets reach the internet through %s, %s has %s", has, environment.FileName(env.Stack), wants)
}

func anyAvailable(gateways []ec2types.NatGateway) bool {
	return slices.ContainsFunc(gateways, func(g ec2types.NatGateway) bool { return g.State == ec2types.NatGatewayStateAvailable })
}

// readNATInstance reads the network interface of the NAT instance by its Name tag, the instances, and the route tables.
func readNATInstance(ctx context.Context, rc *runContext, gateways []ec2types.NatGateway) (natPath, error) {
	path := natPath{gateways: gateways}
	named := filter("tag:Name", rc.env.NATInstanceName())
	prefetch(ctx, rc, readNATInstances)
	prefetch(ctx, rc, readRouteTables)
	var err error
	if path.interfaces, err = inVPC(ctx, rc, "network interfaces", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.NetworkInterface, error) {
		return awsx.Pages(ctx, ec2.NewDescribeNetworkInterfacesPaginator(client, &ec2.DescribeNetworkInterfacesInput{Filters: []ec2types.Filter{own, named}}),
			func(out *ec2.DescribeNetworkInterfacesOutput) []ec2types.NetworkInterface {
				return out.NetworkInterfaces
			})
	}); err != nil {
		return path, err
	}
	if path.instances, err = readNATInstances(ctx, rc); err != nil {
		return path, err
	}
	path.tables, err = readRouteTables(ctx, rc)
	return path, err
}

// readNATInstances returns the NAT instances, also those that were terminated within the last hour.
func readNATInstances(ctx context.Context, rc *runContext) ([]ec2types.Instance, error) {
	named := filter("tag:Name", rc.env.NATInstanceName())
	return inVPC(ctx, rc, "instances", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.Instance, error) {
		return awsx.Pages(ctx, ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{own, named}}),
			func(out *ec2.DescribeInstancesOutput) []ec2types.Instance {
				var all []ec2types.Instance
				for _, r := range out.Reservations {
					all = append(all, r.Instances...)
				}
				return all
			})
	})
}

func readRouteTables(ctx context.Context, rc *runContext) ([]ec2types.RouteTable, error) {
	return inVPC(ctx, rc, "route tables", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.RouteTable, error) {
		return awsx.Pages(ctx, ec2.NewDescribeRouteTablesPaginator(client, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{own}}),
			func(out *ec2.DescribeRouteTablesOutput) []ec2types.RouteTable { return out.RouteTables })
	})
}

// evaluateNATInstance evaluates the instance's network interface, the instance that it is attached to, and the routes that lead there.
func evaluateNATInstance(path natPath, env *environment.Environment) Finding {
	f := newFinding("nat", "VPC-NAT-"+env.VPCName())
	const blocked = "private subnets cannot reach the internet"
	if len(path.interfaces) == 0 {
		return f.error("NATMissing", deployHint(env, "the NAT instance's network interface was deleted"), "there is no NAT instance: %s", blocked)
	}
	attached := path.interfaces[0]
	id := aws.ToString(attached.NetworkInterfaceId)
	f = f.with("network_interface", id)
	if attached.Association != nil {
		f = f.with("public_address", aws.ToString(attached.Association.PublicIp))
	}
	running := attachedInstance(attached, path.instances)
	if running != nil && running.State != nil {
		f = f.with("instance", aws.ToString(running.InstanceId)).with("state", string(running.State.Name))
	}
	switch {
	case attached.Status == "" || attached.SourceDestCheck == nil || running != nil && running.State == nil:
		return f.unknown("NATUnknown", incompleteAnswer("DescribeNetworkInterfaces", "the status or the source/destination check"), "the state of the NAT instance is unknown")
	case *attached.SourceDestCheck:
		return f.error("SourceDestCheckOn", driftHint(env, "the source/destination check of the network interface was switched on"),
			"the NAT instance's network interface %s drops packets that are not its own: %s", id, blocked)
	case attached.Association == nil:
		return f.error("AddressMissing", driftHint(env, "the Elastic IP was disassociated"), "the NAT instance has no public address: %s", blocked)
	case running != nil && running.State.Name == ec2types.InstanceStateNamePending, running == nil && slices.ContainsFunc(path.instances, isPending):
		return f.warning("NATPending", Hint{Cause: "the Auto Scaling group launches an instance", Solution: "wait some minutes"}, "the NAT instance is starting: %s", blocked)
	case running == nil || running.State.Name != ec2types.InstanceStateNameRunning:
		return f.error("NATMissing", Hint{
			Cause:    "the instance failed or was terminated; the Auto Scaling group replaces it within some minutes, if EC2 has capacity and the quota of vCPUs allows it",
			Solution: "wait some minutes, and otherwise read why the launches of the group failed",
			Command:  awsCommand(env, "autoscaling describe-scaling-activities --auto-scaling-group-name "+env.NATInstanceName()),
		}, "the NAT instance does not run: %s", blocked)
	}
	private := list.Filter(path.tables, func(t ec2types.RouteTable) bool { return strings.EqualFold(tagValue(t.Tags, "SubnetType"), "private") })
	led := list.Filter(private, func(t ec2types.RouteTable) bool { return leadsTo(t, id) })
	if f = f.with("routes", len(led)); len(led) < len(private) || len(private) == 0 {
		return f.error("RoutesMissing", driftHint(env, "a route was deleted or leads elsewhere"),
			"%d of %d private route tables lead to the NAT instance: the other subnets cannot reach the internet through it", len(led), len(private))
	}
	return f.healthy("Available", "the NAT instance %s runs, %s to it", aws.ToString(running.InstanceId), text.Plural(len(led), "route leads", "routes lead"))
}

// attachedInstance returns the instance that a network interface is attached to, or nil.
func attachedInstance(i ec2types.NetworkInterface, instances []ec2types.Instance) *ec2types.Instance {
	if i.Attachment == nil {
		return nil
	}
	return list.Find(instances, func(one ec2types.Instance) bool {
		return aws.ToString(one.InstanceId) == aws.ToString(i.Attachment.InstanceId)
	})
}

func isPending(i ec2types.Instance) bool {
	return i.State != nil && i.State.Name == ec2types.InstanceStateNamePending
}

// leadsTo reports whether a table's default route leads to a network interface that is attached to an instance.
func leadsTo(t ec2types.RouteTable, networkInterface string) bool {
	return slices.ContainsFunc(t.Routes, func(r ec2types.Route) bool {
		return aws.ToString(r.DestinationCidrBlock) == "0.0.0.0/0" && aws.ToString(r.NetworkInterfaceId) == networkInterface &&
			r.State == ec2types.RouteStateActive
	})
}
