// Package asleep reads and writes the parameter of Systems Manager that exists while an environment is asleep.
package asleep

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Marker is the value of the parameter.
type Marker struct {
	Since time.Time `json:"since"`
	// By is who, or what, put the environment to sleep.
	By string `json:"by"`
}

// Read returns the marker with the name, or nil where there is none. A value that is not a marker's has the time of its last change, and no
// one who wrote it: the parameter alone decides. Its error is the SDK's.
func Read(ctx context.Context, cfg aws.Config, name string) (*Marker, error) {
	out, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if missing := (*types.ParameterNotFound)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var marker Marker
	if out.Parameter == nil {
		return &marker, nil
	}
	if json.Unmarshal([]byte(aws.ToString(out.Parameter.Value)), &marker) != nil || marker.Since.IsZero() {
		marker = Marker{Since: aws.ToTime(out.Parameter.LastModifiedDate)}
	}
	return &marker, nil
}

// Write creates the marker with the name. One that exists keeps its value. Its error is the SDK's.
func Write(ctx context.Context, cfg aws.Config, name string, marker Marker) error {
	value, err := json.Marshal(marker)
	if err != nil {
		return err
	}
	_, err = ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Type: types.ParameterTypeString, Value: aws.String(string(value)), Overwrite: aws.Bool(false),
	})
	if exists := (*types.ParameterAlreadyExists)(nil); errors.As(err, &exists) {
		return nil
	}
	return err
}

// Delete deletes the marker with the name, which may not exist. Its error is the SDK's.
func Delete(ctx context.Context, cfg aws.Config, name string) error {
	_, err := ssm.NewFromConfig(cfg).DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
	if missing := (*types.ParameterNotFound)(nil); errors.As(err, &missing) {
		return nil
	}
	return err
}
