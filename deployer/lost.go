package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/environment"
)

// refuseLost returns an error where the state knows nothing of an environment that the account has: its state was lost,
// or lies in another backend. Whoever took it for a new one would make everything again, and meet its own names.
func (s settings) refuseLost(ctx context.Context, p *place, env *environment.Environment, why string) error {
	if s.newStack {
		return nil
	}
	there, err := standing(ctx, p, env)
	if err != nil || len(there) == 0 {
		return err
	}
	described, err := s.describeStack(p, env.Stack)
	if err != nil {
		return err
	}
	return described.MissingError(why + ", but the account has " + strings.Join(there, " and "))
}

// standing names what the account has of an environment, among what no deployment is without.
func standing(ctx context.Context, p *place, env *environment.Environment) ([]string, error) {
	var there []string
	clusters, err := ecs.NewFromConfig(p.aws).DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{env.ClusterName()}})
	if err != nil {
		return nil, fmt.Errorf("look whether %s is deployed: %w", env.Name, err)
	}
	for _, c := range clusters.Clusters {
		if aws.ToString(c.Status) == "ACTIVE" { // a deleted one can be seen for a while
			there = append(there, "the cluster "+aws.ToString(c.ClusterName))
		}
	}
	databases, err := rds.NewFromConfig(p.aws).DescribeDBInstances(ctx,
		&rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(env.DatabaseIdentifier())})
	if absent := (*rdstypes.DBInstanceNotFoundFault)(nil); errors.As(err, &absent) {
		return there, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look whether %s is deployed: %w", env.Name, err)
	}
	for _, d := range databases.DBInstances {
		there = append(there, "the database "+aws.ToString(d.DBInstanceIdentifier))
	}
	return there, nil
}

// knowsNothing reports whether a state has no resource of an account, not even one of unknown outcome.
func knowsNothing(state engine.State) bool {
	return len(state.Pending) == 0 && !slices.ContainsFunc(state.Resources, func(r engine.Resource) bool {
		return !r.Component() && strings.HasPrefix(r.Type, "aws:")
	})
}
