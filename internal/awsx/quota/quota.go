// Package quota has the quotas of an account that an environment uses up, and reads their values.
package quota

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
)

// A Quota is a quota of an account in a region, as Service Quotas identifies it.
type Quota struct {
	Service, Code string
	// What is counted, in the plural.
	What string
	// Default is AWS's, which applies until the account asks for more.
	Default float64
}

// ElasticIPs returns the quota of public addresses.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
func ElasticIPs() Quota { return Quota{"ec2", "L-0263D0A3", "Elastic IPs", 5} }

// VPCs returns the quota of VPCs.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
func VPCs() Quota { return Quota{"vpc", "L-F678F1CE", "VPCs", 5} }

// NATGateways returns the quota of NAT gateways in an availability zone.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
func NATGateways() Quota { return Quota{"vpc", "L-FE5A380F", "NAT gateways", 5} }

// FargateVCPUs returns the quota of vCPUs of tasks on Fargate, without those on Fargate Spot.
// Source: https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
func FargateVCPUs() Quota {
	return Quota{"fargate", "L-3032A538", "vCPUs of Fargate tasks on demand", 6}
}

// DatabaseInstances returns the quota of RDS instances.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
func DatabaseInstances() Quota { return Quota{"rds", "L-7B6409FD", "database instances", 40} }

// Read returns the account's value of the quota, in the region of cfg. Where it cannot be read, that is AWS's default, and the error is why:
// the account's own value may be higher.
func (q Quota) Read(ctx context.Context, cfg aws.Config) (float64, error) {
	client := servicequotas.NewFromConfig(cfg)
	out, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &q.Service, QuotaCode: &q.Code})
	if err != nil {
		return q.Default, err
	}
	if out.Quota == nil || out.Quota.Value == nil {
		return q.Default, errors.New("the answer has no value")
	}
	return *out.Quota.Value, nil
}

// Request returns the command that requests a higher value.
func (q Quota) Request(region string, desired float64) string {
	return fmt.Sprintf("aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %.0f",
		region, q.Service, q.Code, math.Ceil(desired))
}
