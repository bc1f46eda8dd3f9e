package environment

import (
	"slices"
	"strings"
	"time"
)

// Alarms returns what the environment's alarms are about. AlarmName returns the names: the program declares exactly these, and status
// reports those that the account does not have.
func (e *Environment) Alarms() []string {
	all := []string{"alb-5xx", "api-5xx", "api-unhealthy", "api-latency"}
	if e.Firewall.Enabled {
		all = append(all, "waf-blocked")
	}
	for _, s := range e.Services.List() {
		role := string(s.Role)
		all = append(all, role+"-cpu", role+"-memory", role+"-tasks")
	}
	all = append(all, "db-cpu", "db-memory", "db-storage", "db-connections", "jobs-age", "jobs-dead", "rotation-failed", "rotation-late")
	if e.Network.NAT == NATInstance {
		all = append(all, NATAlarm)
	}
	if e.AwakeSchedule() != nil {
		all = append(all, scheduleFailed, scheduleLate)
	}
	return append(all, e.GlobalAlarms()...)
}

// NATAlarm declares the alarm about the NAT instance.
const NATAlarm = "nat-instance"

// GlobalMetricsRegion is the only region where Route 53 publishes metrics, wherever the environment is. An alarm watches metrics of its own
// region only, and notifies a topic of its own region only.
// Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html
const GlobalMetricsRegion = "us-east-1"

// UptimeAlarm is the alarm about the health check of Route 53.
const UptimeAlarm = "outside"

// GlobalAlarms returns those of Alarms whose metrics are in GlobalMetricsRegion.
func (e *Environment) GlobalAlarms() []string {
	if !e.Monitoring.AtLeast(Full) {
		return nil
	}
	return []string{UptimeAlarm}
}

// The alarms about the schedule's own state machine.
const (
	scheduleFailed = "schedule-failed"
	scheduleLate   = "schedule-late"
)

// NeverMuted reports whether an alarm also notifies people while the environment is asleep: one about the schedule itself.
func NeverMuted(what string) bool { return what == scheduleFailed || what == scheduleLate }

// MaySleep reports whether the environment can be put to sleep: a protected one cannot.
func (e *Environment) MaySleep() bool { return !e.Protected }

// CompositeAlarmName returns the name of the composite alarm, in each of AlarmRegions, through which the alarms of an environment that may
// sleep notify people.
func (e *Environment) CompositeAlarmName() string { return e.AlarmName("alarms") }

// SuppressorAlarmName returns the name of the alarm that suppresses the actions of the composite alarm while it is in ALARM: while the
// environment is asleep.
func (e *Environment) SuppressorAlarmName() string { return e.AlarmName("asleep") }

// AlarmRegions returns the regions that have alarms of the environment, its own first.
func (e *Environment) AlarmRegions() []string {
	regions := []string{e.Region}
	if len(e.GlobalAlarms()) > 0 && !slices.Contains(regions, GlobalMetricsRegion) {
		regions = append(regions, GlobalMetricsRegion)
	}
	return regions
}

// AlarmsIn returns those of Alarms that are in a region.
func (e *Environment) AlarmsIn(region string) []string {
	var found []string
	for _, what := range e.Alarms() {
		home := e.Region
		if slices.Contains(e.GlobalAlarms(), what) {
			home = GlobalMetricsRegion
		}
		if home == region {
			found = append(found, what)
		}
	}
	return found
}

// RolloutAlarms returns those of Alarms that deployment.rollout.alarms accepts: what a new version of the application can cause within
// minutes. The others have other causes, are in another region than the services, or go into alarm during any rollout.
func (e *Environment) RolloutAlarms() []string {
	all := []string{"alb-5xx", "api-5xx", "api-unhealthy", "api-latency"}
	for _, s := range e.Services.List() {
		all = append(all, string(s.Role)+"-cpu", string(s.Role)+"-memory")
	}
	return append(all, "db-cpu", "db-connections", "jobs-age", "jobs-dead")
}

// RolloutAlarmsOf returns those of deployment.rollout.alarms that end the rollout of one service: its own, and those about what all
// services use.
func (e *Environment) RolloutAlarmsOf(role Role) []string {
	var found []string
	for _, what := range e.Deployment.Rollout.Alarms {
		about, _, _ := strings.Cut(what, "-")
		if about == "alb" {
			about = string(API)
		}
		if about == string(role) || e.Services.Get(Role(about)) == nil {
			found = append(found, what)
		}
	}
	return found
}

// AlarmMinutes returns for how many minutes CloudWatch evaluates one of RolloutAlarms.
func AlarmMinutes(what string) int {
	switch {
	case what == "db-cpu":
		return 15
	case what == "api-latency" || strings.HasSuffix(what, "-cpu"):
		return 10
	case what == "jobs-dead":
		return 1
	}
	return 5
}

// AlarmWatch returns for how long ECS watches deployment.rollout.alarms after the last task is healthy, about: AWS documents only that ECS
// computes the time from the alarms' configuration.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func (e *Environment) AlarmWatch() time.Duration {
	longest := 0
	for _, what := range e.Deployment.Rollout.Alarms {
		longest = max(longest, AlarmMinutes(what))
	}
	return time.Duration(longest) * time.Minute
}

// TopicName returns the name of the topic that notifies people.
func (e *Environment) TopicName() string { return e.ResourceName("alarms") }

// TopicARN returns the ARN of the topic in a region. It is known before the topic exists.
func (e *Environment) TopicARN(region string) string {
	return "arn:aws:sns:" + region + ":" + e.Account + ":" + e.TopicName()
}
