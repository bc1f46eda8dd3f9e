package cloud

import (
	"testing"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

// TestDeploymentAlarms follows rollouts whose alarm goes into ALARM before they begin, while their tasks start, once these are healthy, and not
// at all.
func TestDeploymentAlarms(t *testing.T) {
	const alarm = "v3-backend-staging-api-5xx"
	const monitoring, complete, triggered, disabled = ecs.ServiceDeploymentRollbackMonitorsStatusMonitoring,
		ecs.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete, ecs.ServiceDeploymentRollbackMonitorsStatusTriggered,
		ecs.ServiceDeploymentRollbackMonitorsStatusDisabled
	watched := values{"alarmNames": array(alarm), "enable": true, "rollback": true}
	for name, test := range map[string]struct {
		alarms values
		// rings is when the alarm goes into ALARM, from the beginning of the rollout; negative is before it, zero never.
		rings  time.Duration
		status ecs.ServiceDeploymentStatus
		watch  ecs.ServiceDeploymentRollbackMonitorsStatus
		runs   string
	}{
		"no alarm":                  {watched, 0, ecs.ServiceDeploymentStatusSuccessful, complete, imageTwo},
		"while tasks run":           {watched, 40 * time.Second, ecs.ServiceDeploymentStatusRollbackSuccessful, triggered, imageOne},
		"once all are healthy":      {watched, 52 * time.Second, ecs.ServiceDeploymentStatusRollbackSuccessful, triggered, imageOne},
		"after that":                {watched, 10 * time.Minute, ecs.ServiceDeploymentStatusSuccessful, complete, imageTwo},
		"before the rollout":        {watched, -time.Second, ecs.ServiceDeploymentStatusSuccessful, disabled, imageTwo},
		"without a rollback":        {values{"alarmNames": array(alarm), "enable": true}, 40 * time.Second, ecs.ServiceDeploymentStatusStopped, triggered, imageOne},
		"alarms that are off":       {values{"alarmNames": array(alarm)}, 40 * time.Second, ecs.ServiceDeploymentStatusSuccessful, disabled, imageTwo},
		"another alarm":             {values{"alarmNames": array("other"), "enable": true}, 40 * time.Second, ecs.ServiceDeploymentStatusSuccessful, complete, imageTwo},
		"a service without a block": {nil, 40 * time.Second, ecs.ServiceDeploymentStatusSuccessful, disabled, imageTwo},
	} {
		t.Run(name, func(t *testing.T) {
			sim := newSimulation(t)
			sim.put(typeMetricAlarm, alarm, values{"name": alarm})
			more := values{}
			if test.alarms != nil {
				more["alarms"] = test.alarms
			}
			sim.startService(sim.define(1, imageOne), 1, more)
			sim.after(2 * time.Minute)
			require.Equal(t, ecs.ServiceDeploymentStatusSuccessful, sim.lastDeployment().Status)
			sim.m.faults = faultSet{faultAlarm: test.rings < 0}
			sim.startService(sim.define(2, imageTwo), 1, more)
			failing := sim.service().Primary
			for passed := time.Duration(0); passed < 12*time.Minute; passed += 2 * time.Second {
				sim.m.faults[faultAlarm] = test.rings < 0 || test.rings > 0 && passed >= test.rings
				sim.after(2 * time.Second)
				require.NotEmpty(t, sim.running())
				if test.status == ecs.ServiceDeploymentStatusSuccessful && passed < 30*time.Second {
					require.Contains(t, []any{monitoring, disabled}, any(sim.lastDeployment().Alarms.Status))
				}
			}
			d := sim.m.describeDeployment(sim.service(), sim.lastDeployment())
			require.Equal(t, test.status, d.Status)
			require.Equal(t, test.watch, d.Alarms.Status)
			require.Contains(t, sim.running(), test.runs)
			if test.watch != triggered {
				require.Empty(t, d.Alarms.TriggeredAlarmNames)
				return
			}
			require.Equal(t, []string{alarm}, d.Alarms.TriggeredAlarmNames)
			require.Equal(t, ecs.DeploymentRolloutStateFailed, sim.service().revision(failing).State)
			var events []string
			for _, e := range sim.service().Events {
				events = append(events, e.Message)
			}
			require.Contains(t, events, "(service "+apiService+") (deployment "+sim.service().revision(failing).DeploymentID+") deployment failed: alarm detected.")
		})
	}
}

// TestServiceAlarmsAreNamed checks what the API requires of the alarms of a service, and what it describes.
func TestServiceAlarmsAreNamed(t *testing.T) {
	sim := newSimulation(t)
	sim.startService(sim.define(1, imageOne), 1, values{"loadBalancers": array(), "alarms": values{"alarmNames": array(), "enable": false}})
	r := sim.m.serviceResource(sim.arn())
	require.ErrorContains(t, validateService(sim.m.State, r), "missing required field, DeploymentConfiguration.Alarms.AlarmNames")
	r.Outputs["alarms"] = values{"alarmNames": array("x"), "enable": true, "rollback": true}
	require.NoError(t, validateService(sim.m.State, r))
	require.Equal(t, &ecs.DeploymentAlarms{AlarmNames: []string{"x"}, Enable: true, Rollback: true}, sim.m.describeService(sim.service()).DeploymentConfiguration.Alarms)
}
