package cloud

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// metricDelay is how long it takes until a metric of a new task, or of a health check that begins to succeed, is there.
const metricDelay = 2 * time.Minute

// alarmState is an alarm's state, and since when it has it.
type alarmState struct {
	Value  types.StateValue `json:"value"`
	Reason string           `json:"reason"`
	Since  time.Time        `json:"since"`
}

// stateOf evaluates the alarms that are in alarm without data: an alarm is evaluated as soon as it exists, for the time before as well, so that
// those of a first deployment go into alarm before there is anything to measure. Those about a state machine have data only in the minutes in
// which an execution ends. Those about the traffic and the memory follow their metrics. Other alarms are OK. Without data, an alarm that
// ignores that keeps its state, which SetAlarmState may have set; any other is evaluated again at once.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (m model) stateOf(r *Resource) alarmState {
	ok := alarmState{types.StateValueOk, "Threshold not crossed", r.Created}
	if m.faults[faultAlarm] && slices.Contains(faultyAlarms(m.State), r) {
		return alarmState{types.StateValueAlarm, "Threshold Crossed: 3 datapoints were greater than the threshold", r.Created}
	}
	if _, hasData := typicalMetrics[r.Text("metricName")]; r.Text("treatMissingData") == "ignore" && !hasData {
		if set, known := m.home.AlarmStates[r.Text("arn")]; known {
			return set
		}
		return alarmState{types.StateValueInsufficientData, "Unchecked: Initial alarm creation", r.Created}
	}
	if failed := m.failedExecution(r); failed != nil {
		return alarmState{types.StateValueAlarm, "Threshold Crossed: 1 datapoint was greater than the threshold (0.0).", failed.Ended}
	}
	if followsTraffic(r) {
		if since := m.breaches(r); !since.IsZero() {
			return alarmState{types.StateValueAlarm, fmt.Sprintf("Threshold Crossed: %d datapoints were greater than the threshold (%.1f).",
				numberOr(r, "evaluationPeriods", 1), r.Number("threshold")), since}
		}
		return ok
	}
	if r.Text("treatMissingData") != "breaching" {
		return ok
	}
	first := m.after(r.Created, time.Minute)
	if !m.reached(first) {
		return alarmState{types.StateValueInsufficientData, "Unchecked: Initial alarm creation", r.Created}
	}
	dimensions, _ := r.Outputs["dimensions"].(map[string]any)
	periods := numberOr(r, "evaluationPeriods", 1)
	if name, about := dimensions["ServiceName"].(string); about {
		for i := range periods {
			ago := m.scaled(metricDelay + time.Duration(i)*time.Minute)
			if float64(m.runningAt(name, m.now.Add(-ago))) >= r.Number("threshold") {
				return ok
			}
		}
		return alarmState{types.StateValueAlarm, fmt.Sprintf("Threshold Crossed: no datapoints were received for %d periods and %[1]d missing "+
			"datapoints were treated as [Breaching].", periods), first}
	}
	if name, about := dimensions["AutoScalingGroupName"].(string); about && !m.instanceRan(name, periods) {
		return alarmState{types.StateValueAlarm, fmt.Sprintf("Threshold Crossed: no datapoints were received for %d periods and %[1]d missing "+
			"datapoints were treated as [Breaching].", periods), first}
	}
	if _, about := dimensions["HealthCheckId"]; about && !m.anyTargetHealthy() {
		return alarmState{types.StateValueAlarm, fmt.Sprintf("Threshold Crossed: %d datapoints were less than the threshold (1.0).", periods), first}
	}
	return ok
}

// faultyAlarms returns the alarm of each environment that the fault alarm sets: the first that ends a rollout of its services, else the first.
func faultyAlarms(s *State) []*Resource {
	alarms := firstAlarms(s)
	var watched []string
	for _, service := range s.ByType(typeService) {
		names, _ := deploymentAlarms(service)
		watched = append(watched, names...)
	}
	for i, first := range alarms {
		for _, r := range s.ByType(typeMetricAlarm) {
			if r.Tags()["Environment"] == first.Tags()["Environment"] && slices.Contains(watched, r.Text("name")) {
				alarms[i] = r
				break
			}
		}
	}
	return alarms
}

// failedExecution returns the last execution of a state machine that ended as the alarm's metric counts, in the periods that the alarm evaluates;
// nil where there are fewer of them than it needs.
func (m model) failedExecution(r *Resource) *execution {
	status := map[string]string{"ExecutionsFailed": executionFailed, "ExecutionsTimedOut": executionTimedOut}[r.Text("metricName")]
	dimensions, _ := r.Outputs["dimensions"].(map[string]any)
	periods := numberOr(r, "evaluationPeriods", 1)
	evaluated := metricDelay + time.Duration(periods*numberOr(r, "period", 60))*time.Second
	var last *execution
	count := 0
	for _, x := range m.Executions {
		if x.Machine == dimensions["StateMachineArn"] && x.Status == status && !m.reached(m.after(x.Ended, evaluated)) {
			last, count = x, count+1
		}
	}
	if count < numberOr(r, "datapointsToAlarm", periods) {
		return nil
	}
	return last
}

// runningAt returns how many tasks of a service ran at a time.
func (m model) runningAt(name string, at time.Time) int {
	then, count := m.at(at), 0
	for _, s := range m.ECS.services() {
		if s.Name == name {
			count += len(slices.DeleteFunc(m.ECS.tasksOf(s), func(t *task) bool { return !then.running(t) }))
		}
	}
	return count
}

// instanceRan reports whether the instance of an Auto Scaling group ran in one of the last minutes.
func (m model) instanceRan(name string, minutes int) bool {
	group := m.Get(typeScalingGroup, name)
	for i := range minutes {
		then := m.at(m.now.Add(-time.Duration(i) * time.Minute / time.Duration(max(m.speed, 1))))
		if group != nil && slices.ContainsFunc(then.instancesOf(group), func(i instance) bool { return then.stateOfInstance(i) == "running" }) {
			return true
		}
	}
	return false
}

// anyTargetHealthy reports whether a load balancer has had a healthy target for long enough to satisfy a health check from outside.
func (m model) anyTargetHealthy() bool {
	m.State = m.home
	for _, r := range m.ByType(typeListener) {
		if slices.ContainsFunc(m.healthyTargets(r), func(t target) bool { return m.reached(m.after(t.Healthy, metricDelay)) }) {
			return true
		}
	}
	return false
}
