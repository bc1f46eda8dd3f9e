package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// deleting is RDS's status of an instance that it deletes.
const deleting = "deleting"

// Leftovers returns the names of the instances that restores left beside the database: restored ones, and those that a switch replaced. No
// stack has them, and they use the database's subnet group, which cannot be deleted before them. The error is why one of them cannot be
// deleted: it is protected, or RDS is changing it, so that it takes no final snapshot.
func (s Instance) Leftovers(ctx context.Context) ([]string, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return nil, err
	}
	var names, problems, remedies []string
	for _, i := range all {
		name, status := instanceName(i), aws.ToString(i.DBInstanceStatus)
		if name == s.Env.DatabaseIdentifier() {
			continue
		}
		names = append(names, name)
		switch {
		case status == deleting:
		case aws.ToBool(i.DeletionProtection):
			problems = append(problems, name+" has deletion protection")
			remedies = append(remedies, s.DeleteCommand(name))
		case status != Available:
			problems = append(problems, name+" is "+status)
			remedies = append(remedies, "  wait until it is available, or, where it stays so: aws rds delete-db-instance --region "+s.Env.Region+
				" --db-instance-identifier "+name+" --skip-final-snapshot")
		}
	}
	slices.Sort(names)
	if len(problems) > 0 {
		return names, hint.With(fmt.Errorf("a restore left databases beside %s that cannot be deleted now: %s", s.Env.DatabaseIdentifier(),
			strings.Join(problems, ", ")), "delete them first, then run the same command again:\n"+strings.Join(remedies, "\n"))
	}
	return names, nil
}

// DeleteLeftovers deletes the instances with those names after a final snapshot of each, waits until they are gone, and returns the names of
// the snapshots. Those that RDS is deleting already are only waited for.
func (s Instance) DeleteLeftovers(ctx context.Context, names []string, progress Progress) (snapshots []string, err error) {
	for _, name := range names {
		snapshot := environment.FinalSnapshotIdentifier(name, s.Clock.Now())
		_, err := s.rds.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{DBInstanceIdentifier: &name, FinalDBSnapshotIdentifier: &snapshot})
		var gone *types.DBInstanceNotFoundFault
		var busy *types.InvalidDBInstanceStateFault
		switch {
		case errors.As(err, &gone), errors.As(err, &busy): // a deletion that an earlier command began; waiting for it shows any other state
		case err != nil:
			return snapshots, fmt.Errorf("delete the database %s: %w", name, err)
		default:
			snapshots = append(snapshots, snapshot)
		}
	}
	for waited := changeLimit; waited > 0; waited -= pollInterval {
		all, err := s.instances(ctx)
		if err != nil {
			return snapshots, err
		}
		left := list.Filter(all, func(i types.DBInstance) bool { return slices.Contains(names, instanceName(i)) })
		if len(left) == 0 {
			return snapshots, nil
		}
		if status := aws.ToString(left[0].DBInstanceStatus); status != deleting {
			return snapshots, fmt.Errorf("the database %s is %s, and is not being deleted", instanceName(left[0]), status)
		}
		progress("%s is %s", instanceName(left[0]), deleting)
		if err := s.Clock.Wait(ctx, pollInterval); err != nil {
			return snapshots, hint.With(fmt.Errorf("%w; RDS continues to delete %s", context.Cause(ctx), instanceName(left[0])),
				"`deployer destroy --env "+s.Env.Stack+"` continues")
		}
	}
	return snapshots, fmt.Errorf("the databases %s were not deleted within %s", strings.Join(names, ", "), changeLimit)
}
