package stack

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
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
)

// checkStateNotMissing returns an error where the state does not know an environment that the account has: it was lost, or is in
// another backend. A deployment that took it for a new environment would create everything again, and meet its own names.
func (o *Opener) checkStateNotMissing(ctx context.Context, t *target.Target, mode Mode, reason string) error {
	if mode == CreateEmpty {
		return nil
	}
	existing, err := existingResources(ctx, t.AWS, t.Env)
	if err != nil || len(existing) == 0 {
		return err
	}
	described, err := o.describe(t)
	if err != nil {
		return err
	}
	return described.MissingError(reason + ", but the account has " + strings.Join(existing, " and "))
}

// existingResources names what the account has of an environment, among what every deployment creates.
func existingResources(ctx context.Context, cfg aws.Config, env *environment.Environment) ([]string, error) {
	var existing []string
	clusters, err := ecs.NewFromConfig(cfg).DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{env.ClusterName()}})
	if err != nil {
		return nil, fmt.Errorf("find out whether %s is deployed: %w", env.Name, err)
	}
	for _, c := range clusters.Clusters {
		if aws.ToString(c.Status) == "ACTIVE" { // a deleted one remains visible for a while
			existing = append(existing, "the cluster "+aws.ToString(c.ClusterName))
		}
	}
	databases, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx,
		&rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(env.DatabaseIdentifier())})
	if absent := (*rdstypes.DBInstanceNotFoundFault)(nil); errors.As(err, &absent) {
		return existing, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find out whether %s is deployed: %w", env.Name, err)
	}
	for _, d := range databases.DBInstances {
		existing = append(existing, "the database "+aws.ToString(d.DBInstanceIdentifier))
	}
	return existing, nil
}

// isEmpty reports whether a state has no resource of an account, not even one of unknown outcome.
func isEmpty(state engine.State) bool {
	return len(state.Pending) == 0 && !slices.ContainsFunc(state.Resources, func(r engine.Resource) bool {
		return !r.Component() && strings.HasPrefix(r.Type, "aws:")
	})
}
