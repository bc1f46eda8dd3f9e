package environment

import "slices"

// Alarms returns what the environment's alarms are about. AlarmName returns the names: the program declares exactly these, and status
// reports those that the account does not have.
func (e *Environment) Alarms() []string {
	all := []string{"alb-5xx", "api-5xx", "api-unhealthy", "api-latency", "waf-blocked"}
	for _, s := range e.Services.List() {
		role := string(s.Role)
		all = append(all, role+"-cpu", role+"-memory", role+"-tasks")
	}
	all = append(all, "db-cpu", "db-memory", "db-storage", "db-connections", "jobs-age", "jobs-dead", "rotation-failed", "rotation-late")
	if e.AwakeSchedule() != nil {
		all = append(all, "schedule-failed", "schedule-late")
	}
	return append(all, e.GlobalAlarms()...)
}

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

// TopicName returns the name of the topic that notifies people.
func (e *Environment) TopicName() string { return e.ResourceName("alarms") }

// TopicARN returns the ARN of the topic in a region. It is known before the topic exists.
func (e *Environment) TopicARN(region string) string {
	return "arn:aws:sns:" + region + ":" + e.Account + ":" + e.TopicName()
}
