// Package quota has the quotas of an account that an environment uses up, and reads their values.
package quota

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

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

// InstanceVCPUs returns the quota of vCPUs of running instances of the standard families, without Spot instances.
// Source: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
func InstanceVCPUs() Quota { return Quota{"ec2", "L-1216C47A", "vCPUs of instances on demand", 5} }

// FargateVCPUs returns the quota of vCPUs of tasks on Fargate, without those on Fargate Spot.
// Source: https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
func FargateVCPUs() Quota {
	return Quota{"fargate", "L-3032A538", "vCPUs of Fargate tasks on demand", 6}
}

// FargateSpotVCPUs returns the quota of vCPUs of tasks on Fargate Spot.
// Source: https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
func FargateSpotVCPUs() Quota {
	return Quota{"fargate", "L-36FBB829", "vCPUs of Fargate tasks on Spot", 6}
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

// Use compares a quota with what is used and with what a command adds.
type Use struct {
	Quota
	// Place is the region, or the availability zone where the quota is one per zone.
	Place string
	Used  float64
	// Added is what the command needs, Peak what it uses at most where it can do with less at a time.
	Added, Peak float64
}

// Excess describes a use that exceeds a quota.
type Excess struct {
	Message, Hint string
	// Certain is false where there is room for less at a time, or where the account's own value, which may be higher than AWS's
	// default, could not be read.
	Certain bool
}

// Evaluate reads the account's value and returns what the use would exceed; nil where there is room. By names what adds to it.
func (u Use) Evaluate(ctx context.Context, cfg aws.Config, region, by string) *Excess {
	limit, unread := u.Read(ctx, cfg)
	return u.compare(limit, unread, region, by)
}

// compare compares the use with a limit; unread is why that is AWS's default, nil where it is the account's own.
func (u Use) compare(limit float64, unread error, region, by string) *Excess {
	peak := max(u.Added, u.Peak)
	message := fmt.Sprintf("%s in %s: %s used, %s added by %s, %s allowed by the quota %s",
		u.What, u.Place, number(u.Used), number(u.Added), by, number(limit), u.Code)
	certain := unread == nil
	switch {
	case u.Used+peak <= limit:
		return nil
	case u.Used+u.Added <= limit:
		message = fmt.Sprintf("%s in %s: %s used, up to %s added while tasks are replaced, %s allowed by the quota %s: "+
			"the rollout takes longer",
			u.What, u.Place, number(u.Used), number(peak), number(limit), u.Code)
		certain = false
	}
	if unread != nil {
		message += fmt.Sprintf(", which is AWS's default, since the account's value could not be read: %v", unread)
	}
	remedy := "release what is not needed, or request a higher quota: `" + u.Request(region, u.Used+peak) + "`"
	return &Excess{message, remedy, certain}
}

// number formats a count without trailing zeros: 5, 0.25.
func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
