package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/balancer/v3-backend-infra/internal/awsx/quota"
)

func quotaOperations() []operation {
	return []operation{readOp(getServiceQuota)}
}

// A serviceQuota is a quota with AWS's name of it. resource is the type that it limits, and full AWS's error beyond it; the quotas
// of vCPUs are only answered, not enforced.
type serviceQuota struct {
	quota.Quota
	name     string
	resource string
	full     errorTemplate
}

// serviceQuotas are the quotas of a region, with AWS's defaults.
var serviceQuotas = []serviceQuota{
	{quota.ElasticIPs(), "EC2-VPC Elastic IPs", typeEIP,
		errorTemplate{"AddressLimitExceeded", "The maximum number of addresses has been reached."}},
	{quota.VPCs(), "VPCs per Region", typeVPC, errorTemplate{"VpcLimitExceeded", "The maximum number of VPCs has been reached."}},
	{quota.NATGateways(), "NAT gateways per Availability Zone", typeNATGateway,
		errorTemplate{"NatGatewayLimitExceeded", "The maximum number of NAT Gateways has been reached."}},
	{quota.DatabaseInstances(), "DB instances", typeDatabase,
		errorTemplate{"InstanceQuotaExceeded", "DB Instance quota exceeded"}},
	{quota.InstanceVCPUs(), "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", "", errorTemplate{}},
	{quota.FargateVCPUs(), "Fargate On-Demand vCPU resource count", "", errorTemplate{}},
	{quota.FargateSpotVCPUs(), "Fargate Spot vCPU resource count", "", errorTemplate{}},
}

func getServiceQuota(_ model, in *servicequotas.GetServiceQuotaInput) (*servicequotas.GetServiceQuotaOutput, error) {
	i := slices.IndexFunc(serviceQuotas, func(q serviceQuota) bool { return q.Service == deref(in.ServiceCode) && q.Code == deref(in.QuotaCode) })
	if i < 0 {
		return nil, &types.NoSuchResourceException{Message: aws.String("The request failed because the specified quota does not exist.")}
	}
	q := serviceQuotas[i]
	return &servicequotas.GetServiceQuotaOutput{Quota: &types.ServiceQuota{
		ServiceCode: in.ServiceCode, QuotaCode: in.QuotaCode, QuotaName: &q.name, Value: &q.Default, Adjustable: true,
	}}, nil
}

// foreignAddresses is how many Elastic IPs others hold under the fault quota-used.
const foreignAddresses = 5

// quotaError returns AWS's error where the account has as many resources of the type of r as the quota allows.
func (m model) quotaError(r *Resource) error {
	for _, q := range serviceQuotas {
		if q.resource != r.Type {
			continue
		}
		used := 0
		for _, other := range m.ByType(r.Type) {
			if q.resource != typeNATGateway || m.availabilityZoneOf(other) == m.availabilityZoneOf(r) {
				used++
			}
		}
		if q.resource == typeEIP && m.faults[faultQuotaUsed] {
			used += foreignAddresses
		}
		if float64(used) >= q.Default {
			return q.full.errorFor("")
		}
	}
	return nil
}

// availabilityZoneOf returns the availability zone of a resource in a subnet.
func (m model) availabilityZoneOf(r *Resource) string {
	subnet, _ := r.Inputs["subnetId"].(string)
	if found := m.Get(typeSubnet, subnet); found != nil {
		return found.Text("availabilityZone")
	}
	return ""
}
