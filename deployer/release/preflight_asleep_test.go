package release

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// TestPreflightAsleep checks which deployments of an environment that is asleep are refused.
func TestPreflightAsleep(t *testing.T) {
	marker := environment.SleepMarkerJSON("2026-11-30T19:00:00Z", "jane")
	for name, test := range map[string]struct {
		marker  string
		change  func(*preflight)
		stops   bool
		message string
	}{
		"awake":               {"", func(p *preflight) { p.env.Protected = true }, false, ""},
		"a deployment":        {marker, func(*preflight) {}, false, ""},
		"a migration":         {marker, func(p *preflight) { p.migrationOnly = true }, true, "no task runs, and its database is stopped"},
		"a restart":           {marker, func(p *preflight) { p.restart = true }, true, "no task runs, and its database is stopped"},
		"protected meanwhile": {marker, func(p *preflight) { p.env.Protected = true }, false, ""},
		"unknown":             {"denied", func(*preflight) {}, false, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &preflight{env: staging(t), aws: fakeAWS(func(in any) (any, error) {
				switch in.(type) {
				case *rds.DescribeDBInstancesInput:
					return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{DBInstanceStatus: aws.String("stopped")}}}, nil
				case *ecs.ListServicesInput:
					return &ecs.ListServicesOutput{}, nil
				case *ecs.DescribeServicesInput:
					return &ecs.DescribeServicesOutput{}, nil
				case *cloudwatch.DescribeAlarmsInput:
					return &cloudwatch.DescribeAlarmsOutput{}, nil
				}
				switch test.marker {
				case "":
					return nil, &types.ParameterNotFound{}
				case "denied":
					return nil, errors.New("AccessDenied")
				}
				return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: aws.String(test.marker)}}, nil
			})}
			test.change(p)
			found, problems := p.asleep(t.Context())
			require.Equal(t, test.marker == marker, found != nil)
			if test.message == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Equal(t, test.stops, problems[0].Stops)
			require.Contains(t, problems[0].Message, test.message)
			if test.stops {
				require.Contains(t, problems[0].Message, "staging is asleep since 2026-11-30 19:00 UTC, by jane: ")
				require.Equal(t, "wake it first: `deployer wake --env staging`", problems[0].Hint)
			}
		})
	}
}
