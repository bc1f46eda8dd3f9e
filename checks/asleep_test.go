package checks

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
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
