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
)

func checkAlarms(ctx context.Context, e *estate) ([]Finding, error) {
	alarms, err := pages(ctx, cloudwatch.NewDescribeAlarmsPaginator(newCloudWatch(e.aws()), &cloudwatch.DescribeAlarmsInput{
		AlarmNamePrefix: aws.String(e.env.AlarmName("")), AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm},
	}), func(out *cloudwatch.DescribeAlarmsOutput) []cwtypes.MetricAlarm { return out.MetricAlarms })
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateAlarms(alarms, e.env, e.now)}, nil
}

// dataWithin is how long a new alarm may be without data.
const dataWithin = time.Hour

// evaluateAlarms judges the environment's alarms together.
func evaluateAlarms(alarms []cwtypes.MetricAlarm, env *environment.Environment, now time.Time) Finding {
	what := about("alarms", "CloudWatch-Alarms-"+env.DashboardName()).with("total", len(alarms))
	if len(alarms) == 0 {
		return what.error("AlarmsMissing", deployHint(env, "the environment was never deployed, or its alarms were deleted"), "there are no alarms")
	}
	var ringing, blind, mute []string
	reasons := map[string]any{}
	for _, a := range alarms {
		name := strings.TrimPrefix(aws.ToString(a.AlarmName), env.AlarmName(""))
		switch {
		case a.StateValue == cwtypes.StateValueAlarm:
			ringing = append(ringing, name)
			reasons[name] = aws.ToString(a.StateReason)
		case a.StateValue == cwtypes.StateValueInsufficientData && now.Sub(aws.ToTime(a.StateUpdatedTimestamp)) > dataWithin:
			blind = append(blind, name)
		}
		if env.Monitoring.AtLeast(environment.Enhanced) && (len(a.AlarmActions) == 0 || !aws.ToBool(a.ActionsEnabled)) {
			mute = append(mute, name)
		}
	}
	for _, names := range [][]string{ringing, blind, mute} {
		slices.Sort(names)
	}
	switch {
	case len(ringing) > 0:
		return what.with("in_alarm", ringing).with("reasons", reasons).warning("InAlarm", Hint{
			Cause:    "a metric has crossed its threshold: each alarm's reason is in the details",
			Solution: "look at what the alarm is about, and at the logs of that time", Command: command(env, "logs"),
		}, "%d of %d alarms are in alarm: %s", len(ringing), len(alarms), strings.Join(ringing, ", "))
	case len(blind) > 0:
		return what.with("without_data", blind).warning("WithoutData", Hint{
			Cause:    "what the alarm watches sends no metrics: it does not run, or was replaced under another name",
			Solution: "see that it is there; then run a full deployment", Command: command(env, "drift"),
		}, "%d of %d alarms have no data: %s", len(blind), len(alarms), strings.Join(blind, ", "))
	case len(mute) > 0:
		return what.with("without_action", mute).warning("NobodyIsTold", driftHint(env, "their actions were removed or switched off"),
			"%d of %d alarms tell nobody: %s", len(mute), len(alarms), strings.Join(mute, ", "))
	}
	return what.healthy("Quiet", "%d alarms, none in alarm", len(alarms))
}
