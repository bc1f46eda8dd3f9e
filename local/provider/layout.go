package provider

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
)

// subnetSpec requests one subnet in every zone.
type subnetSpec struct {
	Type     string            `pulumi:"type"`
	Name     *string           `pulumi:"name"`
	CIDRMask *int              `pulumi:"cidrMask"`
	Blocks   []string          `pulumi:"cidrBlocks"`
	Size     *int              `pulumi:"size"`
	Tags     map[string]string `pulumi:"tags"`
}

// subnet is one subnet of a layout.
type subnet struct {
	name, zone string
	cidr       netip.Prefix
	spec       subnetSpec
}

func (s subnet) is(kind string) bool { return strings.EqualFold(s.spec.Type, kind) }

// allocateSubnets gives each zone a range with a prefix of zoneBits, and divides it between the specs, in their order, as
// awsx does with the strategy Auto. Like awsx, it does not check that all zones are inside the VPC: AWS does.
// Source: https://github.com/pulumi/pulumi-awsx/blob/v2.22.0/awsx/ec2/subnetDistributorNew.ts
func allocateSubnets(vpc string, cidr netip.Prefix, zoneBits int, zones []string, specs []subnetSpec) ([]subnet, error) {
	var all []subnet
	for i, zone := range zones {
		next := firstAddress(cidr) + uint64(i)<<(32-zoneBits)
		end := next + 1<<(32-zoneBits)
		for _, spec := range specs {
			size := zoneBits + log2Ceil(len(specs))
			if spec.CIDRMask != nil {
				size = *spec.CIDRMask
			}
			width := uint64(1) << (32 - size)
			next = (next + width - 1) / width * width
			if size > 32 || next+width > end {
				return nil, fmt.Errorf("the subnets are too large for the VPC %s: a zone has %d addresses",
					cidr, 1<<(32-zoneBits))
			}
			all = append(all, subnet{
				name: subnetName(vpc, spec, i+1), zone: zone, cidr: prefix(next, size), spec: spec,
			})
			next += width
		}
	}
	return all, nil
}

func subnetName(vpc string, spec subnetSpec, zone int) string {
	what := strings.ToLower(spec.Type)
	if spec.Name != nil {
		what = *spec.Name
	}
	return fmt.Sprintf("%s-%s-%d", vpc, what, zone)
}

// log2Ceil returns how often one must be doubled to reach n.
func log2Ceil(n int) int {
	if n < 2 {
		return 0
	}
	return bits.Len(uint(n - 1))
}

func firstAddress(p netip.Prefix) uint64 {
	address := p.Masked().Addr().As4()
	return uint64(binary.BigEndian.Uint32(address[:]))
}

func prefix(address uint64, size int) netip.Prefix {
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], uint32(address))
	return netip.PrefixFrom(netip.AddrFrom4(bytes), size)
}
