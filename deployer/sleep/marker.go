package sleep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
)

// Marker returns the marker of an environment that is asleep, or nil where it is not. It is read in a protected environment, too, which may have
// become protected while it was asleep.
func Marker(ctx context.Context, cfg aws.Config, env *environment.Environment) (*asleep.Marker, error) {
	marker, err := asleep.Read(ctx, cfg, env.AsleepParameter())
	if err != nil {
		return nil, fmt.Errorf("read the parameter %s: %w", env.AsleepParameter(), err)
	}
	return marker, nil
}

// mark creates the marker. One that exists keeps its value.
func (s Sleeper) mark(ctx context.Context) error {
	value, err := json.Marshal(asleep.Marker{Since: s.Clock.Now().UTC(), By: s.By})
	if err != nil {
		return err
	}
	_, err = ssm.NewFromConfig(s.aws).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(s.Env.AsleepParameter()), Type: types.ParameterTypeString, Value: aws.String(string(value)), Overwrite: aws.Bool(false),
	})
	if exists := (*types.ParameterAlreadyExists)(nil); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("create the parameter %s: %w", s.Env.AsleepParameter(), err)
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
