package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/local"
)

// TestScheduleOutlivesALease checks that the state machine of the schedule takes no lock for abandoned that its holder may still renew.
func TestScheduleOutlivesALease(t *testing.T) {
	require.Greater(t, infra.LockSilence*time.Second, lock.DefaultLeaseDuration)
}

// nights has staging deployed, with the state machine of its schedule, and with the steps of sleep and wake.
type nights struct {
	*testing.T
	env     *environment.Environment
	options local.Options
	account *local.Local
	sleeper sleep.Sleeper
	// locked reports that a command runs, which holds the lock.
	locked atomic.Bool
}

const (
	nightsSpeed = 120
	operator    = "jane@laptop"
)

func newNights(t *testing.T) *nights {
	n := &nights{T: t}
	root, dir := engineRoot(t), t.TempDir()
	_, err := deployedStaging(root, dir)
	require.NoError(t, err)
	n.env, err = environment.Load(root, "staging")
	require.NoError(t, err)
	n.options = local.Options{
		Dir: filepath.Join(dir, "local"), AccountID: n.env.Account, Region: n.env.Region, Environment: n.env.Name, Speed: nightsSpeed,
		Locked: func(string) bool { return n.locked.Load() },
	}
	n.account, err = local.Open(t.Context(), n.options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.account.Close()) })
	n.sleeper = sleep.New(n.account.AWS(), n.env, n.account.Clock(), operator)
	return n
}

// pass waits for some time of the account's.
func (n *nights) pass(d time.Duration) { require.NoError(n, n.account.Clock().Wait(n.Context(), d)) }

// open opens the account once more, so that it saves what has happened until now.
func (n *nights) open(faults ...string) {
	options := n.options
	options.Faults = faults
	account, err := local.Open(n.Context(), options)
	require.NoError(n, err)
	require.NoError(n, account.Close())
}

// start starts the state machine.
func (n *nights) start(action string) { n.open("schedule-" + action) }

// wait waits until the executions of the state machine have succeeded.
func (n *nights) wait() {
	for range 60 {
		n.pass(30 * time.Second)
		n.open()
		content, err := os.ReadFile(filepath.Join(n.options.Dir, "account.json"))
		require.NoError(n, err)
		var account struct{ Executions []struct{ Status string } }
		require.NoError(n, json.Unmarshal(content, &account))
		require.NotEmpty(n, account.Executions)
		running := false
		for _, x := range account.Executions {
			require.Contains(n, []string{"RUNNING", "SUCCEEDED"}, x.Status)
			running = running || x.Status == "RUNNING"
		}
		if !running {
			return
		}
	}
	require.FailNow(n, "an execution of the state machine does not end")
}

// run runs the steps of a command while it holds the lock.
func (n *nights) run(action string) {
	n.locked.Store(true)
	defer n.locked.Store(false)
	state, err := n.sleeper.Read(n.Context())
	require.NoError(n, err)
	steps := n.sleeper.SleepSteps()
	switch {
	case action == wakeAction && state.Awake(), action == sleepAction && state.Asleep():
		return
	case action == wakeAction:
		steps = append(n.sleeper.StartSteps(true), n.sleeper.EndSteps()...)
	}
	for _, step := range steps {
		_, err := step.Run(n.Context(), func(string, ...any) {})
		require.NoError(n, err, "%s: %s", action, step.Name)
	}
}

// A situation is what sleep and wake change.
type situation struct {
	sleep.State
	suppressor string
	suspended  map[string]bool
}

// situation reads what sleep and wake change.
func (n *nights) situation() situation {
	state, err := n.sleeper.Read(n.Context())
	require.NoError(n, err)
	if state.Marker != nil {
		state.Marker = &environment.SleepMarker{}
	}
	alarms, err := cloudwatch.NewFromConfig(n.account.AWS()).DescribeAlarms(n.Context(), &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{n.env.SuppressorAlarmName()},
	})
	require.NoError(n, err)
	found := situation{State: state, suppressor: string(alarms.MetricAlarms[0].StateValue), suspended: map[string]bool{}}
	targets, err := scaling.NewFromConfig(n.account.AWS()).DescribeScalableTargets(n.Context(), &scaling.DescribeScalableTargetsInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs,
	})
	require.NoError(n, err)
	require.NotEmpty(n, targets.ScalableTargets)
	for _, target := range targets.ScalableTargets {
		s := target.SuspendedState
		found.suspended[aws.ToString(target.ResourceId)] = s != nil &&
			aws.ToBool(s.DynamicScalingInSuspended) && aws.ToBool(s.DynamicScalingOutSuspended) && aws.ToBool(s.ScheduledScalingSuspended)
	}
	return found
}

// TestCommandsAndScheduleDoTheSame compares what the commands leave with what the state machine leaves.
func TestCommandsAndScheduleDoTheSame(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	deployed := n.situation()
	ways := map[string]func(string){"command": n.run, "schedule": func(action string) {
		n.start(action)
		n.wait()
	}}
	left := map[string]situation{}
	for _, way := range []struct{ sleep, wake string }{{"command", "command"}, {"schedule", "schedule"}, {"command", "schedule"}, {"schedule", "command"}} {
		for _, step := range []struct{ action, by string }{{sleepAction, way.sleep}, {wakeAction, way.wake}} {
			ways[step.by](step.action)
			found := n.situation()
			if _, known := left[step.action]; !known {
				left[step.action] = found
			}
			require.Equal(t, left[step.action], found, "after %s by the %s, with %+v", step.action, step.by, way)
		}
	}
	require.True(t, left[sleepAction].Marker != nil && left[sleepAction].Database == "stopped" && left[sleepAction].suppressor == "ALARM")
	deployed.suppressor = left[wakeAction].suppressor // it has no state before
	require.Equal(t, deployed, left[wakeAction])
}

// TestCommandsRepeatWhatTheScheduleUndoes lets an execution of the state machine act that has read the marker before the command
// wrote it, between any two steps of the command.
func TestCommandsRepeatWhatTheScheduleUndoes(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	run := func(steps ...database.Step) {
		for _, step := range steps {
			_, err := step.Run(n.Context(), func(string, ...any) {})
			require.NoError(n, err, step.Name)
		}
	}
	machine := sleep.New(n.account.AWS(), n.env, n.account.Clock(), n.env.ScheduleName())
	start := n.sleeper.StartSteps(true)
	for at := range start {
		n.run(sleepAction)
		require.True(n, n.situation().Asleep())
		run(start[:at]...)
		run(machine.SleepSteps()...) // it overwrites the marker, and stops what runs
		run(start[at:]...)
		run(n.sleeper.EndSteps()...)
		found := n.situation()
		require.True(n, found.Awake(), "the schedule acts before the step %s: %+v", start[at].Name, found)
		require.Zero(n, found.Idle)
	}
	stop := n.sleeper.SleepSteps()
	for at := range stop {
		n.run(wakeAction)
		require.True(n, n.situation().Awake())
		run(stop[:at]...)
		run(slices.Concat(machine.StartSteps(false)[1:], machine.EndSteps())...) // it starts what is stopped, and deletes the marker
		run(stop[at:]...)
		found := n.situation()
		require.True(n, found.Asleep(), "the schedule acts before the step %s: %+v", stop[at].Name, found)
	}
}

// TestScheduleGivesWayToCommands runs a command while the state machine is at work: the environment is as the command wanted it.
func TestScheduleGivesWayToCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ machine, command string }{
		{wakeAction, sleepAction}, {sleepAction, wakeAction}, {sleepAction, sleepAction},
	} {
		for _, delay := range []time.Duration{30 * time.Second, 3 * time.Minute} {
			t.Run(test.command+" while the schedule begins to "+test.machine+" "+delay.String(), func(t *testing.T) {
				t.Parallel()
				n := newNights(t)
				if test.machine == wakeAction {
					n.run(sleepAction)
				}
				n.start(test.machine)
				n.pass(delay)
				n.open()
				n.run(test.command)
				n.wait()
				found := n.situation()
				require.Equal(t, test.command == sleepAction, found.Asleep(), "%+v", found)
				require.Equal(t, test.command == wakeAction, found.Awake(), "%+v", found)
			})
		}
	}
}
