package checks

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestEvaluateVPC(t *testing.T) {
	vpc := func(state ec2types.VpcState, cidr string) *ec2types.Vpc {
		return &ec2types.Vpc{VpcId: aws.String("vpc-1"), State: state, CidrBlock: aws.String(cidr)}
	}
	env := loaded(t, "dev")
	requireVerdict(t, verdict{Healthy, "Available", "vpc-1, 10.10.0.0/16"}, evaluateVPC(vpc("available", "10.10.0.0/16"), env))
	requireVerdict(t, verdict{Error, "VPCMissing", env.VPCName()}, evaluateVPC(nil, env))
	requireVerdict(t, verdict{Warning, "VPCNotAvailable", "pending"}, evaluateVPC(vpc("pending", "10.10.0.0/16"), env))
	requireVerdict(t, verdict{Warning, "OtherRange", "10.99.0.0/16"}, evaluateVPC(vpc("available", "10.99.0.0/16"), env))
}

func TestEvaluateSubnets(t *testing.T) {
	subnet := func(kind, zone string, free int32) ec2types.Subnet {
		return ec2types.Subnet{
			SubnetId: aws.String("subnet-" + kind + zone), AvailabilityZone: aws.String(zone), State: ec2types.SubnetStateAvailable,
			AvailableIpAddressCount: aws.Int32(free), Tags: []ec2types.Tag{{Key: aws.String("SubnetType"), Value: aws.String(kind)}},
		}
	}
	pending := subnet("Public", "b", 200)
	pending.State = ec2types.SubnetStatePending
	untagged := ec2types.Subnet{State: ec2types.SubnetStateAvailable, AvailabilityZone: aws.String("b"), AvailableIpAddressCount: aws.Int32(99), MapPublicIpOnLaunch: aws.Bool(true)}
	for name, test := range map[string]struct {
		subnets []ec2types.Subnet
		want    verdict
	}{
		"one a zone":   {[]ec2types.Subnet{subnet("Public", "a", 200), subnet("Public", "b", 200), subnet("Private", "a", 200)}, verdict{Healthy, "Available", "2 public subnets in 2 zones"}},
		"without tags": {[]ec2types.Subnet{subnet("Public", "a", 200), untagged}, verdict{Healthy, "Available", "2 public"}},
		"none":         {[]ec2types.Subnet{subnet("Private", "a", 200)}, verdict{Error, "SubnetsMissing", "no public subnets"}},
		"one zone":     {[]ec2types.Subnet{subnet("Public", "a", 200), subnet("Public", "a", 200)}, verdict{Error, "TooFewZones", "1 of 2 zones"}},
		"full":         {[]ec2types.Subnet{subnet("Public", "a", 200), subnet("Public", "b", 15)}, verdict{Warning, "FewAddresses", "1 of 2 public subnets"}},
		"pending":      {[]ec2types.Subnet{subnet("Public", "a", 200), pending}, verdict{Warning, "SubnetsPending", "1 of 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateSubnets("public", test.subnets, loaded(t, "dev")))
		})
	}
}

func TestEvaluateNAT(t *testing.T) {
	gateways := func(states ...ec2types.NatGatewayState) []ec2types.NatGateway {
		var all []ec2types.NatGateway
		for _, s := range states {
			all = append(all, ec2types.NatGateway{State: s, FailureMessage: aws.String("no address")})
		}
		return all
	}
	for name, test := range map[string]struct {
		gateways []ec2types.NatGateway
		env      string
		want     verdict
	}{
		"one":            {gateways("available"), "dev", verdict{Healthy, "Available", "1/1"}},
		"an old one":     {gateways("available", "deleted", "failed"), "dev", verdict{Healthy, "Available", "1/1"}},
		"one a zone":     {gateways("available", "available", "available"), "production", verdict{Healthy, "Available", "3/3"}},
		"a zone without": {gateways("available", "available", "failed"), "production", verdict{Warning, "TooFewNATs", "2/3"}},
		"none":           {nil, "dev", verdict{Error, "NATMissing", "0/1"}},
		"deleted":        {gateways("deleted"), "dev", verdict{Error, "NATMissing", "0/1"}},
		"being created":  {gateways("pending"), "dev", verdict{Warning, "NATPending", "1 pending"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := loaded(t, test.env)
			if test.env == "dev" {
				env.Network.NAT = environment.NATSingle
			}
			requireVerdict(t, test.want, evaluateNAT(test.gateways, env))
		})
	}
}

func TestEvaluateSecurityGroup(t *testing.T) {
	everywhere := []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}
	permission := func(protocol string, from, to int32) ec2types.IpPermission {
		return ec2types.IpPermission{IpProtocol: aws.String(protocol), FromPort: aws.Int32(from), ToPort: aws.Int32(to), IpRanges: everywhere}
	}
	inside := permission("tcp", 5432, 5432)
	inside.IpRanges = []ec2types.IpRange{{CidrIp: aws.String("10.0.0.0/16")}}
	six := ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22), Ipv6Ranges: []ec2types.Ipv6Range{{CidrIpv6: aws.String("::/0")}}}
	web := []ec2types.IpPermission{permission("tcp", 80, 80), permission("tcp", 443, 443)}
	for name, test := range map[string]struct {
		group       string
		permissions []ec2types.IpPermission
		ofBalancer  bool
		want        verdict
	}{
		"closed":                   {"tasks", []ec2types.IpPermission{inside}, false, verdict{Healthy, "Closed", "1 ingress rule, none open to the internet"}},
		"the balancer's":           {"balancer", web, true, verdict{Healthy, "Closed", "tcp/443, tcp/80 only"}},
		"the same of another":      {"tasks", web, false, verdict{Error, "OpenToTheWorld", "2 ports are open to the internet: tcp/443, tcp/80"}},
		"database":                 {"database", []ec2types.IpPermission{inside, permission("tcp", 5432, 5432)}, false, verdict{Error, "OpenToTheWorld", "1 port is open to the internet: tcp/5432"}},
		"IPv6":                     {"tasks", []ec2types.IpPermission{six}, false, verdict{Error, "OpenToTheWorld", "tcp/22"}},
		"everything":               {"tasks", []ec2types.IpPermission{permission("-1", 0, 0)}, false, verdict{Error, "OpenToTheWorld", "everything"}},
		"a range":                  {"balancer", []ec2types.IpPermission{permission("tcp", 80, 8080)}, true, verdict{Error, "OpenToTheWorld", "tcp/80-8080"}},
		"default group":            {"default", nil, false, verdict{Healthy, "Closed", "0 ingress rules"}},
		"default group with rules": {"default", []ec2types.IpPermission{inside}, false, verdict{Warning, "DefaultGroupOpen", "1 ingress rule"}},
	} {
		t.Run(name, func(t *testing.T) {
			group := ec2types.SecurityGroup{GroupName: aws.String(test.group), GroupId: aws.String("sg-1"), IpPermissions: test.permissions}
			requireVerdict(t, test.want, evaluateSecurityGroup(group, test.ofBalancer, loaded(t, "dev")))
		})
	}
	require.Equal(t, "sg", tagValue([]ec2types.Tag{{Key: aws.String("name"), Value: aws.String("sg")}}, "Name"))
}
