package cloud

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func cloudwatchOperations() []operation {
	return []operation{readOp(describeAlarms), anywhere(writeOp(setAlarmState)), readOp(getMetricData), writeOp(putMetricData)}
}

// describeAlarms returns metric alarms, or the alarms of the types that the call asks for.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func describeAlarms(m model, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	var found []types.MetricAlarm
	var composite []types.CompositeAlarm
	selected := func(r *Resource, name string, state alarmState) bool {
		return cmp.Or(r.Region, m.home.Region) == m.Region && strings.HasPrefix(name, deref(in.AlarmNamePrefix)) &&
			(len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, name)) && (in.StateValue == "" || in.StateValue == state.Value)
	}
	if len(in.AlarmTypes) == 0 || slices.Contains(in.AlarmTypes, types.AlarmTypeMetricAlarm) {
		for _, r := range m.ByType(typeMetricAlarm) {
			if state := m.stateOf(r); selected(r, r.Text("name"), state) {
				found = append(found, alarmOf(r, state))
			}
		}
	}
	if slices.Contains(in.AlarmTypes, types.AlarmTypeCompositeAlarm) {
		for _, r := range m.ByType(typeCompositeAlarm) {
			if state := m.compositeState(r); selected(r, r.Text("alarmName"), state) {
				composite = append(composite, m.compositeOf(r, state))
			}
		}
	}
	found, next, err := page(found, in.NextToken, in.MaxRecords, 100)
	if in.NextToken != nil {
		composite = nil // they are on the first page
	}
	return &cloudwatch.DescribeAlarmsOutput{MetricAlarms: found, CompositeAlarms: composite, NextToken: next}, err
}

// compositeState returns the state of a composite alarm: in alarm while one of its alarms is.
func (m model) compositeState(r *Resource) alarmState {
	state := alarmState{types.StateValueOk, "no alarm of the rule is in ALARM", r.Created}
	for _, name := range alarmsInRule(r.Text("alarmRule")) {
		if member := m.Find(typeMetricAlarm, "name", name); member != nil && m.stateOf(member).Value == types.StateValueAlarm {
			return alarmState{types.StateValueAlarm, member.Text("arn") + " transitioned to ALARM", m.stateOf(member).Since}
		}
	}
	return state
}

func (m model) compositeOf(r *Resource, state alarmState) types.CompositeAlarm {
	alarm := types.CompositeAlarm{
		AlarmName: aws.String(r.Text("alarmName")), AlarmArn: aws.String(r.Text("arn")), AlarmDescription: orNil(r.Text("alarmDescription")),
		AlarmRule: aws.String(r.Text("alarmRule")), ActionsEnabled: aws.Bool(r.Bool("actionsEnabled")),
		AlarmActions: r.Strings("alarmActions"), OKActions: r.Strings("okActions"), AlarmConfigurationUpdatedTimestamp: &r.Created,
		StateValue: state.Value, StateReason: aws.String(state.Reason), StateUpdatedTimestamp: &state.Since, StateTransitionedTimestamp: &state.Since,
	}
	if name := suppressorOf(r); name != "" {
		alarm.ActionsSuppressor = aws.String(name)
		for _, block := range r.Blocks("actionsSuppressor") {
			alarm.ActionsSuppressorWaitPeriod = int32p(blockNumber(block, "waitPeriod"))
			alarm.ActionsSuppressorExtensionPeriod = int32p(blockNumber(block, "extensionPeriod"))
		}
		alarm.ActionsSuppressedBy = m.suppressedBy(name, deref(alarm.ActionsSuppressorExtensionPeriod))
	}
	return alarm
}

// suppressedBy returns what suppresses the actions of a composite alarm; "" where nothing does.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
func (m model) suppressedBy(suppressor string, extensionSeconds int32) types.ActionsSuppressedBy {
	r := m.Find(typeMetricAlarm, "name", suppressor)
	if r == nil {
		return ""
	}
	state := m.stateOf(r)
	switch {
	case state.Value == types.StateValueAlarm:
		return types.ActionsSuppressedByAlarm
	case state.Value == types.StateValueOk && !m.reached(m.after(state.Since, time.Duration(extensionSeconds)*time.Second)):
		return types.ActionsSuppressedByExtensionPeriod
	}
	return ""
}

// setAlarmState sets a state until the alarm is evaluated next.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html
func setAlarmState(m model, in *cloudwatch.SetAlarmStateInput) (*cloudwatch.SetAlarmStateOutput, error) {
	r := m.Find(typeMetricAlarm, "name", deref(in.AlarmName))
	if r == nil || cmp.Or(r.Region, m.home.Region) != m.Region {
		return nil, &types.ResourceNotFound{Message: aws.String("Unknown alarm: " + deref(in.AlarmName))}
	}
	if m.home.AlarmStates == nil {
		m.home.AlarmStates = map[string]alarmState{}
	}
	m.home.AlarmStates[r.Text("arn")] = alarmState{in.StateValue, deref(in.StateReason), m.now}
	return &cloudwatch.SetAlarmStateOutput{}, nil
}

// firstAlarms returns the first alarm of each environment by name. Faults affect only these.
func firstAlarms(s *State) []*Resource {
	var firsts []*Resource
	environments := map[string]bool{}
	for _, r := range s.ByType(typeMetricAlarm) {
		if name := r.Tags()["Environment"]; !environments[name] {
			environments[name] = true
			firsts = append(firsts, r)
		}
	}
	return firsts
}

func alarmOf(r *Resource, state alarmState) types.MetricAlarm {
	threshold, hasThreshold := r.Outputs["threshold"].(float64)
	alarm := types.MetricAlarm{
		AlarmName: aws.String(r.Text("name")), AlarmArn: aws.String(r.Text("arn")), AlarmDescription: orNil(r.Text("alarmDescription")),
		StateValue: state.Value, StateReason: aws.String(state.Reason), StateUpdatedTimestamp: &state.Since, StateTransitionedTimestamp: &state.Since,
		ActionsEnabled: aws.Bool(r.Bool("actionsEnabled")),
		AlarmActions:   r.Strings("alarmActions"), OKActions: r.Strings("okActions"), MetricName: orNil(r.Text("metricName")),
		Namespace: orNil(r.Text("namespace")), Statistic: types.Statistic(r.Text("statistic")), ExtendedStatistic: orNil(r.Text("extendedStatistic")),
		ComparisonOperator: types.ComparisonOperator(r.Text("comparisonOperator")), EvaluationPeriods: int32p(numberOr(r, "evaluationPeriods", 1)),
		TreatMissingData: aws.String(r.Text("treatMissingData")), AlarmConfigurationUpdatedTimestamp: &r.Created,
	}
	if hasThreshold {
		alarm.Threshold = aws.Float64(threshold)
	}
	if period := numberOr(r, "period", 0); period > 0 {
		alarm.Period = int32p(period)
	}
	dimensions, _ := r.Outputs["dimensions"].(map[string]any)
	for name, value := range dimensions {
		alarm.Dimensions = append(alarm.Dimensions, types.Dimension{Name: aws.String(name), Value: aws.String(text(value))})
	}
	slices.SortFunc(alarm.Dimensions, func(x, y types.Dimension) int { return cmp.Compare(*x.Name, *y.Name) })
	return alarm
}

// typicalMetrics are typical values by metric name. A metric that is not listed has no data.
var typicalMetrics = map[string]float64{
	"CPUUtilization": 18, "MemoryUtilization": 41, "FreeStorageSpace": 17 << 30, "FreeableMemory": 900 << 20, "DatabaseConnections": 12,
	"HTTPCode_ELB_5XX_Count": 0, "HTTPCode_ELB_503_Count": 0,
	"ApproximateNumberOfMessagesVisible": 0, "ApproximateAgeOfOldestMessage": 0, "RunningTaskCount": 1,
	"BlockedRequests": 0,
}

// extremes are how far a maximum and a minimum are from the typical value.
var extremes = map[string]float64{"Maximum": 1.5, "Minimum": 0.7}

// getMetricData generates values close to the typical ones, the same for every call. Expressions have no data.
func getMetricData(m model, in *cloudwatch.GetMetricDataInput) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, query := range in.MetricDataQueries {
		result := types.MetricDataResult{Id: query.Id, Label: query.Label, StatusCode: types.StatusCodeComplete}
		if stat := query.MetricStat; stat != nil && stat.Metric != nil {
			m.fillMetric(&result, stat, deref(in.StartTime), deref(in.EndTime))
		}
		if in.ScanBy != types.ScanByTimestampAscending {
			slices.Reverse(result.Timestamps)
			slices.Reverse(result.Values)
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
	}
	return out, nil
}

// maxDatapoints is how many values CloudWatch returns at most.
const maxDatapoints = 1440

func (m model) fillMetric(result *types.MetricDataResult, stat *types.MetricStat, start, end time.Time) {
	name, period := deref(stat.Metric.MetricName), time.Duration(deref(stat.Period))*time.Second
	if !hasMetric(name) || period <= 0 || !m.dimensionsExist(stat.Metric.Dimensions) {
		return
	}
	if result.Label == nil {
		result.Label = stat.Metric.MetricName
	}
	dimensions := dimensionsOf(stat.Metric.Dimensions)
	for at := start.Truncate(period); at.Before(end) && len(result.Values) < maxDatapoints; at = at.Add(period) {
		if at.Before(start) {
			continue
		}
		if value, exists := m.metricAt(name, deref(stat.Stat), dimensions, at, period); exists {
			result.Timestamps, result.Values = append(result.Timestamps, at), append(result.Values, value)
		}
	}
}

func dimensionsOf(dimensions []types.Dimension) map[string]string {
	all := map[string]string{}
	for _, d := range dimensions {
		all[deref(d.Name)] = deref(d.Value)
	}
	return all
}

// dimensionsExist reports whether the resources that a metric refers to exist.
func (m model) dimensionsExist(dimensions []types.Dimension) bool {
	for _, d := range dimensions {
		value := deref(d.Value)
		var found bool
		switch deref(d.Name) {
		case "ServiceName":
			found = m.Find(typeService, "name", value) != nil
		case "ClusterName":
			found = m.Find(typeCluster, "name", value) != nil
		case "DBInstanceIdentifier":
			found = m.Find(typeDatabase, "identifier", value) != nil
		case "QueueName":
			found = m.Find(typeQueue, "name", value) != nil
		case "LoadBalancer":
			found = m.Find(typeLoadBalancer, "arnSuffix", value) != nil
		case "WebACL":
			found = m.Find(typeWebACL, "name", value) != nil
		case "Region":
			found = value == m.Region
		case "Rule":
			found = value == "ALL"
		case "TargetGroup":
			found = m.Find(typeTargetGroup, "arnSuffix", value) != nil
		}
		if !found {
			return false
		}
	}
	return len(dimensions) > 0
}

// putMetricData stores the last published value of each metric, to be read in the account's file.
func putMetricData(m model, in *cloudwatch.PutMetricDataInput) (*cloudwatch.PutMetricDataOutput, error) {
	if strings.HasPrefix(deref(in.Namespace), "AWS/") {
		return nil, apiError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
	}
	if m.Metrics == nil {
		m.Metrics = map[string]float64{}
	}
	for _, datum := range in.MetricData {
		name := []string{deref(in.Namespace), deref(datum.MetricName)}
		for _, d := range datum.Dimensions {
			name = append(name, deref(d.Name)+"="+deref(d.Value))
		}
		m.Metrics[strings.Join(name, " ")] = deref(datum.Value)
	}
	return &cloudwatch.PutMetricDataOutput{}, nil
}
