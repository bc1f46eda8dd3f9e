package environment

// NATInstance is one NAT instance instead of a gateway.
const NATInstance NAT = "instance"

// The NAT instance: the smallest of Graviton, with a volume of NATVolumeGiB.
// Source: https://aws.amazon.com/ec2/instance-types/t4/
const (
	NATInstanceType = "t4g.nano"
	NATVolumeGiB    = 4
)

// NATAddresses returns how many Elastic IPs tasks reach the internet from: one of each gateway, or the instance's.
func (e *Environment) NATAddresses() int { return max(1, e.NATGateways()) }
