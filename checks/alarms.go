package checks

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func checkAlarms(ctx context.Context, rc *runContext) ([]Finding, error) {
	alarms, err := awsx.Pages(ctx, cloudwatch.NewDescribeAlarmsPaginator(newCloudWatch(rc.aws()), &cloudwatch.DescribeAlarmsInput{
		AlarmNamePrefix: aws.String(rc.env.AlarmName("")), AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm},
	}), func(out *cloudwatch.DescribeAlarmsOutput) []cwtypes.MetricAlarm { return out.MetricAlarms })
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateAlarms(alarms, rc.env, rc.now)}, nil
}

// dataGracePeriod is how long a new alarm may be without data.
const dataGracePeriod = time.Hour

func evaluateAlarms(alarms []cwtypes.MetricAlarm, env *environment.Environment, now time.Time) Finding {
	f := newFinding("alarms", "CloudWatch-Alarms-"+env.DashboardName()).with("total", len(alarms))
	if len(alarms) == 0 {
		return f.error("AlarmsMissing", deployHint(env, "the environment was never deployed, or its alarms were deleted"), "the environment has no alarms")
	}
	var inAlarm, noData, noAction []string
	reasons := map[string]any{}
	for _, a := range alarms {
		name := strings.TrimPrefix(aws.ToString(a.AlarmName), env.AlarmName(""))
		switch {
		case a.StateValue == cwtypes.StateValueAlarm:
			inAlarm = append(inAlarm, name)
			reasons[name] = aws.ToString(a.StateReason)
		case a.StateValue == cwtypes.StateValueInsufficientData && now.Sub(aws.ToTime(a.StateUpdatedTimestamp)) > dataGracePeriod:
			noData = append(noData, name)
		}
		if env.Monitoring.AtLeast(environment.Enhanced) && (len(a.AlarmActions) == 0 || !aws.ToBool(a.ActionsEnabled)) {
			noAction = append(noAction, name)
		}
	}
	for _, names := range [][]string{inAlarm, noData, noAction} {
		slices.Sort(names)
	}
	switch {
	case len(inAlarm) > 0:
		return f.with("in_alarm", inAlarm).with("reasons", reasons).warning("InAlarm", Hint{
			Cause:    "a metric has crossed its threshold: each alarm's reason is in the details",
			Solution: "check what the alarm measures, and the logs of that time", Command: command(env, "logs"),
		}, "%d of %d alarms are in alarm: %s", len(inAlarm), len(alarms), strings.Join(inAlarm, ", "))
	case len(noData) > 0:
		return f.with("without_data", noData).warning("WithoutData", Hint{
			Cause:    "the monitored resource sends no metrics: it is not running, or was replaced under another name",
			Solution: "check that it exists, then run a full deployment", Command: command(env, "drift"),
		}, "%d of %d alarms have no data: %s", len(noData), len(alarms), strings.Join(noData, ", "))
	case len(noAction) > 0:
		return f.with("without_action", noAction).warning("NoAlarmActions", driftHint(env, "their actions were removed or disabled"),
			"%d of %d alarms have no enabled action, so that no one is notified: %s", len(noAction), len(alarms), strings.Join(noAction, ", "))
	}
	return f.healthy("Quiet", "%d alarms, none in alarm", len(alarms))
}
