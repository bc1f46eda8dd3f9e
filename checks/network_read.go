package checks

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// readVPC returns the environment's VPC, or nil where there is none. It is found by its Name tag.
func readVPC(ctx context.Context, rc *runContext) (*ec2types.Vpc, error) {
	return cached(ctx, &rc.cache, "vpc", func(ctx context.Context) (*ec2types.Vpc, error) {
		out, err := ec2.NewFromConfig(rc.aws()).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{
			Filters: []ec2types.Filter{filter("tag:Name", rc.env.VPCName())},
		})
		if err != nil || len(out.Vpcs) == 0 {
			return nil, err
		}
		return &out.Vpcs[0], nil
	})
}

// inVPC reads resources of the environment's VPC, none where there is no VPC.
func inVPC[T any](
	ctx context.Context, rc *runContext, key string, read func(context.Context, *ec2.Client, ec2types.Filter) ([]T, error),
) ([]T, error) {
	return cached(ctx, &rc.cache, key, func(ctx context.Context) ([]T, error) {
		vpc, err := readVPC(ctx, rc)
		if err != nil || vpc == nil {
			return nil, err
		}
		return read(ctx, ec2.NewFromConfig(rc.aws()), filter("vpc-id", aws.ToString(vpc.VpcId)))
	})
}

func readSubnets(ctx context.Context, rc *runContext) ([]ec2types.Subnet, error) {
	return inVPC(ctx, rc, "subnets", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.Subnet, error) {
		return pages(ctx, ec2.NewDescribeSubnetsPaginator(client, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{own}}),
			func(out *ec2.DescribeSubnetsOutput) []ec2types.Subnet { return out.Subnets })
	})
}

func readNATs(ctx context.Context, rc *runContext) ([]ec2types.NatGateway, error) {
	return inVPC(ctx, rc, "nat gateways", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.NatGateway, error) {
		return pages(ctx, ec2.NewDescribeNatGatewaysPaginator(client, &ec2.DescribeNatGatewaysInput{Filter: []ec2types.Filter{own}}),
			func(out *ec2.DescribeNatGatewaysOutput) []ec2types.NatGateway { return out.NatGateways })
	})
}

func readSecurityGroups(ctx context.Context, rc *runContext) ([]ec2types.SecurityGroup, error) {
	return inVPC(ctx, rc, "security groups", func(ctx context.Context, client *ec2.Client, own ec2types.Filter) ([]ec2types.SecurityGroup, error) {
		return pages(ctx, ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{own}}),
			func(out *ec2.DescribeSecurityGroupsOutput) []ec2types.SecurityGroup { return out.SecurityGroups })
	})
}

func filter(name, value string) ec2types.Filter {
	return ec2types.Filter{Name: aws.String(name), Values: []string{value}}
}

// tagValue returns the value of a tag, whose key is compared without case, or "".
func tagValue(tags []ec2types.Tag, key string) string {
	for _, t := range tags {
		if strings.EqualFold(aws.ToString(t.Key), key) {
			return aws.ToString(t.Value)
		}
	}
	return ""
}
