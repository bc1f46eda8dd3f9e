package cloud

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
)

func TestStopAndStartDatabase(t *testing.T) {
	sim := newSimulation(t)
	sim.m.speed = 1
	db := aws.String("db")
	status := func() string {
		sim.m.completeDatabaseChanges()
		return sim.m.databaseStatus(sim.m.Get(typeDatabase, "db-1"))
	}
	pass := func(d time.Duration) { sim.m.now = sim.m.now.Add(d) }

	_, err := startDBInstance(sim.m, &rds.StartDBInstanceInput{DBInstanceIdentifier: db})
	require.ErrorContains(t, err, "db is not in stopped state")
	_, err = stopDBInstance(sim.m, &rds.StopDBInstanceInput{DBInstanceIdentifier: aws.String("other")})
	require.ErrorContains(t, err, "NotFound")
	_, err = stopDBInstance(sim.m, &rds.StopDBInstanceInput{DBInstanceIdentifier: db})
	require.NoError(t, err)
	require.Equal(t, "stopping", status())
	_, err = stopDBInstance(sim.m, &rds.StopDBInstanceInput{DBInstanceIdentifier: db})
	require.ErrorContains(t, err, "db is not in available state")
	pass(databaseStopTime)
	require.Equal(t, "stopped", status())
	_, err = createDBSnapshot(sim.m, &rds.CreateDBSnapshotInput{DBInstanceIdentifier: db, DBSnapshotIdentifier: aws.String("s")})
	require.Error(t, err, "RDS takes a snapshot of a database that is available")

	_, err = startDBInstance(sim.m, &rds.StartDBInstanceInput{DBInstanceIdentifier: db})
	require.NoError(t, err)
	require.Equal(t, "starting", status())
	pass(databaseStartTime)
	require.Equal(t, "available", status())

	// After seven days RDS starts it.
	_, err = stopDBInstance(sim.m, &rds.StopDBInstanceInput{DBInstanceIdentifier: db})
	require.NoError(t, err)
	pass(databaseStopTime)
	require.Equal(t, "stopped", status())
	pass(7*24*time.Hour - time.Second)
	require.Equal(t, "stopped", status())
	pass(time.Second)
	require.Equal(t, "starting", status())
	pass(databaseStartTime)
	require.Equal(t, "available", status())
}

func TestParameters(t *testing.T) {
	sim := newSimulation(t)
	name := aws.String("/v3-backend/dev/asleep")
	put := func(value string, overwrite bool) error {
		_, err := putParameter(sim.m, &ssm.PutParameterInput{Name: name, Type: ssmtypes.ParameterTypeString, Value: &value, Overwrite: &overwrite})
		return err
	}
	_, err := getParameter(sim.m, &ssm.GetParameterInput{Name: name})
	require.ErrorAs(t, err, new(*ssmtypes.ParameterNotFound))
	require.NoError(t, put("a", false))
	require.ErrorAs(t, put("b", false), new(*ssmtypes.ParameterAlreadyExists))
	require.NoError(t, put("b", true))
	found, err := getParameter(sim.m, &ssm.GetParameterInput{Name: name})
	require.NoError(t, err)
	require.Equal(t, "b", *found.Parameter.Value)
	require.Equal(t, int64(2), found.Parameter.Version)
	require.Equal(t, "arn:aws:ssm:us-east-1:123456789012:parameter/v3-backend/dev/asleep", *found.Parameter.ARN)
	_, err = deleteParameter(sim.m, &ssm.DeleteParameterInput{Name: name})
	require.NoError(t, err)
	_, err = deleteParameter(sim.m, &ssm.DeleteParameterInput{Name: name})
	require.ErrorAs(t, err, new(*ssmtypes.ParameterNotFound))
}

// TestMutedAlarms follows a composite alarm through a sleep: its suppressor keeps the state that was set last, any other alarm is evaluated again.
func TestMutedAlarms(t *testing.T) {
	sim := newSimulation(t)
	sim.m.speed = 1
	alarm := func(name, metric, missing string) *Resource {
		r := &Resource{Type: typeMetricAlarm, Created: sim.m.now, Inputs: values{
			"name": name, "metricName": metric, "treatMissingData": missing, "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1.0,
		}}
		require.NoError(t, resourceTypes[typeMetricAlarm].build(sim.m.State, r))
		sim.m.Resources[key(r.Type, r.ID)] = r
		return r
	}
	member, suppressor := alarm("db-cpu", "CPUUtilization", "notBreaching"), alarm("asleep", "Asleep", "ignore")
	composite := &Resource{Type: typeCompositeAlarm, Created: sim.m.now, Inputs: values{
		"alarmName": "alarms", "alarmRule": `ALARM("db-cpu")`, "actionsSuppressor": values{"alarm": "asleep", "waitPeriod": 1.0, "extensionPeriod": 900.0},
	}}
	require.NoError(t, resourceTypes[typeCompositeAlarm].build(sim.m.State, composite))
	sim.m.Resources[key(composite.Type, composite.ID)] = composite

	set := func(name string, value cwtypes.StateValue) {
		_, err := setAlarmState(sim.m, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: value, StateReason: aws.String("test")})
		require.NoError(t, err)
	}
	describe := func() cwtypes.CompositeAlarm {
		out, err := describeAlarms(sim.m, &cloudwatch.DescribeAlarmsInput{AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeCompositeAlarm}})
		require.NoError(t, err)
		require.Empty(t, out.MetricAlarms)
		require.Len(t, out.CompositeAlarms, 1)
		return out.CompositeAlarms[0]
	}
	require.Equal(t, cwtypes.StateValueInsufficientData, sim.m.stateOf(suppressor).Value)
	require.Empty(t, describe().ActionsSuppressedBy)
	set("db-cpu", cwtypes.StateValueAlarm)
	require.Equal(t, cwtypes.StateValueOk, sim.m.stateOf(member).Value, "it has data, and is evaluated again")
	set("asleep", cwtypes.StateValueAlarm)
	sim.m.now = sim.m.now.Add(30 * 24 * time.Hour)
	require.Equal(t, cwtypes.ActionsSuppressedByAlarm, describe().ActionsSuppressedBy)
	set("asleep", cwtypes.StateValueOk)
	require.Equal(t, cwtypes.ActionsSuppressedByExtensionPeriod, describe().ActionsSuppressedBy)
	sim.m.now = sim.m.now.Add(15 * time.Minute)
	require.Empty(t, describe().ActionsSuppressedBy)

	_, err := setAlarmState(sim.m, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("none")})
	require.ErrorAs(t, err, new(*cwtypes.ResourceNotFound))
	for _, r := range []*Resource{member, suppressor} {
		require.ErrorContains(t, resourceTypes[typeMetricAlarm].onDelete(sim.m.State, r), "as there are composite alarm(s) depending on it")
	}
	composite.Inputs["alarmRule"] = `ALARM("gone")`
	require.ErrorContains(t, resourceTypes[typeCompositeAlarm].build(sim.m.State, composite), "[gone] in the alarm rule do not exist")
}
