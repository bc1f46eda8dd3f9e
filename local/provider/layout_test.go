package provider

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllocateSubnets(t *testing.T) {
	mask := func(bits int) *int { return &bits }
	private, public := subnetSpec{Type: "Private"}, subnetSpec{Type: "Public"}
	tests := map[string]struct {
		cidr  string
		bits  int
		zones []string
		specs []subnetSpec
		want  []string
	}{
		"two zones, evenly": {
			"10.10.0.0/16", 17, []string{"a", "b"}, []subnetSpec{private, public},
			[]string{"v-private-1 a 10.10.0.0/18", "v-public-1 a 10.10.64.0/18", "v-private-2 b 10.10.128.0/18",
				"v-public-2 b 10.10.192.0/18"},
		},
		"three zones leave a quarter": {
			"10.30.0.0/16", 18, []string{"a", "b", "c"}, []subnetSpec{private},
			[]string{"v-private-1 a 10.30.0.0/18", "v-private-2 b 10.30.64.0/18", "v-private-3 c 10.30.128.0/18"},
		},
		"two zones of a quarter are the first two of three": {
			"10.10.0.0/16", 18, []string{"a", "b"}, []subnetSpec{private, public},
			[]string{"v-private-1 a 10.10.0.0/19", "v-public-1 a 10.10.32.0/19", "v-private-2 b 10.10.64.0/19",
				"v-public-2 b 10.10.96.0/19"},
		},
		"three zones of a quarter": {
			"10.10.0.0/16", 18, []string{"a", "b", "c"}, []subnetSpec{private, public},
			[]string{"v-private-1 a 10.10.0.0/19", "v-public-1 a 10.10.32.0/19", "v-private-2 b 10.10.64.0/19",
				"v-public-2 b 10.10.96.0/19", "v-private-3 c 10.10.128.0/19", "v-public-3 c 10.10.160.0/19"},
		},
		"a wide subnet after a narrow one is moved to its boundary": {
			"10.0.0.0/16", 16, []string{"a"}, []subnetSpec{{Type: "Public", CIDRMask: mask(24)},
				{Type: "Private", CIDRMask: mask(20)}},
			[]string{"v-public-1 a 10.0.0.0/24", "v-private-1 a 10.0.16.0/20"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			subnets, err := allocateSubnets("v", netip.MustParsePrefix(test.cidr), test.bits, test.zones, test.specs)
			require.NoError(t, err)
			var got []string
			for _, s := range subnets {
				got = append(got, s.name+" "+s.zone+" "+s.cidr.String())
			}
			require.Equal(t, test.want, got)
		})
	}
	_, err := allocateSubnets("v", netip.MustParsePrefix("10.0.0.0/16"), 17, []string{"a", "b"},
		[]subnetSpec{{Type: "Private", CIDRMask: mask(16)}})
	require.EqualError(t, err, "the subnets are too large for the VPC 10.0.0.0/16: a zone has 32768 addresses")
}
