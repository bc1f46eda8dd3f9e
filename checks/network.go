package checks

import (
	"context"
	"fmt"
	"maps"
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

// readVPC returns the environment's VPC, or nil where there is none. It is found by its Name tag.
func readVPC(ctx context.Context, rc *runContext) (*ec2types.Vpc, error) {
	return cached(ctx, &rc.cache, "vpc", func(ctx context.Context) (*ec2types.Vpc, error) {
		out, err := ec2.NewFromConfig(rc.aws()).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{
			Filters: []ec2types.Filter{filter("tag:Name", rc.env.VPCName())},
		})
		if err != nil || len(out.Vpcs) == 0 {
			return nil, err
		}
		return &out.Vpcs[0], nil
	})
}

// inVPC reads resources of the environment's VPC, none where there is no VPC.
func inVPC[T any](
	ctx context.Context, rc *runContext, key string, read func(context.Context, *ec2.Client, ec2types.Filter) ([]T, error),
) ([]T, error) {
	return cached(ctx, &rc.cache, key, func(ctx context.Context) ([]T, error) {
		vpc, err := readVPC(ctx, rc)
		if err != nil || vpc == nil {
			return nil, err
		}
		return read(ctx, ec2.NewFromConfig(rc.aws()), filter("vpc-id", aws.ToString(vpc.VpcId)))
	})
}

func readSubnets(ctx context.Context, rc *runContext) ([]ec2types.Subnet, error) {
	return inVPC(ctx, rc, "subnets", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.Subnet, error) {
		return awsx.Pages(ctx, ec2.NewDescribeSubnetsPaginator(client, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{own}}),
			func(out *ec2.DescribeSubnetsOutput) []ec2types.Subnet { return out.Subnets })
	})
}

func readNATs(ctx context.Context, rc *runContext) ([]ec2types.NatGateway, error) {
	return inVPC(ctx, rc, "nat gateways", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.NatGateway, error) {
		return awsx.Pages(ctx, ec2.NewDescribeNatGatewaysPaginator(client, &ec2.DescribeNatGatewaysInput{Filter: []ec2types.Filter{own}}),
			func(out *ec2.DescribeNatGatewaysOutput) []ec2types.NatGateway { return out.NatGateways })
	})
}

func readSecurityGroups(ctx context.Context, rc *runContext) ([]ec2types.SecurityGroup, error) {
	return inVPC(ctx, rc, "security groups", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.SecurityGroup, error) {
		return awsx.Pages(ctx, ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{own}}),
			func(out *ec2.DescribeSecurityGroupsOutput) []ec2types.SecurityGroup { return out.SecurityGroups })
	})
}

func filter(name, value string) ec2types.Filter {
	return ec2types.Filter{Name: aws.String(name), Values: []string{value}}
}

// tagValue returns the value of a tag, whose key is compared without case, or "".
func tagValue(tags []ec2types.Tag, key string) string {
	for _, t := range tags {
		if strings.EqualFold(aws.ToString(t.Key), key) {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

func evaluateVPC(vpc *ec2types.Vpc, env *environment.Environment) Finding {
	f := newFinding("vpc", "VPC-"+env.VPCName())
	if vpc == nil {
		return f.error("VPCMissing", missingHint(env, "the VPC"), "the VPC %s does not exist", env.VPCName())
	}
	f = f.with("id", aws.ToString(vpc.VpcId)).with("cidr", aws.ToString(vpc.CidrBlock)).with("state", string(vpc.State))
	switch {
	case vpc.State == "" || vpc.CidrBlock == nil:
		return f.unknown("VPCUnknown", incompleteAnswer("DescribeVpcs", "the state or the range"), "it is unknown whether the VPC is as in the environment's file")
	case vpc.State != ec2types.VpcStateAvailable:
		return f.warning("VPCNotAvailable", Hint{Cause: "it is being created", Solution: "wait a minute"}, "the VPC is %s", vpc.State)
	case aws.ToString(vpc.CidrBlock) != env.Network.CIDR:
		return f.warning("OtherRange", Hint{
			Cause:    "the VPC was created with another range, or network.cidr was changed in the environment's file",
			Solution: "set network.cidr to the range of the VPC, which AWS cannot change, or create another environment",
		},
			"the VPC has %s, the environment's file has %s", aws.ToString(vpc.CidrBlock), env.Network.CIDR)
	}
	return f.healthy("Available", "%s, %s", aws.ToString(vpc.VpcId), aws.ToString(vpc.CidrBlock))
}

// minFreeAddresses is how many free addresses a subnet needs: a rollout doubles the tasks, and a load balancer requires eight.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer
const minFreeAddresses = 16

func evaluatePublicSubnets(subnets []ec2types.Subnet, env *environment.Environment) Finding {
	return evaluateSubnets("public", subnets, env)
}

func evaluatePrivateSubnets(subnets []ec2types.Subnet, env *environment.Environment) Finding {
	return evaluateSubnets("private", subnets, env)
}

// evaluateSubnets evaluates the public or the private subnets: one in each zone, with free addresses.
func evaluateSubnets(kind string, subnets []ec2types.Subnet, env *environment.Environment) Finding {
	f := newFinding("subnets", "VPC-Subnets-"+env.VPCName()+"-"+kind)
	own := list.Filter(subnets, func(s ec2types.Subnet) bool { return subnetKind(s) == kind })
	zones := map[string]int{}
	var full, pending, incomplete []string
	for _, s := range own {
		if s.AvailabilityZone == nil || s.State == "" || s.AvailableIpAddressCount == nil {
			incomplete = append(incomplete, aws.ToString(s.SubnetId))
			continue
		}
		zones[*s.AvailabilityZone] += int(*s.AvailableIpAddressCount)
		if s.State != ec2types.SubnetStateAvailable {
			pending = append(pending, aws.ToString(s.SubnetId))
		} else if *s.AvailableIpAddressCount < minFreeAddresses {
			full = append(full, aws.ToString(s.SubnetId))
		}
	}
	f = f.with("subnets", len(own)).with("free_addresses", zones)
	switch {
	case len(own) == 0:
		return f.error("SubnetsMissing", deployHint(env, "the environment was never deployed, or its subnets were deleted"), "there are no %s subnets", kind)
	case len(zones) < env.Network.Zones && len(incomplete) == 0:
		return f.error("TooFewZones", deployHint(env, "a subnet was deleted"+undeployedFile(env)), "%s subnets in %d of %d zones", kind, len(zones), env.Network.Zones)
	case len(pending) > 0:
		return f.warning("SubnetsPending", Hint{Cause: "they are being created", Solution: "wait a minute"},
			"%d of %d %s subnets are not available", len(pending), len(own), kind)
	case len(full) > 0:
		return f.with("nearly_full", full).warning("FewAddresses", Hint{
			Cause:    "tasks, or network interfaces that were not removed, use the addresses",
			Solution: "find what uses the addresses: aws ec2 describe-network-interfaces",
		}, "%d of %d %s subnets have fewer than %d free addresses", len(full), len(own), kind, minFreeAddresses)
	}
	if len(incomplete) > 0 {
		return f.with("incomplete", incomplete).unknown("SubnetsUnknown", incompleteAnswer("DescribeSubnets", "a zone, a state or a number of free addresses"),
			"the state of %d of %d %s subnets is unknown", len(incomplete), len(own), kind)
	}
	return f.healthy("Available", "%d %s subnets in %d zones", len(own), kind, len(zones))
}

// subnetKind returns public or private, by the tag that the infra program sets, or by whether instances get a public address.
func subnetKind(s ec2types.Subnet) string {
	if tag := tagValue(s.Tags, "SubnetType"); tag != "" {
		return strings.ToLower(tag)
	}
	if aws.ToBool(s.MapPublicIpOnLaunch) {
		return "public"
	}
	return "private"
}

// natStates counts gateways by state, without deleted ones, which AWS lists for about an hour.
func natStates(gateways []ec2types.NatGateway) map[string]int {
	states := map[string]int{}
	for _, g := range gateways {
		if g.State != ec2types.NatGatewayStateDeleted && g.State != ec2types.NatGatewayStateDeleting {
			states[string(g.State)]++
		}
	}
	return states
}

func evaluateNAT(gateways []ec2types.NatGateway, env *environment.Environment) Finding {
	f := newFinding("nat", "VPC-NAT-"+env.VPCName())
	states := natStates(gateways)
	failed := list.Filter(gateways, func(g ec2types.NatGateway) bool { return g.State == ec2types.NatGatewayStateFailed })
	available, wanted := states[string(ec2types.NatGatewayStateAvailable)], env.NATGateways()
	f = f.with("states", states).with("wanted", wanted)
	if len(failed) > 0 {
		f = f.with("failures", list.Map(failed, func(g ec2types.NatGateway) string { return aws.ToString(g.FailureMessage) }))
	}
	lost := Hint{
		Cause:    "a gateway failed or was deleted",
		Solution: "run a full deployment with --refresh; until then tasks in its zone can read neither the image nor the secret",
		Command:  command(env, "up") + " " + tagPlaceholder + " --refresh",
	}
	switch {
	case available < wanted && available+states[""] >= wanted:
		return f.unknown("NATUnknown", incompleteAnswer("DescribeNatGateways", "a state"), "%d/%d NAT gateways available, the state of %d is unknown", available, wanted, states[""])
	case available == 0 && states[string(ec2types.NatGatewayStatePending)] > 0:
		return f.warning("NATPending", Hint{Cause: "it is being created", Solution: "wait a minute"}, "0/%d NAT gateways available, %d pending", wanted, states["pending"])
	case available == 0:
		return f.error("NATMissing", lost, "0/%d NAT gateways available: private subnets cannot reach the internet", wanted)
	case available < wanted:
		lost.Cause += undeployedFile(env)
		return f.warning("TooFewNATs", lost, "%d/%d NAT gateways available", available, wanted)
	}
	return f.healthy("Available", "%d/%d NAT gateways available", available, wanted)
}

func checkSecurityGroups(ctx context.Context, rc *runContext) ([]Finding, error) {
	groups, balancer, err := readBoth(ctx, rc, readSecurityGroups, readBalancer)
	if err != nil {
		return nil, err
	}
	var balancerGroups []string
	if balancer != nil {
		balancerGroups = balancer.SecurityGroups
	}
	if len(groups) == 0 {
		return []Finding{newFinding("security_groups", "VPC-SecurityGroups-"+rc.env.VPCName()).error("SecurityGroupsMissing",
			missingHint(rc.env, "its VPC"), "there are no security groups")}, nil
	}
	slices.SortFunc(groups, func(a, b ec2types.SecurityGroup) int {
		return strings.Compare(aws.ToString(a.GroupName), aws.ToString(b.GroupName))
	})
	return list.Map(groups, func(g ec2types.SecurityGroup) Finding {
		return evaluateSecurityGroup(g, slices.Contains(balancerGroups, aws.ToString(g.GroupId)), rc.env)
	}), nil
}

// evaluateSecurityGroup evaluates which ports a group opens to every address. Only the load balancer's may open any, 80 and 443.
func evaluateSecurityGroup(group ec2types.SecurityGroup, ofBalancer bool, env *environment.Environment) Finding {
	f := newFinding("security_groups", "VPC-SecurityGroup-"+aws.ToString(group.GroupName))
	open := openPorts(group.IpPermissions)
	f = f.with("id", aws.ToString(group.GroupId)).with("ingress_rules", len(group.IpPermissions))
	if len(open) > 0 {
		f = f.with("open_to_the_world", open)
	}
	forbidden := list.Filter(open, func(port string) bool { return !ofBalancer || port != "tcp/80" && port != "tcp/443" })
	switch {
	case len(forbidden) > 0:
		return f.error("OpenToTheWorld", openHint(env, group),
			"%s open to the internet: %s", text.Plural(len(forbidden), "port is", "ports are"), strings.Join(forbidden, ", "))
	case aws.ToString(group.GroupName) == "default" && len(group.IpPermissions) > 0:
		return f.warning("DefaultGroupOpen", driftHint(env, "rules were added to the VPC's default group"),
			"the default security group has %s and should have none", text.Plural(len(group.IpPermissions), "ingress rule", "ingress rules"))
	}
	if len(open) > 0 {
		return f.healthy("Closed", "open to the internet on %s only", strings.Join(open, ", "))
	}
	return f.healthy("Closed", "%s, none open to the internet", text.Plural(len(group.IpPermissions), "ingress rule", "ingress rules"))
}

// openHint returns the hint for a rule that no stack has: rules are resources of their own, so that neither drift nor --refresh finds others.
// Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc_security_group_ingress_rule
func openHint(env *environment.Environment, group ec2types.SecurityGroup) Hint {
	return Hint{
		Cause: "a rule was added outside the deployer, which neither drift nor --refresh finds",
		Solution: "list the rules of the group, and revoke the one that is open with `aws ec2 revoke-security-group-ingress --group-id " +
			aws.ToString(group.GroupId) + " --security-group-rule-ids RULE --region " + env.Region + "`",
		Command: awsCommand(env, "ec2 describe-security-group-rules --filters Name=group-id,Values="+aws.ToString(group.GroupId)),
	}
}

// openPorts returns the protocols and ports that permissions open to every address, such as tcp/443, sorted.
func openPorts(permissions []ec2types.IpPermission) []string {
	ports := map[string]bool{}
	for _, p := range permissions {
		public := slices.ContainsFunc(p.IpRanges, func(r ec2types.IpRange) bool { return aws.ToString(r.CidrIp) == "0.0.0.0/0" }) ||
			slices.ContainsFunc(p.Ipv6Ranges, func(r ec2types.Ipv6Range) bool { return aws.ToString(r.CidrIpv6) == "::/0" })
		if public {
			ports[portsOf(p)] = true
		}
	}
	return slices.Sorted(maps.Keys(ports))
}

func portsOf(p ec2types.IpPermission) string {
	from, to := aws.ToInt32(p.FromPort), aws.ToInt32(p.ToPort)
	switch protocol := aws.ToString(p.IpProtocol); {
	case protocol == "-1":
		return "everything"
	case from == to:
		return fmt.Sprintf("%s/%d", protocol, from)
	default:
		return fmt.Sprintf("%s/%d-%d", protocol, from, to)
	}
}
