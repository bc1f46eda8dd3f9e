package infra

import (
	"fmt"
	"maps"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// The actions that start the state machine of the schedule, in its input {"action": …}.
const (
	actionSleep = "sleep"
	actionWake  = "wake"
	// actionStopAgain stops the database of an environment that is asleep: RDS has started it. It is done by all of a sleep's steps.
	actionStopAgain = "stop-again"
)

// The waits of one execution, and its limit, in seconds.
const (
	// LockSilence is for how many seconds a lock may not have been renewed. A holder renews it several times in that time, so that a lock that is
	// the same afterwards has lost its holder.
	LockSilence  = 150
	schedulePoll = 30
	// scheduleDrain is how long a task may still run that ECS no longer counts: its deregistration delay, and at most two minutes to stop.
	// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
	scheduleDrain       = 150
	scheduleDatabase    = 60 // a database needs minutes to start and to stop
	scheduleMaxDuration = 2 * 60 * 60
)

// lockObject returns the key of the environment's lock in the bucket of the state.
func lockObject(env *environment.Environment) string { return "locks/" + env.Stack + ".json" }

// scheduleMachine returns the definition of the state machine.
//
// Sleep: the marker, alarms muted, scaling suspended, services to 0 and drained, the database stopped. Wake is the reverse, and waits until the
// API is healthy. Each step can be repeated, so that an execution completes what another one left.
//
// The machine does nothing while a deployment holds the lock of the environment, and reads it again before each step that could harm one. Each
// execution writes what it is doing into the marker, and ends when it finds another value there: the environment was woken, or put to sleep,
// in the meantime.
// Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
func scheduleMachine(env *environment.Environment, clusterARN, targetGroupARN string) object {
	m := scheduleDefinition{env: env, cluster: clusterARN, targetGroup: targetGroupARN}
	states := object{}
	for _, part := range []object{
		m.begin(),
		m.mark("MarkAsleep", "", "$$.Execution.StartTime", "Mute"),
		m.mark("MarkWaking", environment.Waking, "$.read.marker.since", "WakeLock"),
		m.sleep(),
		m.wake(),
	} {
		maps.Copy(states, part)
	}
	return object{
		"Comment":        "Put the environment " + env.Name + " to sleep, or wake it",
		"StartAt":        "StartLock",
		"TimeoutSeconds": scheduleMaxDuration,
		"States":         states,
	}
}

// scheduleDefinition generates the states of an environment's machine.
type scheduleDefinition struct {
	env                  *environment.Environment
	cluster, targetGroup string
}

// begin returns the states that decide what is to be done. An environment without a marker is awake.
func (m scheduleDefinition) begin() object {
	states := m.unlocked("Start", "StartAction")
	maps.Copy(states, object{
		"StartAction": object{"Type": "Choice", "Choices": []object{
			{"Variable": "$.action", "StringEquals": actionSleep, "Next": "MarkAsleep"},
			{"Variable": "$.now.Parameters[0]", "IsPresent": false, "Next": "Awake"},
			{"Variable": "$.action", "StringEquals": actionWake, "Next": "ReadSince"},
			{"Variable": "$.now.Parameters[0].Value", "StringMatches": "*" + environment.Waking + "*", "Next": "Superseded"},
		}, "Default": "KeepMarker"},
		"KeepMarker": object{"Type": "Pass", "Parameters": object{"value.$": "$.now.Parameters[0].Value"}, "ResultPath": "$.own", "Next": "Mute"},
		"ReadSince": object{"Type": "Pass", "Parameters": object{"marker.$": "States.StringToJson($.now.Parameters[0].Value)"},
			"ResultPath": "$.read", "Next": "MarkWaking"},
		"Awake":      object{"Type": "Succeed"},
		"Asleep":     object{"Type": "Succeed"},
		"Superseded": object{"Type": "Succeed", "Comment": "The environment was woken or put to sleep in the meantime"},
	})
	return states
}

// unlocked returns states that wait until no deployment holds the lock, and read the marker. They are named NameLock, and so on.
func (m scheduleDefinition) unlocked(name, next string) object {
	const lock, previous = "$.lock.Contents[0].ETag", "$.previous.Contents[0].ETag"
	return object{
		name + "Lock": call("s3:listObjectsV2", object{
			"Bucket": environment.StateBucket(m.env.Prefix, m.env.Account), "Prefix": lockObject(m.env), "MaxKeys": 1,
		}, object{"ResultPath": "$.lock", "Next": name + "Locked"}),
		name + "Locked": object{"Type": "Choice", "Choices": []object{
			{"Variable": "$.lock.KeyCount", "NumericEquals": 0, "Next": name + "Marker"},
			{"And": []object{{"Variable": previous, "IsPresent": true}, {"Variable": lock, "StringEqualsPath": previous}}, "Next": name + "Marker"},
		}, "Default": name + "Remember"},
		name + "Remember": object{"Type": "Pass", "InputPath": "$.lock", "ResultPath": "$.previous", "Next": name + "Wait"},
		name + "Wait":     object{"Type": "Wait", "Seconds": LockSilence, "Next": name + "Lock"},
		name + "Marker": call("ssm:getParameters", object{"Names": []string{m.env.AsleepParameter()}}, object{
			"ResultPath": "$.now", "Next": next,
		}),
	}
}

// guard returns the states of unlocked, which continue only if the marker is the execution's own.
func (m scheduleDefinition) guard(name, next string) object {
	const value = "$.now.Parameters[0].Value"
	states := m.unlocked(name, name+"Own")
	states[name+"Own"] = object{"Type": "Choice", "Choices": []object{
		{"And": []object{{"Variable": value, "IsPresent": true}, {"Variable": value, "StringEqualsPath": "$.own.value"}}, "Next": next},
	}, "Default": "Superseded"}
	return states
}

// mark returns states that write the marker. since is a path.
func (m scheduleDefinition) mark(name, suffix, since, next string) object {
	// States.Format replaces {}; other braces are escaped.
	value := strings.NewReplacer("{", `\{`, "}", `\}`, "SINCE", "{}").Replace(environment.SleepMarkerJSON("SINCE", m.env.ScheduleName()+suffix))
	format := fmt.Sprintf(`States.Format('%s', %s)`, value, since)
	return object{
		name: object{"Type": "Pass", "Parameters": object{"value.$": format}, "ResultPath": "$.own", "Next": name + "Put"},
		name + "Put": call("ssm:putParameter", object{
			"Name": m.env.AsleepParameter(), "Type": "String", "Value.$": "$.own.value", "Overwrite": true,
		}, object{"ResultPath": "$.put", "Next": next}),
	}
}

// sleep returns the states from the muted alarms to the stopped database.
func (m scheduleDefinition) sleep() object {
	states := object{"Mute": m.setSuppressor("ALARM", "The environment goes to sleep by its schedule", "Suspend")}
	maps.Copy(states, m.forServices("Suspend", m.scalable(), m.setSuspended(true), "Stop"))
	maps.Copy(states, m.forServices("Stop", m.env.Services.List(), m.setCount(func(environment.Service) int { return 0 }), "Drain"))
	maps.Copy(states, object{
		"Drain":     m.readServices("Drained"),
		"Drained":   m.drained("DrainWait", "DrainEnd"),
		"DrainWait": object{"Type": "Wait", "Seconds": schedulePoll, "Next": "Drain"},

		"DrainEnd": object{"Type": "Wait", "Seconds": scheduleDrain, "Next": "StopLock"},

		"StopRead": m.readDatabase("StopDecide"),
		"StopDecide": object{"Type": "Choice", "Choices": []object{
			{"Variable": databaseStatus, "StringEquals": rdsstate.Stopped, "Next": "Asleep"},
			{"Variable": databaseStatus, "StringEquals": rdsstate.Available, "Next": "StopDatabase"},
		}, "Default": "StopPoll"},
		"StopDatabase": call("rds:stopDBInstance", object{"DbInstanceIdentifier": m.env.DatabaseIdentifier()},
			object{"ResultPath": nil, "Next": "StopPoll"}),
		"StopPoll": object{"Type": "Wait", "Seconds": scheduleDatabase, "Next": "StopLock"},
	})
	maps.Copy(states, m.guard("Stop", "StopRead"))
	return states
}

// wake returns the states from the started database to the deleted marker.
func (m scheduleDefinition) wake() object {
	states := m.guard("Wake", "WakeRead")
	maps.Copy(states, object{
		"WakeRead": m.readDatabase("WakeDecide"),
		"WakeDecide": object{"Type": "Choice", "Choices": append(list.Map(rdsstate.Statuses(rdsstate.Operational), func(status string) object {
			return object{"Variable": databaseStatus, "StringEquals": status, "Next": "Serve"}
		}), object{"Variable": databaseStatus, "StringEquals": rdsstate.Stopped, "Next": "StartDatabase"}), "Default": "WakePoll"},
		"StartDatabase": call("rds:startDBInstance", object{"DbInstanceIdentifier": m.env.DatabaseIdentifier()},
			object{"ResultPath": nil, "Next": "WakePoll"}),
		"WakePoll": object{"Type": "Wait", "Seconds": scheduleDatabase, "Next": "WakeLock"},
	})
	count := func(s environment.Service) int { return s.Tasks.Min }
	maps.Copy(states, m.forServices("Serve", m.env.Services.List(), m.setCount(count), "Resume"))
	maps.Copy(states, m.forServices("Resume", m.scalable(), m.setSuspended(false), "RunLock"))
	maps.Copy(states, m.guard("Run", "RunRead"))
	maps.Copy(states, object{
		"RunRead":    m.readServices("RunCounted"),
		"RunCounted": m.running("RunPoll", "RunTargets"),
		"RunTargets": call("elasticloadbalancingv2:describeTargetHealth", object{"TargetGroupArn": m.targetGroup}, object{
			"ResultSelector": object{"healthy.$": "$.TargetHealthDescriptions[?(@.TargetHealth.State=='healthy')].Target"},
			"ResultPath":     "$.targets", "Next": "RunHealthy",
		}),
		"RunHealthy": object{"Type": "Choice", "Choices": []object{
			{"Variable": "$.targets.healthy[0]", "IsPresent": true, "Next": "Unmute"},
		}, "Default": "RunPoll"},
		"RunPoll": object{"Type": "Wait", "Seconds": schedulePoll, "Next": "RunLock"},
		"Unmute":  m.setSuppressor("OK", "The environment is awake by its schedule", "Unmark"),
		// Not deleteParameter, which fails where the parameter is deleted already.
		"Unmark": call("ssm:deleteParameters", object{"Names": []string{m.env.AsleepParameter()}}, object{"ResultPath": nil, "Next": "Awake"}),
	})
	return states
}

// scalable returns the services whose number of tasks scales.
func (m scheduleDefinition) scalable() []environment.Service {
	var all []environment.Service
	for _, s := range m.env.Services.List() {
		if s.Autoscaling != nil {
			all = append(all, s)
		}
	}
	return all
}

// forServices returns a chain of states, one for each service and named after it, from the state name to next.
func (m scheduleDefinition) forServices(
	name string, services []environment.Service, state func(environment.Service, string) object, next string,
) object {
	states := object{name: object{"Type": "Pass", "Next": next}}
	previous := states[name].(object)
	for _, s := range services {
		id := name + "-" + string(s.Role)
		previous["Next"] = id
		current := state(s, next)
		states[id], previous = current, current
	}
	return states
}

// setCount returns a function for forServices that sets the number of tasks.
func (m scheduleDefinition) setCount(count func(environment.Service) int) func(environment.Service, string) object {
	return func(s environment.Service, next string) object {
		return call("ecs:updateService", object{
			"Cluster": m.cluster, "Service": m.env.ServiceName(s.Role), "DesiredCount": count(s),
		}, object{"ResultPath": nil, "Next": next})
	}
}

// setSuspended returns a function for forServices that suspends or resumes scaling.
func (m scheduleDefinition) setSuspended(suspended bool) func(environment.Service, string) object {
	return func(s environment.Service, next string) object {
		return call("applicationautoscaling:registerScalableTarget", object{
			"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
			"ResourceId": "service/" + m.env.ClusterName() + "/" + m.env.ServiceName(s.Role),
			"SuspendedState": object{
				"DynamicScalingInSuspended": suspended, "DynamicScalingOutSuspended": suspended, "ScheduledScalingSuspended": suspended,
			},
		}, object{"ResultPath": nil, "Next": next})
	}
}

// setSuppressor returns a state that mutes the alarms of the environment, or no longer does.
func (m scheduleDefinition) setSuppressor(state, reason, next string) object {
	return call("cloudwatch:setAlarmState", object{
		"AlarmName": m.env.SuppressorAlarmName(), "StateValue": state, "StateReason": reason,
	}, object{"ResultPath": nil, "Next": next})
}

func (m scheduleDefinition) readServices(next string) object {
	var names []string
	for _, s := range m.env.Services.List() {
		names = append(names, m.env.ServiceName(s.Role))
	}
	return call("ecs:describeServices", object{"Cluster": m.cluster, "Services": names}, object{"ResultPath": "$.services", "Next": next})
}

// drained returns a state that goes to wait while a task runs, and else to next; running one that waits until all tasks run.
func (m scheduleDefinition) drained(wait, next string) object {
	return m.compared(func(path string) []object {
		return []object{
			{"Variable": path + ".RunningCount", "NumericGreaterThan": 0, "Next": wait},
			{"Variable": path + ".PendingCount", "NumericGreaterThan": 0, "Next": wait},
		}
	}, next)
}

func (m scheduleDefinition) running(wait, next string) object {
	return m.compared(func(path string) []object {
		return []object{{"Variable": path + ".RunningCount", "NumericLessThanPath": path + ".DesiredCount", "Next": wait}}
	}, next)
}

// compared returns a state with choices about each service. One that does not exist fails the execution, since its path is invalid.
func (m scheduleDefinition) compared(choices func(path string) []object, next string) object {
	var all []object
	for i := range m.env.Services.List() {
		all = append(all, choices(fmt.Sprintf("$.services.Services[%d]", i))...)
	}
	return object{"Type": "Choice", "Choices": all, "Default": next}
}

// databaseStatus is the path of what readDatabase reads.
const databaseStatus = "$.database.DbInstances[0].DbInstanceStatus"

func (m scheduleDefinition) readDatabase(next string) object {
	return call("rds:describeDBInstances", object{"DbInstanceIdentifier": m.env.DatabaseIdentifier()}, object{"ResultPath": "$.database", "Next": next})
}
