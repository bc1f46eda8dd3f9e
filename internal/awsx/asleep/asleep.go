// Package asleep reads the parameter of Systems Manager that exists while an environment is asleep.
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
