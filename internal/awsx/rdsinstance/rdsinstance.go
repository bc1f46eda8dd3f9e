// Package rdsinstance reads RDS instances: one, or all of an account in a region.
package rdsinstance

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// Find returns the instance with the identifier, or nil where the account has none. Its error is the SDK's.
func Find(ctx context.Context, cfg aws.Config, identifier string) (*types.DBInstance, error) {
	out, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &identifier})
	var missing *types.DBInstanceNotFoundFault
	switch {
	case errors.As(err, &missing), err == nil && len(out.DBInstances) == 0:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &out.DBInstances[0], nil
}

// All returns every instance of the account in the region of cfg. Its error is the SDK's.
func All(ctx context.Context, cfg aws.Config) ([]types.DBInstance, error) {
	pages := rds.NewDescribeDBInstancesPaginator(rds.NewFromConfig(cfg), &rds.DescribeDBInstancesInput{})
	return awsx.Pages(ctx, pages, func(page *rds.DescribeDBInstancesOutput) []types.DBInstance { return page.DBInstances })
}
