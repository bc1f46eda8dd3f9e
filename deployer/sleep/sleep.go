// Package sleep puts an environment to sleep, and wakes it: its tasks and its database stop, and its alarms notify no one.
//
// The current state is read from AWS before every step, and a step may be done already: an interrupted command continues when it is run again.
package sleep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Sleeper puts one environment to sleep, and wakes it.
type Sleeper struct {
	Env *environment.Environment
	// By is who does so.
	By       string
	Clock    clock.Clock
	aws      aws.Config
	services database.Services
	instance database.Instance
}

// New returns the Sleeper of an environment in an account.
func New(cfg aws.Config, env *environment.Environment, c clock.Clock, by string) Sleeper {
	return Sleeper{
		Env: env, By: by, Clock: c, aws: cfg, services: database.NewServices(cfg, env, c), instance: database.New(cfg, env, c),
	}
}

// State is what runs of an environment.
type State struct {
	// Marker is nil where the environment is awake, or never slept.
	Marker *environment.SleepMarker
	// Desired are the tasks that the services should run, Running those that they run.
	Desired, Running int
	// Idle are the services that should run no task.
	Idle []string
	// Services is how many there are.
	Services int
	// Database is RDS's status; "" where there is no database.
	Database string
	// Replicas are the read replicas of the database, or what it is a replica of.
	Replicas []string
	// Unsuppressed are the regions with alarms in which the one that mutes them does not exist.
	Unsuppressed []string
	// Muted reports that this alarm is in alarm in one of them, which mutes the others, whether or not there is a marker.
	Muted bool
}

// Marked reports whether the environment is to be woken, whatever runs: it has a marker, or its alarms are muted.
func (s State) Marked() bool { return s.Marker != nil || s.Muted }

// Asleep reports whether nothing is left to do to put the environment to sleep. Where it is being woken, the marker is to be
// replaced.
func (s State) Asleep() bool {
	return s.Marker != nil && !s.Marker.Waking() && s.Muted && s.Desired == 0 && s.Running == 0 && (s.Database == "" || s.Database == rdsstate.Stopped)
}

// Awake reports whether nothing is left to do to wake the environment.
func (s State) Awake() bool {
	return !s.Marked() && s.started()
}

// started reports whether nothing is left to start.
func (s State) started() bool {
	return len(s.Idle) == 0 && s.Database != rdsstate.Stopped && s.Database != rdsstate.Stopping
}

// String returns what runs, such as "no task runs, and its database is starting".
func (s State) String() string {
	what := "no task runs"
	if s.Desired+s.Running > 0 {
		what = fmt.Sprintf("%d of %s", s.Running, text.Plural(s.Desired, "task runs", "tasks run"))
	}
	if s.Database != "" {
		what += ", and its database is " + s.Database
	}
	return what
}

// ReadMarks returns the part of the environment's state by which it is Marked, and not what runs. With an error it has what could
// be read.
func (s Sleeper) ReadMarks(ctx context.Context) (state State, err error) {
	var unread, unknown error
	var wait sync.WaitGroup
	wait.Go(func() { state.Marker, unread = asleep.Read(ctx, s.aws, s.Env) })
	wait.Go(func() { state.Unsuppressed, state.Muted, unknown = s.readSuppressors(ctx) })
	wait.Wait()
	return state, cmp.Or(unread, unknown)
}

// readSuppressors returns the regions without the alarm that mutes the others, and whether one is in alarm.
func (s Sleeper) readSuppressors(ctx context.Context) (missing []string, muted bool, err error) {
	for _, region := range s.Env.AlarmRegions() {
		out, err := cwmetrics.NewClient(awsx.InRegion(s.aws, region)).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: []string{s.Env.SuppressorAlarmName()},
		})
		if err != nil {
			return nil, false, fmt.Errorf("describe the alarm %s in %s: %w", s.Env.SuppressorAlarmName(), region, err)
		}
		if len(out.MetricAlarms) == 0 {
			missing = append(missing, region)
			continue
		}
		muted = muted || out.MetricAlarms[0].StateValue == cwtypes.StateValueAlarm
	}
	return missing, muted, nil
}

// Read returns the state of the environment.
func (s Sleeper) Read(ctx context.Context) (state State, err error) {
	if state, err = s.ReadMarks(ctx); err != nil {
		return state, err
	}
	found, err := rdsinstance.Find(ctx, s.aws, s.Env.DatabaseIdentifier())
	if err != nil {
		return state, fmt.Errorf("describe the database %s: %w", s.Env.DatabaseIdentifier(), err)
	}
	if found != nil {
		state.Database = aws.ToString(found.DBInstanceStatus)
		state.Replicas = slices.Clone(found.ReadReplicaDBInstanceIdentifiers)
		if source := aws.ToString(found.ReadReplicaSourceDBInstanceIdentifier); source != "" {
			state.Replicas = append(state.Replicas, source)
		}
	}
	services, err := s.services.Describe(ctx)
	if missing := (*ecstypes.ClusterNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
		return state, err
	}
	state.Services = len(services)
	for _, service := range services {
		state.Desired, state.Running = state.Desired+int(service.DesiredCount), state.Running+int(service.RunningCount)
		if service.DesiredCount == 0 {
			state.Idle = append(state.Idle, aws.ToString(service.ServiceName))
		}
	}
	return state, nil
}

// CheckMaySleep returns an error where an environment in a state cannot be put to sleep.
func (s Sleeper) CheckMaySleep(state State) error {
	switch {
	case len(state.Replicas) > 0:
		return hint.With(fmt.Errorf("the database %s has the read replicas %s, or is one of them, and RDS stops no such database",
			s.Env.DatabaseIdentifier(), strings.Join(state.Replicas, ", ")), "delete the replicas, or leave the environment awake")
	case len(state.Unsuppressed) > 0:
		return hint.With(fmt.Errorf("the alarm %s does not exist in %s, so the alarms of %s would notify people all the time that it is asleep",
			s.Env.SuppressorAlarmName(), strings.Join(state.Unsuppressed, " and "), s.Env.Name), "deploy it first: `deployer up --env "+s.Env.Stack+" --image-tag TAG --refresh`")
	}
	return nil
}

// SleepSteps returns the steps that put the environment to sleep, in their order.
func (s Sleeper) SleepSteps() []database.Step {
	steps := []database.Step{
		{Name: "mark", Description: "write the parameter " + s.Env.AsleepParameter(),
			Run: func(ctx context.Context, _ database.Progress) (string, error) {
				return s.Env.AsleepParameter() + " exists", s.mark(ctx)
			}},
		{Name: "alarms", Description: "mute " + s.Env.CompositeAlarmName() + ", through which the alarms notify people",
			Run: func(ctx context.Context, _ database.Progress) (string, error) {
				return s.Env.CompositeAlarmName() + " is muted", s.setMuted(ctx, cwtypes.StateValueAlarm, "asleep")
			}},
		{Name: "services", Description: "suspend autoscaling, scale " + s.serviceNames() + " to 0 tasks, and wait until none runs",
			Run: func(ctx context.Context, progress database.Progress) (string, error) {
				return "no task runs", ignoreNoCluster(s.services.Stop(ctx, progress))
			}},
		{Name: "database", Description: "stop " + s.Env.DatabaseIdentifier(),
			Run: func(ctx context.Context, progress database.Progress) (string, error) {
				return s.Env.DatabaseIdentifier() + " is stopped", s.instance.Stop(ctx, progress)
			}},
	}
	return append(steps, s.verify(steps, s.Env.Name+" is asleep", State.Asleep))
}

// verify returns the last of some steps, which repeats them, once, if the environment is not as they leave it. The state machine
// of the schedule reads the marker before it acts, and no operation of AWS's does both at once: an execution that has read it
// just before the first step may undo some of them in a few calls, and ends then.
func (s Sleeper) verify(steps []database.Step, summary string, done func(State) bool) database.Step {
	return database.Step{
		Name: "verify", Description: "repeat the steps, where the schedule, or someone else, has undone some meanwhile",
		Run: func(ctx context.Context, progress database.Progress) (string, error) {
			state, err := s.Read(ctx)
			if err != nil || done(state) {
				return summary, err
			}
			progress("a part was undone: %s", state)
			for _, step := range steps {
				if _, err := step.Run(ctx, progress); err != nil {
					return "", fmt.Errorf("%s: %w", step.Name, err)
				}
			}
			return summary, nil
		},
	}
}

// StartSteps returns the steps that note in the marker that the environment is being woken, and start the database and the
// services; with wait they wait until the tasks run, and verify that.
func (s Sleeper) StartSteps(wait bool) []database.Step {
	description := "scale " + s.serviceNames() + " to the counts of " + environment.FileName(s.Env.Stack) + ", and resume autoscaling"
	steps := []database.Step{
		{Name: "waking",
			Description: "note in the parameter " + s.Env.AsleepParameter() + ", where it exists, who wakes " + s.Env.Name,
			Run:         func(ctx context.Context, _ database.Progress) (string, error) { return s.markWaking(ctx) }},
		{Name: "database", Description: "start " + s.Env.DatabaseIdentifier(),
			Run: func(ctx context.Context, progress database.Progress) (string, error) {
				return s.Env.DatabaseIdentifier() + " is available", s.instance.Start(ctx, progress)
			}},
		{Name: "services", Description: description,
			Run: func(ctx context.Context, progress database.Progress) (string, error) {
				err := ignoreNoCluster(s.services.Resume(ctx))
				if err != nil || !wait {
					return "the services start", err
				}
				return "every task runs", ignoreNoCluster(s.services.Wait(ctx, progress))
			}},
	}
	if wait {
		steps = append(steps, s.verify(steps, s.Env.Name+" has started", State.started))
	}
	return steps
}

// EndSteps returns the last steps of waking the environment: it is awake once it has started.
func (s Sleeper) EndSteps() []database.Step {
	return []database.Step{
		{Name: "alarms", Description: "let " + s.Env.CompositeAlarmName() + " notify people again",
			Run: func(ctx context.Context, _ database.Progress) (string, error) {
				return s.Env.CompositeAlarmName() + " notifies people again", s.setMuted(ctx, cwtypes.StateValueOk, "awake")
			}},
		{Name: "mark", Description: "delete the parameter " + s.Env.AsleepParameter(),
			Run: func(ctx context.Context, _ database.Progress) (string, error) {
				return s.Env.AsleepParameter() + " is deleted", s.Forget(ctx)
			}},
	}
}

// setMuted sets the alarm that mutes the others, in each region that has some. Where it does not exist there is nothing to mute.
func (s Sleeper) setMuted(ctx context.Context, state cwtypes.StateValue, reason string) error {
	for _, region := range s.Env.AlarmRegions() {
		_, err := cwmetrics.NewClient(awsx.InRegion(s.aws, region)).SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{
			AlarmName: aws.String(s.Env.SuppressorAlarmName()), StateValue: state, StateReason: aws.String(s.Env.Name + " is " + reason + ", by " + s.By),
		})
		if missing := (*cwtypes.ResourceNotFound)(nil); err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("set the state of the alarm %s: %w", s.Env.SuppressorAlarmName(), err)
		}
	}
	return nil
}

func (s Sleeper) serviceNames() string {
	var names []string
	for _, service := range s.Env.Services.List() {
		names = append(names, string(service.Role))
	}
	return text.Join(names, "and")
}

// ignoreNoCluster returns nil for the error of ECS that there is no cluster, and so nothing runs.
func ignoreNoCluster(err error) error {
	if missing := (*ecstypes.ClusterNotFoundException)(nil); errors.As(err, &missing) {
		return nil
	}
	return err
}
