package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
)

func quotaOperations() []operation {
	return []operation{readOp(getServiceQuota)}
}

// serviceQuota is a quota of AWS with its default. resource is the type that it limits, and full AWS's error beyond it; the quota of
// Fargate is only answered, not enforced.
type serviceQuota struct {
	service, code, name string
	value               int
	resource            string
	full                errorTemplate
}

// serviceQuotas are the quotas of a region, with AWS's defaults.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
// Source: https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
var serviceQuotas = []serviceQuota{
	{"ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5, typeEIP,
		errorTemplate{"AddressLimitExceeded", "The maximum number of addresses has been reached."}},
	{"vpc", "L-F678F1CE", "VPCs per Region", 5, typeVPC, errorTemplate{"VpcLimitExceeded", "The maximum number of VPCs has been reached."}},
	{"vpc", "L-FE5A380F", "NAT gateways per Availability Zone", 5, typeNATGateway,
		errorTemplate{"NatGatewayLimitExceeded", "The maximum number of NAT Gateways has been reached."}},
	{"rds", "L-7B6409FD", "DB instances", maxDatabases, typeDatabase,
		errorTemplate{"InstanceQuotaExceeded", "DB Instance quota exceeded"}},
	{"fargate", "L-3032A538", "Fargate On-Demand vCPU resource count", 6, "", errorTemplate{}},
}

// maxDatabases is RDS's default quota of instances.
const maxDatabases = 40

func getServiceQuota(_ model, in *servicequotas.GetServiceQuotaInput) (*servicequotas.GetServiceQuotaOutput, error) {
	i := slices.IndexFunc(serviceQuotas, func(q serviceQuota) bool { return q.service == deref(in.ServiceCode) && q.code == deref(in.QuotaCode) })
	if i < 0 {
		return nil, &types.NoSuchResourceException{Message: aws.String("The request failed because the specified quota does not exist.")}
	}
	q := serviceQuotas[i]
	return &servicequotas.GetServiceQuotaOutput{Quota: &types.ServiceQuota{
		ServiceCode: in.ServiceCode, QuotaCode: in.QuotaCode, QuotaName: &q.name, Value: aws.Float64(float64(q.value)), Adjustable: true,
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
		if used >= q.value {
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
