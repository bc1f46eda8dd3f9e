package sleep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
)

// An AsleepError reports that a command needs what does not run while the environment is asleep.
type AsleepError struct {
	Env    *environment.Environment
	Marker environment.SleepMarker
	// What does not run, such as "no task runs".
	What string
}

func (e *AsleepError) Error() string {
	return fmt.Sprintf("%s is asleep since %s: %s", e.Env.Name, e.Marker, e.What)
}

// Hint returns how to wake the environment.
func (e *AsleepError) Hint() string {
	return "wake it first: `deployer wake --env " + e.Env.Stack + "`"
}

// mark writes the marker. It replaces that of an execution of the schedule, which ends at its next step when it finds another value. The
// time since when the environment is asleep stays.
func (s Sleeper) mark(ctx context.Context) error {
	before, err := asleep.Read(ctx, s.aws, s.Env)
	if err != nil {
		return err
	}
	since := s.Clock.Now()
	if before != nil {
		since = before.Since
	}
	_, err = ssm.NewFromConfig(s.aws).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(s.Env.AsleepParameter()), Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
		Value: aws.String(environment.SleepMarkerJSON(since.UTC().Format(time.RFC3339Nano), s.By)),
	})
	if err != nil {
		return fmt.Errorf("write the parameter %s: %w", s.Env.AsleepParameter(), err)
	}
	return nil
}

// Forget deletes the marker, which may not exist.
func (s Sleeper) Forget(ctx context.Context) error {
	_, err := ssm.NewFromConfig(s.aws).DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String(s.Env.AsleepParameter())})
	if missing := (*types.ParameterNotFound)(nil); err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("delete the parameter %s: %w", s.Env.AsleepParameter(), err)
	}
	return nil
}
