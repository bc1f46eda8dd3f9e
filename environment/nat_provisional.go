package environment

import "fmt"

// NATInstance is one NAT instance instead of a gateway.
const NATInstance NAT = "instance"

// The NAT instance: the smallest of Graviton, with a volume of NATVolumeGiB.
// Source: https://aws.amazon.com/ec2/instance-types/t4/
const (
	NATInstanceType = "t4g.nano"
	NATVolumeGiB    = 4
)

// NATAddressNames returns the Name tags of the Elastic IPs from which tasks reach the internet.
func (e *Environment) NATAddressNames() []string {
	if e.Network.NAT == NATInstance {
		return []string{e.ResourceName("nat")}
	}
	var names []string
	for i := range e.NATGateways() {
		names = append(names, e.ResourceName(fmt.Sprintf("nat-%d", i+1)))
	}
	return names
}
