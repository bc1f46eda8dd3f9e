package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

func TestCoversPeer(t *testing.T) {
	v4 := func(cidr any) map[string]any { return map[string]any{"cidrIpv4": cidr} }
	v6 := func(cidr any) map[string]any { return map[string]any{"cidrIpv6": cidr} }
	group := func(id any) map[string]any { return map[string]any{"referencedSecurityGroupId": id} }
	for name, test := range map[string]struct {
		before, after map[string]any
		want          bool
	}{
		"the same":                       {v4("10.0.0.0/24"), v4("10.0.0.0/24"), true},
		"a part":                         {v4("10.0.0.0/16"), v4("10.0.3.0/24"), true},
		"wider, from the same address":   {v4("10.0.0.0/24"), v4("10.0.0.0/8"), false},
		"beside":                         {v4("10.0.0.0/24"), v4("10.0.1.0/24"), false},
		"known when it is deployed":      {v4("10.0.0.0/24"), v4(engine.Unknown), false},
		"IPv6, a part":                   {v6("2001:db8::/32"), v6("2001:db8:1::/48"), true},
		"IPv6, wider, from the same one": {v6("2001:db8::/48"), v6("2001:db8::/32"), false},
		"another protocol":               {v4("0.0.0.0/0"), v6("::/0"), false},
		"the same group":                 {group("sg-1"), group("sg-1"), true},
		"another group":                  {group("sg-1"), group("sg-2"), false},
		"a group that is not known yet":  {group(engine.Unknown), group(engine.Unknown), false},
		"a range instead of a group":     {group("sg-1"), v4("10.0.0.0/8"), false},
	} {
		require.Equal(t, test.want, coversPeer(test.before, test.after), name)
	}
}
