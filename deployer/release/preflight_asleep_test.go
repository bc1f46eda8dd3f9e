package release

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

const sleepMarker = `{"since":"2026-11-30T19:00:00Z","by":"jane"}`

// A sleepyAccount is an account with an environment that may be asleep, or whose alarms may be muted.
type sleepyAccount struct {
	marker, database string
	muted            bool
	// unreadable is the error of reading the marker, unreadableAlarms that of reading the alarms.
	unreadable, unreadableAlarms error
}

func (a *sleepyAccount) handle(in any) (any, error) {
	switch in := in.(type) {
	case *rds.DescribeDBInstancesInput:
		return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{DBInstanceStatus: aws.String(a.database)}}}, nil
	case *rds.StartDBInstanceInput:
		a.database = "available"
		return &rds.StartDBInstanceOutput{}, nil
	case *ecs.ListServicesInput:
		return &ecs.ListServicesOutput{}, nil
	case *ecs.DescribeServicesInput:
		return &ecs.DescribeServicesOutput{}, nil
	case *applicationautoscaling.RegisterScalableTargetInput:
		return &applicationautoscaling.RegisterScalableTargetOutput{}, nil
	case *cloudwatch.DescribeAlarmsInput:
		suppressor := cwtypes.MetricAlarm{AlarmName: &in.AlarmNames[0], StateValue: cwtypes.StateValueOk}
		if a.muted {
			suppressor.StateValue = cwtypes.StateValueAlarm
		}
		return &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []cwtypes.MetricAlarm{suppressor}}, a.unreadableAlarms
	case *cloudwatch.SetAlarmStateInput:
		a.muted = in.StateValue == cwtypes.StateValueAlarm
		return &cloudwatch.SetAlarmStateOutput{}, nil
	case *ssm.PutParameterInput:
		a.marker = aws.ToString(in.Value)
		return &ssm.PutParameterOutput{}, nil
	case *ssm.DeleteParameterInput:
		a.marker = ""
		return &ssm.DeleteParameterOutput{}, nil
	case *ssm.GetParameterInput:
		switch {
		case a.unreadable != nil:
			return nil, a.unreadable
		case a.marker == "":
			return nil, &types.ParameterNotFound{}
		}
		return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &a.marker}}, nil
	}
	return nil, errors.New("NotExpected")
}

// TestPreflightAsleep checks which deployments of an environment that is asleep, or whose alarms are muted, are refused, and
// which wake it.
func TestPreflightAsleep(t *testing.T) {
	denied := errors.New("AccessDenied")
	for name, test := range map[string]struct {
		account sleepyAccount
		change  func(*preflight)
		stops   bool
		message string
		marked  bool
	}{
		"awake":        {sleepyAccount{}, func(p *preflight) { p.env.Protected = true }, false, "", false},
		"a deployment": {sleepyAccount{marker: sleepMarker, muted: true}, func(*preflight) {}, false, "", true},
		"a migration": {sleepyAccount{marker: sleepMarker},
			func(p *preflight) { p.migrationOnly = true }, true, "no task runs, and its database is stopped", true},
		"a restart": {sleepyAccount{marker: sleepMarker},
			func(p *preflight) { p.restart = true }, true, "no task runs, and its database is stopped", true},
		"protected meanwhile": {sleepyAccount{marker: sleepMarker},
			func(p *preflight) { p.env.Protected = true }, false, "", true},
		"muted":                {sleepyAccount{muted: true}, func(*preflight) {}, false, "", true},
		"muted, and protected": {sleepyAccount{muted: true}, func(p *preflight) { p.env.Protected = true }, false, "", true},
		"muted, a migration":   {sleepyAccount{muted: true}, func(p *preflight) { p.migrationOnly = true }, false, "", true},
		"muted, a restart":     {sleepyAccount{muted: true}, func(p *preflight) { p.restart = true }, false, "", true},
		"unknown":              {sleepyAccount{unreadable: denied}, func(*preflight) {}, false, "AccessDenied", false},
		"unknown, but muted": {sleepyAccount{unreadable: denied, muted: true},
			func(*preflight) {}, false, "AccessDenied", true},
		"unknown whether muted": {sleepyAccount{unreadableAlarms: denied}, func(*preflight) {}, false,
			"describe the alarm v3-backend-staging-asleep in us-east-1: ", false},
		"asleep, unknown whether muted": {sleepyAccount{marker: sleepMarker, unreadableAlarms: denied},
			func(p *preflight) { p.restart = true }, true, "staging is asleep since 2026-11-30 19:00 UTC, by jane", true},
	} {
		t.Run(name, func(t *testing.T) {
			test.account.database = "stopped"
			p := &preflight{env: staging(t), aws: fakeAWS(test.account.handle), clock: &fakeClock{}}
			test.change(p)
			found, problems := p.asleep(t.Context())
			require.Equal(t, test.marked, found.Marked())
			if test.message == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Equal(t, test.stops, problems[0].Stops)
			require.Contains(t, problems[0].Message, test.message)
			if test.stops {
				require.Contains(t, problems[0].Message, "staging is asleep since 2026-11-30 19:00 UTC, by jane")
				require.Equal(t, "wake it first: `deployer wake --env staging`", problems[0].Hint)
			}
		})
	}
}

// TestWake runs the phase wake as preflight finds the environment, and checks that nothing marks it as asleep afterwards.
func TestWake(t *testing.T) {
	for name, test := range map[string]struct {
		account sleepyAccount
		runs    bool
		first   string
		want    string
	}{
		"awake": {sleepyAccount{database: "available"}, false, "", ""},
		"asleep": {sleepyAccount{marker: sleepMarker, muted: true, database: "stopped"},
			true, "is asleep", "staging was asleep since 2026-11-30 19:00 UTC"},
		"being woken": {sleepyAccount{marker: environment.SleepMarkerJSON("2026-11-30T19:00:00Z", "jane"+environment.Waking), muted: true, database: "available"},
			true, "is asleep", "staging was asleep since 2026-11-30 19:00 UTC"},
		"muted": {sleepyAccount{muted: true, database: "available"},
			true, "are muted", "the alarms of staging were muted, and notify people again"},
		"muted, and stopped": {sleepyAccount{muted: true, database: "stopped"}, true, "are muted",
			"the alarms of staging were muted, and notify people again"},
	} {
		t.Run(name, func(t *testing.T) {
			account := test.account
			d := newTestDeployment(t)
			d.deps.AWS, d.deps.Clock = fakeAWS(account.handle), &fakeClock{}
			p := &preflight{env: d.deps.Env, aws: d.deps.AWS, clock: d.deps.Clock}
			var problems []Problem
			d.asleep, problems = p.asleep(t.Context())
			require.Empty(t, problems)
			for _, phase := range d.phases() {
				if phase.name != Wake {
					continue
				}
				if require.Equal(t, test.runs, phase.enabled()); !test.runs {
					return
				}
				require.Contains(t, WakesFirst(d.deps.Env, d.asleep), test.first)
				summary, err := phase.run(t.Context(), phaseLog{report: d.deps.Report, now: d.deps.Clock.Now})
				require.NoError(t, err)
				require.Equal(t, test.want, summary)
				require.Equal(t, sleepyAccount{database: "available"}, account)
			}
			d.request.Kind = history.Migrate
			require.False(t, d.isWoken(), "a migration has no phase that would wake it")
		})
	}
}
