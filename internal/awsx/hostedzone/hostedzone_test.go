package hostedzone

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/stretchr/testify/require"
)

type account struct {
	zones []types.HostedZone
	err   error
	asked []string
}

func (a *account) ListHostedZonesByName(
	_ context.Context, in *route53.ListHostedZonesByNameInput, _ ...func(*route53.Options),
) (*route53.ListHostedZonesByNameOutput, error) {
	a.asked = append(a.asked, aws.ToString(in.DNSName))
	if a.err != nil {
		return nil, a.err
	}
	return &route53.ListHostedZonesByNameOutput{HostedZones: a.zones}, nil
}

func named(id, name string) types.HostedZone {
	return types.HostedZone{Id: aws.String("/hostedzone/" + id), Name: aws.String(name)}
}

func TestPublic(t *testing.T) {
	private, public := named("Z2", "example.com."), named("Z3", "Example.com.")
	private.Config = &types.HostedZoneConfig{PrivateZone: true}
	public.Config = &types.HostedZoneConfig{}
	a := &account{zones: []types.HostedZone{named("Z1", "example.com."), private, public, named("Z4", "sub.example.com.")}}
	zones, err := Public(t.Context(), a, "example.com")
	require.NoError(t, err)
	require.Len(t, zones, 2, "private zones and those of other names are left out")
	require.Equal(t, "Z1", ID(zones[0]))
	require.Equal(t, "Z3", ID(zones[1]))
	require.Equal(t, []string{"example.com"}, a.asked)

	zones, err = Public(t.Context(), a, "example.org")
	require.NoError(t, err)
	require.Empty(t, zones)

	_, err = Public(t.Context(), &account{err: errors.New("throttled")}, "example.com")
	require.ErrorContains(t, err, "throttled")
}

func TestNames(t *testing.T) {
	require.True(t, SameName(`\052.Example.com.`, "*.example.com"))
	require.False(t, SameName("a.example.com", "b.example.com"))
	require.Equal(t, []string{"ns-1.example.com", "ns-2.example.com"}, NormalNames([]string{"NS-2.example.com.", "ns-1.example.com"}))
	require.Equal(t, []string{}, NormalNames(nil))
}
