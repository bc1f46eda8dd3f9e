// Package asleep reads the parameter of Systems Manager that exists while an environment is asleep.
package asleep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/balancer/v3-backend-infra/environment"
)

// Read returns the marker of an environment that is asleep, or nil where it is not. A value that is not a marker's has the time of its last
// change, and no one who wrote it: the parameter alone decides. It is read in a protected environment, too, which may have become protected
// while it was asleep.
func Read(ctx context.Context, cfg aws.Config, env *environment.Environment) (*environment.SleepMarker, error) {
	name := env.AsleepParameter()
	out, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if missing := (*types.ParameterNotFound)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the parameter %s: %w", name, err)
	}
	var marker environment.SleepMarker
	if out.Parameter == nil {
		return &marker, nil
	}
	if json.Unmarshal([]byte(aws.ToString(out.Parameter.Value)), &marker) != nil || marker.Since.IsZero() {
		marker = environment.SleepMarker{Since: aws.ToTime(out.Parameter.LastModifiedDate)}
	}
	return &marker, nil
}
