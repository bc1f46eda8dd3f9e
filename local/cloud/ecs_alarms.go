package cloud

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// alarmWatchTime declares for how long ECS watches alarms once the last task is healthy. AWS computes minutes from the alarms' configuration, in a
// way that it does not document; here it is short, because every rollout waits for it.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
const alarmWatchTime = 5 * time.Second

// An alarmWatch is what a service deployment has of the alarms that end it.
type alarmWatch struct {
	Names  []string                                    `json:"names"`
	Status ecs.ServiceDeploymentRollbackMonitorsStatus `json:"status"`
	// Triggered are the alarms that ended the deployment.
	Triggered []string `json:"triggered,omitempty"`
	// Until is when ECS stops watching; it is set once the last task is healthy.
	Until time.Time `json:"until,omitzero"`
}

// deploymentAlarms returns the alarms that end a service's deployments, and whether they roll back; none where they are switched off.
func deploymentAlarms(r *Resource) (names []string, rollback bool) {
	for _, block := range r.Blocks("alarms") {
		if blockBool(block, "enable") {
			names, rollback = stringsAt(block, "alarmNames"), blockBool(block, "rollback")
		}
	}
	return names, rollback
}

// watchAlarms returns the watch of a deployment that begins. If one of the alarms is in ALARM by then, ECS watches none of them, so that a
// deployment can mend what set it off.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func (m model) watchAlarms(r *Resource) alarmWatch {
	names, _ := deploymentAlarms(r)
	watch := alarmWatch{Names: names, Status: ecs.ServiceDeploymentRollbackMonitorsStatusMonitoring}
	if len(names) == 0 || len(m.inAlarm(names)) > 0 {
		watch.Status = ecs.ServiceDeploymentRollbackMonitorsStatusDisabled
	}
	return watch
}

// inAlarm returns those of the alarms that are in ALARM.
func (m model) inAlarm(names []string) []string {
	out, err := describeAlarms(m, &cloudwatch.DescribeAlarmsInput{AlarmNames: names, StateValue: cloudwatchtypes.StateValueAlarm})
	if err != nil {
		return nil
	}
	var found []string
	for _, a := range out.MetricAlarms {
		found = append(found, aws.ToString(a.AlarmName))
	}
	return found
}

// checkAlarms ends a deployment in which one of its alarms goes into ALARM, once a task of it runs.
func (m model) checkAlarms(s *service, r *Resource) {
	d := s.latestDeployment()
	if d == nil || d.Status != ecs.ServiceDeploymentStatusInProgress || d.Alarms.Status != ecs.ServiceDeploymentRollbackMonitorsStatusMonitoring {
		return
	}
	if running, _ := m.counts(s, d.Target); running == 0 {
		return
	}
	triggered := m.inAlarm(d.Alarms.Names)
	if len(triggered) == 0 {
		return
	}
	d.Alarms.Status, d.Alarms.Triggered = ecs.ServiceDeploymentRollbackMonitorsStatusTriggered, triggered
	m.failRevision(s, s.revision(d.Target), "ECS deployment failed", "alarm detected.")
	if _, rollback := deploymentAlarms(r); rollback {
		m.rollBack(s, r, d, "an alarm was detected.")
		return
	}
	m.finishDeployment(d, ecs.ServiceDeploymentStatusStopped, "Service deployment failed because an alarm was detected.")
}

// stillWatching reports whether ECS watches the alarms of a deployment whose tasks are all healthy, and starts the time for which it does.
func (m model) stillWatching(d *deployment) bool {
	if d.Status != ecs.ServiceDeploymentStatusInProgress || d.Alarms.Status != ecs.ServiceDeploymentRollbackMonitorsStatusMonitoring {
		return false
	}
	if d.Alarms.Until.IsZero() {
		d.Alarms.Until = m.in(alarmWatchTime)
	}
	if !m.reached(d.Alarms.Until) {
		return true
	}
	d.Alarms.Status = ecs.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete
	return false
}

// alarmsOf returns the alarms of a service as ECS describes them. It describes alarms that are switched off as well.
func alarmsOf(r *Resource) *ecs.DeploymentAlarms {
	out := &ecs.DeploymentAlarms{AlarmNames: []string{}}
	for _, block := range r.Blocks("alarms") {
		out.AlarmNames = append(out.AlarmNames, stringsAt(block, "alarmNames")...)
		out.Enable, out.Rollback = blockBool(block, "enable"), blockBool(block, "rollback")
	}
	return out
}
