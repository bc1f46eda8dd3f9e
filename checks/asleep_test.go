package checks

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestEvaluateAsleep(t *testing.T) {
	env := loaded(t, "dev")
	marker := environment.SleepMarker{Since: time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC), By: "jane"}
	services := func(desired, running int32) []ecstypes.Service {
		return []ecstypes.Service{{DesiredCount: 0}, {DesiredCount: desired, RunningCount: running}}
	}
	for name, test := range map[string]struct {
		services []ecstypes.Service
		database string
		want     verdict
	}{
		"asleep":                   {services(0, 0), "stopped", verdict{Healthy, "Asleep", "development is asleep since 2026-11-30 19:00 UTC"}},
		"the database is stopping": {services(0, 0), "stopping", verdict{Healthy, "Asleep", ""}},
		"no database":              {services(0, 0), "", verdict{Healthy, "Asleep", ""}},
		"started by RDS":           {services(0, 0), "available", verdict{Warning, "RunsAsleep", "this is not stopped: the database, which is available"}},
		"being started":            {services(0, 0), "starting", verdict{Warning, "RunsAsleep", "the database, which is starting"}},
		"draining":                 {services(0, 1), "stopped", verdict{Warning, "RunsAsleep", "this is not stopped: 1 task"}},
		"everything runs":          {services(2, 2), "available", verdict{Warning, "RunsAsleep", "these are not stopped: 2 tasks, the database, which is available"}},
	} {
		t.Run(name, func(t *testing.T) {
			var database *rdstypes.DBInstance
			if test.database != "" {
				database = &rdstypes.DBInstance{DBInstanceStatus: aws.String(test.database)}
			}
			found := evaluateAsleep(marker, test.services, database, env)
			requireVerdict(t, test.want, found)
			require.Equal(t, found.Status == Healthy, Report{Services: []Finding{found}}.Asleep())
			if found.Status != Healthy {
				require.Equal(t, "deployer sleep --env dev", found.Hint.Command)
				require.Contains(t, found.Hint.Solution, "`deployer wake --env dev`")
			}
		})
	}
}

// TestAsleepFindings checks which findings are reported of an environment that is asleep.
func TestAsleepFindings(t *testing.T) {
	noTasks := newFinding("ecs_service", "api").warning("NoTasksDesired", Hint{}, "")
	inAlarm := newFinding("alarms", "x").warning("InAlarm", Hint{}, "")
	failed := newFinding("alarms", "x").warning(reasonScheduleFailed, Hint{}, "")
	for name, test := range map[string]struct {
		findings  []Finding
		marked    bool
		protected bool
		want      []string
	}{
		"awake":                      {[]Finding{noTasks}, false, false, []string{"NoTasksDesired"}},
		"awake and protected":        {[]Finding{noTasks}, false, true, []string{"NoTasksDesired"}},
		"asleep":                     {[]Finding{noTasks, inAlarm}, true, false, []string{"Asleep"}},
		"asleep, schedule failed":    {[]Finding{noTasks, failed}, true, false, []string{"ScheduleFailed", "Asleep"}},
		"became protected meanwhile": {[]Finding{noTasks}, true, true, []string{"ProtectedAsleep"}},
	} {
		t.Run(name, func(t *testing.T) {
			rc := readingFrom(t, func(in any) (any, error) {
				switch in.(type) {
				case *ssm.GetParameterInput:
					if !test.marked {
						return nil, &ssmtypes.ParameterNotFound{}
					}
					return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{
						Value: aws.String(environment.SleepMarkerJSON("2026-11-30T19:00:00Z", "jane")),
					}}, nil
				case *ecs.ListServicesInput:
					return &ecs.ListServicesOutput{}, nil
				case *rds.DescribeDBInstancesInput:
					return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{DBInstanceStatus: aws.String("stopped")}}}, nil
				}
				return nil, fmt.Errorf("unexpected %T", in)
			})
			rc.env = loaded(t, "dev")
			rc.env.Protected = test.protected
			found, isAsleep := asleepFindings(t.Context(), rc, test.findings)
			require.Equal(t, test.marked, isAsleep)
			var reasons []string
			for _, f := range found {
				reasons = append(reasons, f.Reason)
			}
			require.Equal(t, test.want, reasons)
			if test.marked && test.protected {
				require.Equal(t, "deployer wake --env dev", found[0].Hint.Command)
				require.False(t, Report{Services: found}.Asleep())
			}
		})
	}
}
