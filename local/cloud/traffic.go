package cloud

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// The traffic of every API, and what the faults that begin after the rollout do to it.
const (
	requestsPerMinute = 240
	usualResponse     = 0.042
	slowResponse      = 3.4
	// lateErrorsAfter is how long a task answers every request once it is under the fault late-errors, lateErrorShare which share of
	// its requests fails then.
	lateErrorsAfter = 90 * time.Second
	lateErrorShare  = 0.25
	// leakTime is how long a task runs under the fault memory-leak until it has no memory left, leakStart its use in percent when
	// the fault begins.
	leakTime  = 5 * time.Minute
	leakStart = 60.0
)

// hasMetric reports whether the account has values of a metric.
func hasMetric(name string) bool {
	_, typical := typicalMetrics[name]
	return typical || slices.Contains([]string{"RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime"}, name)
}

// metricAt returns a statistic of a metric in the period that begins at a time, the same for every call; false where there is no
// value. Metrics of the traffic have none without requests, and before metricDelay has passed.
func (m model) metricAt(
	name, statistic string, dimensions map[string]string, at time.Time, period time.Duration,
) (value float64, exists bool) {
	if typical, known := typicalMetrics[name]; known {
		value = typical * cmp.Or(extremes[statistic], 1) * m.variation(name, at)
		if name == "MemoryUtilization" {
			value = max(value, m.leakedMemory(dimensions["ServiceName"], at))
		}
		return value, true
	}
	serving := m.at(at.Add(period/2)).servingTasks(dimensions["LoadBalancer"], dimensions["TargetGroup"])
	if len(serving) == 0 || m.after(at.Add(period), metricDelay).After(m.now) {
		return 0, false
	}
	minutes := (period * time.Duration(max(m.speed, 1))).Minutes()
	requests := float64(int(requestsPerMinute * minutes * m.variation(name, at)))
	switch name {
	case "RequestCount":
		return requests, true
	case "TargetResponseTime":
		if slices.ContainsFunc(serving, func(t *task) bool { return t.Fault == faultSlowResponses && !t.FaultSince.After(at) }) {
			return slowResponse * m.variation(name, at), true
		}
		return usualResponse * m.variation(name, at), true
	}
	return m.failedRequests(serving, requests, at)
}

// failedRequests returns how many requests the tasks answer with a 5xx: a few at any time. Without one, the metric has no value.
func (m model) failedRequests(serving []*task, requests float64, at time.Time) (count float64, exists bool) {
	if m.sum("failed", at)[0]%16 == 0 {
		count = 1
	}
	for _, t := range serving {
		if t.Fault == faultLateErrors && !m.after(t.FaultSince, lateErrorsAfter).After(at) {
			count += float64(int(lateErrorShare * requests / float64(len(serving))))
		}
	}
	return count, count > 0
}

// variation returns a factor between 0.9 and 1.1.
func (m model) variation(name string, at time.Time) float64 {
	return 0.9 + float64(m.sum("metric", name, at)[0])/1275
}

// servingTasks returns the healthy tasks in a target group, or in all of a load balancer. Both are in the form of CloudWatch's
// dimensions.
func (m model) servingTasks(balancer, group string) []*task {
	var serving []*task
	for _, r := range m.ByType(typeTargetGroup) {
		behind := slices.ContainsFunc(m.balancersOfGroup(r.Text("arn")), func(arn string) bool {
			b := m.findByName(typeLoadBalancer, arn, "arn")
			return b != nil && b.Text("arnSuffix") == balancer
		})
		if !behind || group != "" && r.Text("arnSuffix") != group {
			continue
		}
		for _, t := range m.targets(r.Text("arn")) {
			if m.healthy(t.task) {
				serving = append(serving, t.task)
			}
		}
	}
	return serving
}

// leakedMemory returns how much of its memory, in percent, the fullest task of a service uses that is affected by the fault
// memory-leak.
func (m model) leakedMemory(service string, at time.Time) float64 {
	then, most := m.at(at), 0.0
	for _, s := range m.ECS.services() {
		if s.Name != service {
			continue
		}
		for _, t := range m.ECS.tasksOf(s) {
			if age := at.Sub(t.FaultSince) * time.Duration(max(m.speed, 1)); t.Fault == faultMemoryLeak && then.running(t) && age >= 0 {
				most = max(most, leakStart+(100-leakStart)*float64(age)/float64(leakTime))
			}
		}
	}
	return min(most, 100)
}

// breaches returns since when an alarm about the traffic or the memory is in alarm, zero where it is not: each of its last
// periods has a value that crosses its threshold.
func (m model) breaches(r *Resource) (since time.Time) {
	name, dimensions := r.Text("metricName"), map[string]string{}
	declared, _ := r.Outputs["dimensions"].(map[string]any)
	for dimension, value := range declared {
		dimensions[dimension] = text(value)
	}
	minute := max(time.Minute/time.Duration(max(m.speed, 1)), time.Second)
	statistic := cmp.Or(r.Text("statistic"), r.Text("extendedStatistic"))
	latest := m.now.Add(-m.scaled(metricDelay)).Truncate(minute).Add(-minute)
	count := 0
	for at := latest; count < maxDatapoints; at = at.Add(-minute) {
		value, exists := m.metricAt(name, statistic, dimensions, at, minute)
		if !exists || value <= r.Number("threshold") {
			break
		}
		count++
	}
	needed := numberOr(r, "evaluationPeriods", 1)
	if count < needed {
		return time.Time{}
	}
	return latest.Add(-time.Duration(count-needed) * minute).Add(minute + m.scaled(metricDelay))
}

// followsTraffic reports whether the state of an alarm follows the simulated metrics: those that a fault after the rollout
// changes.
func followsTraffic(r *Resource) bool {
	return slices.Contains([]string{"HTTPCode_Target_5XX_Count", "TargetResponseTime", "MemoryUtilization"}, r.Text("metricName")) &&
		r.Text("comparisonOperator") == string(types.ComparisonOperatorGreaterThanThreshold)
}
