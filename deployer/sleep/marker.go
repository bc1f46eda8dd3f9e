package sleep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
)

// An AsleepError reports that a command is not for an environment that is marked as asleep, and what of it runs.
type AsleepError struct {
	Env    *environment.Environment
	Marker environment.SleepMarker
	// state is nil where it could not be read.
	state *State
}

// NewAsleepError returns the error with what runs: after an interruption, or where RDS has started the database again, something does.
func NewAsleepError(ctx context.Context, cfg aws.Config, env *environment.Environment, c clock.Clock, marker environment.SleepMarker) *AsleepError {
	e := &AsleepError{Env: env, Marker: marker}
	if state, err := New(cfg, env, c, "").Read(ctx); err == nil {
		e.state = &state
	}
	return e
}

func (e *AsleepError) Error() string {
	message := fmt.Sprintf("%s is asleep since %s", e.Env.Name, e.Marker)
	if e.state == nil {
		return message
	}
	if e.state.Desired+e.state.Running > 0 {
		message = fmt.Sprintf("%s is marked as asleep since %s", e.Env.Name, e.Marker)
	}
	return message + ": " + e.state.String()
}

// Hint returns how to wake the environment.
func (e *AsleepError) Hint() string {
	return "wake it first: `deployer wake --env " + e.Env.Stack + "`"
}

// mark writes the marker. The time since when the environment is asleep stays.
func (s Sleeper) mark(ctx context.Context) error {
	before, err := asleep.Read(ctx, s.aws, s.Env)
	if err != nil {
		return err
	}
	since := s.Clock.Now()
	if before != nil {
		since = before.Since
	}
	return s.write(ctx, since, s.By)
}

// markWaking writes into the marker that the environment is being woken, until Forget deletes it. Without a marker it writes
// none.
func (s Sleeper) markWaking(ctx context.Context) (string, error) {
	before, err := asleep.Read(ctx, s.aws, s.Env)
	if err != nil || before == nil {
		return s.Env.AsleepParameter() + " does not exist", err
	}
	return s.Env.AsleepParameter() + " names who wakes " + s.Env.Name, s.write(ctx, before.Since, s.By+environment.Waking)
}

// write replaces the marker. An execution of the schedule ends at its next step when it finds another value than its own.
func (s Sleeper) write(ctx context.Context, since time.Time, by string) error {
	_, err := ssm.NewFromConfig(s.aws).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(s.Env.AsleepParameter()), Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
		Value: aws.String(environment.SleepMarkerJSON(since.UTC().Format(time.RFC3339Nano), by)),
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
