package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
)

// stopStartLimit is how long RDS may take to stop or to start the database: starting it includes a recovery, which can take hours.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
const stopStartLimit = 2 * time.Hour

// action is what a status requires before the database is stopped, or started.
type action string

const (
	done    action = "done"
	request action = "request"
	wait    action = "wait"
	broken  action = "broken"
)

// toStop returns what to do about a database that is to be stopped. RDS stops one that is available, and no other.
func toStop(status string) action {
	switch {
	case status == rdsstate.Stopped:
		return done
	case status == rdsstate.Available:
		return request
	case status == rdsstate.Stopping, rdsstate.Of(status).Passes():
		return wait
	}
	return broken
}

// toStart returns what to do about a database that is to be started.
func toStart(status string) action {
	switch {
	case rdsstate.Of(status) == rdsstate.Operational:
		return done
	case status == rdsstate.Stopped:
		return request
	case status == rdsstate.Stopping, rdsstate.Of(status).Passes():
		return wait
	}
	return broken
}

// Stop stops the database and waits until it has stopped. One that does not exist, or is stopped, is no error.
func (s Instance) Stop(ctx context.Context, progress Progress) error {
	err := s.transition(ctx, progress, "stop", toStop, func() error {
		_, err := s.rds.StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: aws.String(s.Env.DatabaseIdentifier())})
		return err
	})
	var refused *types.InvalidDBInstanceStateFault
	if errors.As(err, &refused) {
		return hint.With(err, "RDS stops no database that is or has a read replica: delete the replica, or leave the environment awake")
	}
	return err
}

// Start starts the database and waits until it is available. One that does not exist, or runs, is no error.
func (s Instance) Start(ctx context.Context, progress Progress) error {
	return s.transition(ctx, progress, "start", toStart, func() error {
		_, err := s.rds.StartDBInstance(ctx, &rds.StartDBInstanceInput{DBInstanceIdentifier: aws.String(s.Env.DatabaseIdentifier())})
		return err
	})
}

// transition does what the database's status requires, until that is nothing. verb names the call, such as "stop".
func (s Instance) transition(
	ctx context.Context, progress Progress, verb string, next func(status string) action, call func() error,
) error {
	id := s.Env.DatabaseIdentifier()
	for waited := time.Duration(0); waited < stopStartLimit; waited += pollInterval {
		found, err := rdsinstance.Find(ctx, s.aws, id)
		if err != nil {
			return fmt.Errorf("describe the database %s: %w", id, err)
		}
		if found == nil {
			return nil
		}
		status := aws.ToString(found.DBInstanceStatus)
		switch next(status) {
		case done:
			return nil
		case broken:
			return hint.With(fmt.Errorf("%s is %s", id, status), "run `deployer status --env "+s.Env.Stack+" --only database` for the cause and what to do")
		case request:
			if err := call(); err != nil {
				return fmt.Errorf("%s the database %s, which is %s: %w", verb, id, status, err)
			}
		case wait:
			progress("%s is %s", id, status)
		}
		if err := s.Clock.Wait(ctx, pollInterval); err != nil {
			return err
		}
	}
	return fmt.Errorf("the database %s was not ready within %s", id, stopStartLimit)
}
