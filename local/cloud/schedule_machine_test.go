package cloud

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/require"
)

const (
	asleepParameter = "/v3-backend/staging/asleep"
	sleepAction     = "sleep"
	wakeAction      = "wake"
	stopAgainAction = "stop-again"
)

// addSchedule adds the program's state machine and rule, whose definition the program's tests keep, and what the machine changes: staging's
// services, of which the API scales, the database, and the alarm that mutes the others.
func (sim *simulation) addSchedule() {
	sim.t.Helper()
	text, err := os.ReadFile("../../infra/testdata/schedule.json")
	require.NoError(sim.t, err)
	definition := strings.NewReplacer(
		"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/v3-backend-staging-api-tg/1", "tg", "v3-backend-staging-db", "db",
	).Replace(string(text))
	machine := sim.put(typeStateMachine, "arn:schedule", values{"arn": "arn:schedule", "name": "schedule", "definition": definition})
	require.NoError(sim.t, workflowTypes[typeStateMachine].validate(sim.m.State, machine))
	sim.put(typeEventRule, "schedule", values{"name": "schedule", "state": "ENABLED", "eventPattern": `{"source":["aws.rds"],
		"detail-type":["RDS DB Instance Event"],"detail":{"EventID":["RDS-EVENT-0154"],"SourceIdentifier":["db"]}}`})
	sim.put(typeEventTarget, "schedule", values{"rule": "schedule", "arn": "arn:schedule", "input": `{"action":"stop-again"}`})
	sim.put(typeMetricAlarm, "asleep", values{
		"name": "v3-backend-staging-asleep", "arn": "arn:asleep", "metricName": "Asleep", "treatMissingData": "ignore",
	})
	sim.put(typeScalingTarget, "api", values{
		"resourceId": "service/v3-backend-staging-cluster/" + apiService, "serviceNamespace": "ecs", "minCapacity": 1.0, "maxCapacity": 2.0,
	})
	image := sim.define(1, imageOne)
	for _, role := range []string{"worker", "scheduler"} {
		name := "v3-backend-staging-" + role + "-service"
		sim.put(typeService, sim.m.arn("ecs", "service/v3-backend-staging-cluster/"+name), values{
			"name": name, "cluster": "v3-backend-staging-cluster", "taskDefinition": image, "desiredCount": 1.0,
			"networkConfiguration": values{"subnets": array("subnet-1")},
		})
	}
	sim.startService(image, 2, nil)
	sim.after(5 * time.Minute)
}

// act starts the machine, and returns its execution.
func (sim *simulation) act(action string) *execution {
	sim.t.Helper()
	sim.m.startExecution(sim.m.Get(typeStateMachine, "arn:schedule"), map[string]any{"action": action}, sim.m.in(time.Second))
	return sim.lastExecution()
}

// situation is what sleep and wake change.
type situation struct {
	marked, muted, suspended bool
	// running is the number of running tasks.
	running  int
	database string
}

var (
	awake  = situation{running: 4, database: "available"}
	woken  = situation{running: 3, database: "available"} // the API has its minimum
	asleep = situation{marked: true, muted: true, suspended: true, database: "stopped"}
)

func (sim *simulation) situation() situation {
	running := 0
	for _, s := range sim.m.ECS.services() {
		for _, t := range sim.m.ECS.tasksOf(s) {
			if sim.m.running(t) {
				running++
			}
		}
	}
	return situation{
		marked:    sim.m.Parameters[asleepParameter] != nil,
		muted:     sim.m.stateOf(sim.m.Get(typeMetricAlarm, "asleep")).Value == types.StateValueAlarm,
		suspended: suspended(sim.m.Get(typeScalingTarget, "api")),
		running:   running,
		database:  sim.m.databaseStatus(sim.m.Get(typeDatabase, "db-1")),
	}
}

func requireStatus(t *testing.T, status string, x *execution) {
	t.Helper()
	require.Equal(t, status, x.Status, "%s: %s, at %s", x.Error, x.Cause, x.State)
}

func TestScheduleSleepsAndWakes(t *testing.T) {
	sim := newSimulation(t)
	sim.addSchedule()
	require.Equal(t, awake, sim.situation())

	slept := sim.act(sleepAction)
	sim.after(20 * time.Minute)
	requireStatus(t, executionSucceeded, slept)
	require.Equal(t, asleep, sim.situation())
	since := slept.Started.UTC().Format("2006-01-02T15:04:05.000Z")
	require.Equal(t, `{"since":"`+since+`","by":"v3-backend-staging-schedule"}`, sim.m.Parameters[asleepParameter].Value)

	again := sim.act(sleepAction)
	sim.after(20 * time.Minute)
	requireStatus(t, executionSucceeded, again)
	require.Equal(t, asleep, sim.situation(), "what is asleep stays asleep")

	waking := sim.act(wakeAction)
	sim.after(2 * time.Minute)
	require.Contains(t, sim.m.Parameters[asleepParameter].Value, `"by":"v3-backend-staging-schedule (waking)"`)
	require.True(t, sim.situation().muted, "no alarm notifies anyone before the API is healthy")
	sim.after(20 * time.Minute)
	requireStatus(t, executionSucceeded, waking)
	require.Equal(t, woken, sim.situation())

	idle := sim.act(wakeAction)
	sim.after(time.Minute)
	requireStatus(t, executionSucceeded, idle)
	require.Equal(t, woken, sim.situation(), "what is awake stays awake")
}

// TestScheduleStopsTheDatabaseAgain starts the database as RDS does after seven days, asleep and awake.
func TestScheduleStopsTheDatabaseAgain(t *testing.T) {
	sim := newSimulation(t)
	sim.addSchedule()
	sim.act(sleepAction)
	sim.after(20 * time.Minute)
	marker := *sim.m.Parameters[asleepParameter]

	sim.m.Stopped["db-1"] = sim.m.now.Add(-stoppedLimit)
	sim.after(time.Second)
	require.Equal(t, statusStarting, sim.situation().database)
	sim.after(30 * time.Minute)
	requireStatus(t, executionSucceeded, sim.lastExecution())
	require.Len(t, sim.m.Executions, 2)
	require.Equal(t, asleep, sim.situation())
	require.Equal(t, marker.Value, sim.m.Parameters[asleepParameter].Value, "it has slept since then")

	sim.act(wakeAction)
	sim.after(20 * time.Minute)
	idle := sim.act(stopAgainAction)
	sim.after(20 * time.Minute)
	requireStatus(t, executionSucceeded, idle)
	require.Equal(t, woken, sim.situation(), "the database of an environment that is awake runs on")
}

func TestScheduleWaitsForDeployments(t *testing.T) {
	const held, crashed = true, false
	for name, test := range map[string]struct {
		lock   bool
		hours  time.Duration
		status string
		want   situation
	}{
		"until it is done":               {held, time.Hour, executionSucceeded, asleep},
		"for two hours":                  {held, 3 * time.Hour, executionTimedOut, awake},
		"not for one that has not ended": {crashed, 0, executionSucceeded, asleep},
	} {
		t.Run(name, func(t *testing.T) {
			sim := newSimulation(t)
			sim.addSchedule()
			sim.m.locked = func(stack string) bool { return test.lock && stack == "staging" }
			x := sim.act(sleepAction)
			if test.hours > 0 {
				sim.after(time.Hour)
				require.Equal(t, awake, sim.situation(), "a deployment is in progress")
				sim.after(test.hours - time.Hour)
			}
			sim.m.locked = nil
			sim.after(20 * time.Minute)
			requireStatus(t, test.status, x)
			require.Equal(t, test.want, sim.situation())
		})
	}
}

// TestScheduleGivesWay checks that the environment is as the last one wanted it: a deployment that begins while the services stop, which wakes
// the environment, or another execution.
func TestScheduleGivesWay(t *testing.T) {
	t.Run("to a deployment", func(t *testing.T) {
		sim := newSimulation(t)
		sim.addSchedule()
		x := sim.act(sleepAction)
		sim.after(10 * time.Second)
		require.True(t, sim.situation().marked)
		sim.m.locked = func(string) bool { return true }
		sim.after(30 * time.Minute)
		require.Equal(t, executionRunning, x.Status)
		require.Equal(t, "available", sim.situation().database)
		delete(sim.m.Parameters, asleepParameter) // the deployment has woken the environment
		sim.m.locked = nil
		sim.after(10 * time.Minute)
		requireStatus(t, executionSucceeded, x)
		require.Equal(t, "available", sim.situation().database)
	})
	for name, actions := range map[string][2]string{
		"wake after sleep": {sleepAction, wakeAction}, "sleep after wake": {wakeAction, sleepAction},
		"wake after RDS": {stopAgainAction, wakeAction},
	} {
		for _, delay := range []time.Duration{10 * time.Second, 40 * time.Second, 2 * time.Minute, 4 * time.Minute, 7 * time.Minute} {
			t.Run(name+" "+delay.String(), func(t *testing.T) {
				sim := newSimulation(t)
				sim.addSchedule()
				if actions[0] != sleepAction {
					sim.act(sleepAction)
					sim.after(20 * time.Minute)
				}
				if actions[0] == stopAgainAction {
					sim.m.Stopped["db-1"] = sim.m.now.Add(-stoppedLimit)
				} else {
					sim.act(actions[0])
				}
				sim.after(delay)
				last := sim.act(actions[1])
				sim.after(time.Hour)
				for _, x := range sim.m.Executions {
					requireStatus(t, executionSucceeded, x)
				}
				requireStatus(t, executionSucceeded, last)
				want := woken
				if actions[1] == sleepAction {
					want = asleep
				}
				require.Equal(t, want, sim.situation())
			})
		}
	}
}

// TestScheduleFailures checks that an execution that cannot succeed ends as failed, and that the next one completes what it left.
func TestScheduleFailures(t *testing.T) {
	t.Run("a service is missing", func(t *testing.T) {
		sim := newSimulation(t)
		sim.addSchedule()
		id := key(typeService, sim.m.arn("ecs", "service/v3-backend-staging-cluster/v3-backend-staging-worker-service"))
		worker := sim.m.Resources[id]
		delete(sim.m.Resources, id)
		sim.after(time.Second)
		failed := sim.act(sleepAction)
		sim.after(30 * time.Minute)
		requireStatus(t, executionFailed, failed)
		require.Contains(t, failed.Error, "Service")
		require.Equal(t, "available", sim.situation().database)

		sim.m.Resources[id] = worker
		sim.after(5 * time.Minute)
		again := sim.act(sleepAction)
		sim.after(20 * time.Minute)
		requireStatus(t, executionSucceeded, again)
		require.Equal(t, asleep, sim.situation())
	})
	t.Run("the database does not follow", func(t *testing.T) {
		sim := newSimulation(t, faultDatabaseUnavailable)
		sim.addSchedule()
		late := sim.act(sleepAction)
		sim.after(3 * time.Hour)
		requireStatus(t, executionTimedOut, late)
		sim.m.faults = nil
		again := sim.act(wakeAction)
		sim.after(30 * time.Minute)
		requireStatus(t, executionSucceeded, again)
		require.Equal(t, woken, sim.situation())
	})
}

// TestScheduleWakesWithABusyDatabase wakes an environment whose database RDS could not stop, since it was optimizing its storage after
// autoscaling, and still does: it serves meanwhile, for hours.
// Source: https://repost.aws/knowledge-center/rds-stuck-in-storage-optimization
func TestScheduleWakesWithABusyDatabase(t *testing.T) {
	sim := newSimulation(t)
	sim.addSchedule()
	sim.m.Databases["db-1"] = &databaseChange{Status: "storage-optimization", Until: sim.m.in(24 * time.Hour)}
	late := sim.act(sleepAction)
	sim.after(3 * time.Hour)
	requireStatus(t, executionTimedOut, late)
	require.Equal(t, situation{marked: true, muted: true, suspended: true, database: "storage-optimization"}, sim.situation())

	waking := sim.act(wakeAction)
	sim.after(20 * time.Minute)
	requireStatus(t, executionSucceeded, waking)
	require.Equal(t, situation{running: woken.running, database: "storage-optimization"}, sim.situation())
}

// TestScheduleUnmarksTwice repeats the last call of a waking, as a retry does after a response that was lost, and a second execution where
// EventBridge Scheduler delivers twice.
func TestScheduleUnmarksTwice(t *testing.T) {
	sim := newSimulation(t)
	sim.addSchedule()
	waking := sim.act(wakeAction)
	require.Nil(t, sim.m.Parameters[asleepParameter])
	waking.State = "Unmark"
	sim.after(20 * time.Minute)
	requireStatus(t, executionSucceeded, waking)
}

// TestMachineFieldNames checks names of operations as Step Functions has them.
// https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
func TestMachineFieldNames(t *testing.T) {
	for field, want := range map[string]string{
		"DBInstances": "DbInstances", "DBInstanceIdentifier": "DbInstanceIdentifier", "ETag": "ETag", "ARN": "Arn", "KeyCount": "KeyCount",
		"MultiAZ": "MultiAZ", "OKActions": "OkActions", "Cluster": "Cluster",
	} {
		require.Equal(t, want, machineField(field))
	}
	sim := newSimulation(t)
	stop, found := machineOperation(awsTask + "rds:stopDBInstance")
	require.True(t, found)
	_, err := sim.m.invoke(stop, map[string]any{"DBInstanceIdentifier": "db"})
	require.ErrorContains(t, err, `the field "DBInstanceIdentifier" is not supported by Step Functions`)
	stopped, err := sim.m.invoke(stop, map[string]any{"DbInstanceIdentifier": "db"})
	require.NoError(t, err)
	require.Equal(t, "stopping", stopped["DbInstance"].(map[string]any)["DbInstanceStatus"])
}
