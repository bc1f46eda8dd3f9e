package cloud

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/stretchr/testify/require"
)

func TestQuotas(t *testing.T) {
	f := newFixture(t)
	vpc, one, other, _ := f.network()
	for range 5 {
		address := f.create(typeEIP, values{})
		f.create(typeNATGateway, values{"subnetId": one.ID, "allocationId": address.ID})
	}
	f.rejects("AddressLimitExceeded: The maximum number of addresses has been reached.", typeEIP, values{})
	f.rejects("NatGatewayLimitExceeded: The maximum number of NAT Gateways has been reached.", typeNATGateway, values{"subnetId": one.ID})
	f.create(typeNATGateway, values{"subnetId": other.ID}) // in another zone
	for i := range 4 {
		f.create(typeVPC, values{"cidrBlock": fmt.Sprintf("10.%d.0.0/16", i+1)})
	}
	f.rejects("VpcLimitExceeded: The maximum number of VPCs has been reached.", typeVPC, values{"cidrBlock": "10.9.0.0/16"})
	require.NotEmpty(t, vpc.ID)

	client := servicequotas.NewFromConfig(f.Config(f.Region()))
	for _, q := range serviceQuotas {
		out, err := client.GetServiceQuota(t.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: &q.Service, QuotaCode: &q.Code})
		require.NoError(t, err)
		require.Equal(t, q.Default, *out.Quota.Value)
	}
	_, err := client.GetServiceQuota(t.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("ec2"), QuotaCode: aws.String("L-0")})
	require.ErrorContains(t, err, "NoSuchResourceException")
}

func TestOthersUseTheQuota(t *testing.T) {
	f := newFixture(t, faultQuotaUsed)
	f.rejects("AddressLimitExceeded: The maximum number of addresses has been reached.", typeEIP, values{})
	out, err := ec2.NewFromConfig(f.Config(f.Region())).DescribeAddresses(t.Context(), &ec2.DescribeAddressesInput{})
	require.NoError(t, err)
	require.Len(t, out.Addresses, foreignAddresses)
}
