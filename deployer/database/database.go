// Package database takes snapshots of an environment's database, makes another instance from one, and puts that in the
// place and under the name of the first.
//
// What RDS holds is asked for anew before every step, and every step may be done already: whatever was interrupted goes
// on when it is asked for again. Nothing here deletes an instance; of snapshots only those go that were taken before
// deployments and are more than the environment keeps.
package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// Instance is an environment's database in RDS.
type Instance struct {
	Env   *environment.Environment
	Clock clock.Clock
	rds   *rds.Client
	ec2   *ec2.Client
}

// New is the environment's database in an account.
func New(cfg aws.Config, env *environment.Environment, c clock.Clock) Instance {
	return Instance{Env: env, Clock: c, rds: rds.NewFromConfig(cfg), ec2: ec2.NewFromConfig(cfg)}
}

// Progress is told what is waited for.
type Progress func(format string, args ...any)

// ErrNoDatabase is the error of whoever wants a snapshot of a database that is not there.
var ErrNoDatabase = errors.New("there is no database")

// Available is RDS's word for an instance, a snapshot that can be used.
const Available = "available"

// secretActive is RDS's word for a secret that can be used.
const secretActive = "active"

// pollInterval is how often RDS is asked how far it is.
const pollInterval = 15 * time.Second

// instances are those that the environment's database is, was, or may become, by their resource IDs, which stay when an
// instance is renamed.
type instances []types.DBInstance

// instances asks for all of them at once, so that a rename is never seen half.
func (s Instance) instances(ctx context.Context) (instances, error) {
	var found instances
	pages := rds.NewDescribeDBInstancesPaginator(s.rds, &rds.DescribeDBInstancesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the databases: %w", err)
		}
		found = append(found, page.DBInstances...)
	}
	return slices.DeleteFunc(found, func(i types.DBInstance) bool { return !s.owns(instanceName(i)) }), nil
}

// owns reports whether an instance of that name is the environment's.
func (s Instance) owns(instance string) bool {
	return instance == s.Env.DatabaseIdentifier() || instance == s.Env.RestoredIdentifier() ||
		strings.HasPrefix(instance, s.Env.ReplacedPrefix())
}

func (all instances) byName(name string) *types.DBInstance {
	return all.first(func(i types.DBInstance) bool { return instanceName(i) == name })
}

func (all instances) byResourceID(id string) *types.DBInstance {
	return all.first(func(i types.DBInstance) bool { return aws.ToString(i.DbiResourceId) == id })
}

func (all instances) first(wanted func(types.DBInstance) bool) *types.DBInstance {
	if at := slices.IndexFunc(all, wanted); at >= 0 {
		return &all[at]
	}
	return nil
}

func instanceName(i types.DBInstance) string { return aws.ToString(i.DBInstanceIdentifier) }

// masterSecretARN is the ARN of the secret in which RDS keeps the master user's password; "" where it does not.
func masterSecretARN(i *types.DBInstance) string {
	if i.MasterUserSecret == nil {
		return ""
	}
	return aws.ToString(i.MasterUserSecret.SecretArn)
}

// waitForInstance waits until the instance with the resource ID is as it is wanted.
func (s Instance) waitForInstance(
	ctx context.Context, id string, limit time.Duration, say Progress, wanted func(*types.DBInstance) bool,
) (*types.DBInstance, error) {
	status := ""
	for waited := time.Duration(0); waited < limit; waited += pollInterval {
		all, err := s.instances(ctx)
		if err != nil {
			return nil, err
		}
		found := all.byResourceID(id)
		if found == nil {
			return nil, fmt.Errorf("the instance %s is gone: somebody deleted it", id)
		}
		if status = aws.ToString(found.DBInstanceStatus); status == Available && wanted(found) {
			return found, nil
		}
		if isFailed(status) {
			return nil, hint.With(fmt.Errorf("%s is %s", instanceName(*found), status), "RDS says why under the instance's Events: aws rds describe-events "+
				"--source-type db-instance --source-identifier "+instanceName(*found)+" --region "+s.Env.Region)
		}
		say("%s is %s", instanceName(*found), status)
		if err := s.Clock.Wait(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the instance %s is %s, and not ready after %s", id, status, limit)
}

// isFailed reports whether an instance does not become available again by itself.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
func isFailed(status string) bool {
	return status == "failed" || status == "deleting" || status == "stopped" || status == "storage-full" ||
		status == "restore-error" || strings.HasPrefix(status, "inaccessible-") || strings.HasPrefix(status, "incompatible-")
}
