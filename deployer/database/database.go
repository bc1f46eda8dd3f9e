// Package database takes snapshots of an environment's database, restores one to another instance, and switches the environment to
// that instance.
//
// The current state is read from RDS before every step, and a step may be done already: an interrupted command continues when it is
// run again. Instances are deleted only with the whole environment; of snapshots, only those that deployments took and that exceed what the environment keeps.
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
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// Instance is an environment's database in RDS.
type Instance struct {
	Env   *environment.Environment
	Clock clock.Clock
	aws   aws.Config
	rds   *rds.Client
	ec2   *ec2.Client
}

// New returns the environment's database in an account.
func New(cfg aws.Config, env *environment.Environment, c clock.Clock) Instance {
	return Instance{Env: env, Clock: c, aws: cfg, rds: rds.NewFromConfig(cfg), ec2: ec2.NewFromConfig(cfg)}
}

// Progress reports what is waited for.
type Progress func(format string, args ...any)

// ErrNoDatabase is returned for a snapshot of a database that does not exist.
var ErrNoDatabase = errors.New("there is no database")

// Available is RDS's status of an instance or a snapshot that can be used.
const Available = rdsstate.Available

// pollInterval is the time between two calls that ask RDS for a status.
const pollInterval = 15 * time.Second

// instances are the environment's database, its predecessors, and restored ones. Their resource IDs survive a rename.
type instances []types.DBInstance

// instances lists all of them in one go, so that none is missed or listed twice during a rename.
func (s Instance) instances(ctx context.Context) (instances, error) {
	own, _, err := s.instancesAndTotal(ctx)
	return own, err
}

// instancesAndTotal returns the same, and how many instances the account has in all.
func (s Instance) instancesAndTotal(ctx context.Context) (own instances, total int, err error) {
	found, err := rdsinstance.All(ctx, s.aws)
	if err != nil {
		return nil, 0, fmt.Errorf("list the databases: %w", err)
	}
	return list.Filter(found, func(i types.DBInstance) bool { return s.owns(instanceName(i)) }), len(found), nil
}

// owns reports whether an instance of that name is the environment's.
func (s Instance) owns(name string) bool {
	return name == s.Env.DatabaseIdentifier() || name == s.Env.RestoredIdentifier() || strings.HasPrefix(name, s.Env.ReplacedPrefix())
}

func (all instances) byName(name string) *types.DBInstance {
	return all.first(func(i types.DBInstance) bool { return instanceName(i) == name })
}

func (all instances) byResourceID(id string) *types.DBInstance {
	return all.first(func(i types.DBInstance) bool { return resourceID(&i) == id })
}

func (all instances) first(matches func(types.DBInstance) bool) *types.DBInstance {
	if at := slices.IndexFunc(all, matches); at >= 0 {
		return &all[at]
	}
	return nil
}

func instanceName(i types.DBInstance) string { return aws.ToString(i.DBInstanceIdentifier) }

// resourceID returns the ID that stays when the instance is renamed; "" where there is no instance.
func resourceID(i *types.DBInstance) string {
	if i == nil {
		return ""
	}
	return aws.ToString(i.DbiResourceId)
}

// masterSecretARN returns the ARN of the secret in which RDS manages the master user's password; "" where RDS does not manage it.
func masterSecretARN(i *types.DBInstance) string {
	if i.MasterUserSecret == nil {
		return ""
	}
	return aws.ToString(i.MasterUserSecret.SecretArn)
}

// waitForInstance waits until the instance with the resource ID is available and ready.
func (s Instance) waitForInstance(
	ctx context.Context, id string, limit time.Duration, progress Progress, ready func(*types.DBInstance) bool,
) (*types.DBInstance, error) {
	status := ""
	for waited := time.Duration(0); waited < limit; waited += pollInterval {
		all, err := s.instances(ctx)
		if err != nil {
			return nil, err
		}
		found := all.byResourceID(id)
		if found == nil {
			return nil, fmt.Errorf("the instance %s was deleted", id)
		}
		if status = aws.ToString(found.DBInstanceStatus); status == Available && ready(found) {
			return found, nil
		}
		if rdsstate.Of(status) == rdsstate.Unavailable {
			return nil, hint.With(fmt.Errorf("%s is %s", instanceName(*found), status), "find the reason in the instance's events: aws rds describe-events "+
				"--source-type db-instance --source-identifier "+instanceName(*found)+" --region "+s.Env.Region)
		}
		progress("%s is %s", instanceName(*found), status)
		if err := s.Clock.Wait(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the instance %s is %s, and was not ready within %s", id, status, limit)
}
