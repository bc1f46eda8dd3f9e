package checks

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// workingNAT returns a NAT instance that runs, with its interface, and the routes of two private subnets that lead there.
func workingNAT() natPath {
	tags := []ec2types.Tag{{Key: aws.String("SubnetType"), Value: aws.String("Private")}}
	table := func() ec2types.RouteTable {
		return ec2types.RouteTable{Tags: tags, Routes: []ec2types.Route{{DestinationCidrBlock: aws.String("10.10.0.0/16")}, {
			DestinationCidrBlock: aws.String("0.0.0.0/0"), NetworkInterfaceId: aws.String("eni-1"), State: ec2types.RouteStateActive,
		}}}
	}
	return natPath{
		interfaces: []ec2types.NetworkInterface{{
			NetworkInterfaceId: aws.String("eni-1"), Status: ec2types.NetworkInterfaceStatusInUse, SourceDestCheck: aws.Bool(false),
			Association: &ec2types.NetworkInterfaceAssociation{PublicIp: aws.String("203.0.113.7")},
			Attachment:  &ec2types.NetworkInterfaceAttachment{InstanceId: aws.String("i-2")},
		}},
		instances: []ec2types.Instance{natInstanceIn("i-1", "terminated"), natInstanceIn("i-2", "running")},
		tables:    []ec2types.RouteTable{table(), table(), {Tags: []ec2types.Tag{{Key: aws.String("SubnetType"), Value: aws.String("Public")}}}},
	}
}

func natInstanceIn(id string, state ec2types.InstanceStateName) ec2types.Instance {
	return ec2types.Instance{InstanceId: aws.String(id), State: &ec2types.InstanceState{Name: state}}
}

func TestEvaluateNATInstance(t *testing.T) {
	available := []ec2types.NatGateway{{State: ec2types.NatGatewayStateAvailable}}
	for name, test := range map[string]struct {
		nat    environment.NAT
		change func(*natPath)
		want   verdict
	}{
		"works": {"instance", func(*natPath) {}, verdict{Healthy, "Available", "i-2 runs, 2 routes lead to it"}},
		"no interface": {"instance", func(p *natPath) { p.interfaces = nil },
			verdict{Error, "NATMissing", "there is no NAT instance: private subnets cannot reach the internet"}},
		"check on": {"instance", func(p *natPath) { p.interfaces[0].SourceDestCheck = aws.Bool(true) },
			verdict{Error, "SourceDestCheckOn", "eni-1 drops packets that are not its own"}},
		"check unknown": {"instance", func(p *natPath) { p.interfaces[0].SourceDestCheck = nil }, verdict{Unknown, "NATUnknown", ""}},
		"state unknown": {"instance", func(p *natPath) { p.instances[1].State = nil }, verdict{Unknown, "NATUnknown", ""}},
		"no address":    {"instance", func(p *natPath) { p.interfaces[0].Association = nil }, verdict{Error, "AddressMissing", ""}},
		"terminated": {"instance", func(p *natPath) { p.interfaces[0].Attachment, p.instances = nil, p.instances[:1] },
			verdict{Error, "NATMissing", "the NAT instance does not run"}},
		"stopped":        {"instance", func(p *natPath) { p.instances[1] = natInstanceIn("i-2", "stopped") }, verdict{Error, "NATMissing", ""}},
		"starts":         {"instance", func(p *natPath) { p.instances[1] = natInstanceIn("i-2", "pending") }, verdict{Warning, "NATPending", ""}},
		"route deleted":  {"instance", func(p *natPath) { p.tables[1].Routes = nil }, verdict{Error, "RoutesMissing", "1 of 2 private route tables"}},
		"no tables":      {"instance", func(p *natPath) { p.tables = nil }, verdict{Error, "RoutesMissing", "0 of 0"}},
		"route blackens": {"instance", func(p *natPath) { p.tables[0].Routes[1].State = ec2types.RouteStateBlackhole }, verdict{Error, "RoutesMissing", ""}},
		"route elsewhere": {"instance", func(p *natPath) { p.tables[0].Routes[1].NetworkInterfaceId = aws.String("eni-2") },
			verdict{Error, "RoutesMissing", ""}},
		"not deployed yet": {"instance", func(p *natPath) { *p = natPath{gateways: available} },
			verdict{Warning, "OtherNAT", "through a NAT gateway, Pulumi.dev.yaml has a NAT instance"}},
		"still deployed": {"single", func(*natPath) {}, verdict{Warning, "OtherNAT", "through a NAT instance, Pulumi.dev.yaml has NAT gateways"}},
		"still deployed, and broken": {"single", func(p *natPath) { p.interfaces[0].SourceDestCheck = aws.Bool(true) },
			verdict{Error, "SourceDestCheckOn", ""}},
		"nothing": {"single", func(p *natPath) { *p = natPath{} }, verdict{Error, "NATMissing", "0/1 NAT gateways"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := loaded(t, "dev")
			env.Network.NAT = test.nat
			path := workingNAT()
			test.change(&path)
			f := evaluateNATPath(path, env)
			requireVerdict(t, test.want, f)
			if f.Status != Healthy {
				require.NotEmpty(t, f.Hint.Solution)
			}
		})
	}
}
