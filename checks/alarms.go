package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// checkAlarms evaluates the alarms, and who is notified of them. If one of the two cannot be read, the other one is evaluated.
func checkAlarms(ctx context.Context, rc *runContext) ([]Finding, error) {
	var alarms foundAlarms
	var findings []Finding
	var failed []error
	sleeping, err := readSleep(ctx, rc)
	if ctx.Err() != nil {
		return nil, err // no time is left for the alarms
	}
	alarms.marked = err != nil || sleeping.marker != nil
	if err == nil { // without the marker, asleepFindings reports that
		alarms.asleep = sleeping.isAsleep()
	}
	for _, region := range rc.env.AlarmRegions() {
		_, err := awsx.Pages(ctx, cloudwatch.NewDescribeAlarmsPaginator(cwmetrics.NewClient(awsx.InRegion(rc.aws(), region)), &cloudwatch.DescribeAlarmsInput{
			AlarmNamePrefix: aws.String(rc.env.AlarmName("")), AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm},
		}), func(out *cloudwatch.DescribeAlarmsOutput) []cwtypes.MetricAlarm {
			alarms.add(region, rc.env, out.MetricAlarms)
			for _, composite := range out.CompositeAlarms {
				alarms.composite = append(alarms.composite, regionalComposite{region, composite})
			}
			return nil
		})
		if err != nil {
			failed = append(failed, err)
			break
		}
	}
	if len(failed) == 0 {
		findings = append(findings, evaluateAlarms(alarms, rc.env, rc.now))
	}
	if muted := sleeping.evaluateMuted(rc.env); muted != nil {
		findings = append(findings, *muted)
	}
	notified, err := readNotifications(ctx, rc.aws(), rc.env)
	return append(findings, notified...), errors.Join(append(failed, err)...)
}

// foundAlarms has the alarms of an environment in all its regions.
type foundAlarms struct {
	metric    []cwtypes.MetricAlarm
	composite []regionalComposite
	// suppressors have, by region, the alarm that mutes the others.
	suppressors map[string]cwtypes.MetricAlarm
	// asleep reports that the environment is asleep, which mutes all alarms but those of environment.NeverMuted.
	asleep bool
	// marked reports that the environment is marked as asleep, or may be: another finding is about that.
	marked bool
}

// add adds the metric alarms of a region. Only the one that mutes the others has the same name in each.
func (a *foundAlarms) add(region string, env *environment.Environment, found []cwtypes.MetricAlarm) {
	if a.suppressors == nil {
		a.suppressors = map[string]cwtypes.MetricAlarm{}
	}
	for _, alarm := range found {
		if aws.ToString(alarm.AlarmName) == env.SuppressorAlarmName() {
			a.suppressors[region] = alarm
			continue
		}
		a.metric = append(a.metric, alarm)
	}
}

// regionalComposite has a composite alarm and its region.
type regionalComposite struct {
	region string
	alarm  cwtypes.CompositeAlarm
}

// compositeIn returns the composite alarm through which the alarms of a region notify people, or nil where there is none.
func (a foundAlarms) compositeIn(region string, env *environment.Environment) *cwtypes.CompositeAlarm {
	for _, c := range a.composite {
		if c.region == region && aws.ToString(c.alarm.AlarmName) == env.CompositeAlarmName() {
			return &c.alarm
		}
	}
	return nil
}

const (
	// dataGracePeriod is how long a new alarm may be without data.
	dataGracePeriod = time.Hour
	// firstEvaluation is how long after its creation an alarm has its first state at the latest, besides the periods that it evaluates.
	firstEvaluation = 5 * time.Minute
)

// reasonScheduleFailed marks an alarm about the schedule of the environment, which is also reported while that is asleep.
const reasonScheduleFailed = "ScheduleFailed"

// alarmNames lists the names of the environment's alarms by what is wrong with them.
type alarmNames struct {
	missing, inAlarm, noData, noAction []string
	// schedule are in alarm, and about the schedule that puts the environment to sleep.
	schedule []string
	// muting are the alarms in alarm that mute the others although the environment is not marked as asleep.
	muting []string
	// starting are in alarm because nothing has been measured yet, or not since the environment was woken; incomplete lack a state, or whether their actions are enabled.
	starting, incomplete []string
}

// evaluateAlarms compares the alarms with those that the environment's file implies. Others are not the program's.
func evaluateAlarms(alarms foundAlarms, env *environment.Environment, now time.Time) Finding {
	f := newFinding("alarms", "CloudWatch-Alarms-"+env.DashboardName())
	byName := map[string]cwtypes.MetricAlarm{}
	for _, a := range alarms.metric {
		byName[aws.ToString(a.AlarmName)] = a
	}
	var names alarmNames
	total, reasons := 0, map[string]any{}
	for _, region := range env.AlarmRegions() {
		composite := alarms.compositeIn(region, env)
		suppressor, exists := alarms.suppressors[region]
		names.addComposite(composite, exists, env, region)
		if env.MaySleep() && !alarms.marked && suppressor.StateValue == cwtypes.StateValueAlarm && len(names.muting) == 0 {
			names.muting = append(names.muting, env.SuppressorAlarmName())
		}
		for _, what := range env.AlarmsIn(region) {
			a, exists := byName[env.AlarmName(what)]
			if !exists {
				names.missing = append(names.missing, what)
				continue
			}
			total++
			names.add(what, a, alarms.asleep && !environment.NeverMuted(what), composite, now)
			if a.StateValue == "" || a.ActionsEnabled == nil {
				names.incomplete = append(names.incomplete, what)
			}
			if env.Monitoring.AtLeast(environment.Enhanced) && !env.MaySleep() &&
				(!slices.Contains(a.AlarmActions, env.TopicARN(region)) || a.ActionsEnabled != nil && !*a.ActionsEnabled) {
				names.noAction = append(names.noAction, what)
			}
		}
	}
	for _, what := range slices.Concat(names.schedule, names.inAlarm) {
		reasons[what] = aws.ToString(byName[env.AlarmName(what)].StateReason)
	}
	f = f.with("total", total)
	if total == 0 {
		return f.error("AlarmsMissing", deployHint(env, "the environment was never deployed, or its alarms were deleted"), "the environment has no alarms")
	}
	return names.finding(f, env, reasons, total)
}

// addComposite evaluates the composite alarm of an environment that may sleep, and the alarm that mutes it.
func (n *alarmNames) addComposite(composite *cwtypes.CompositeAlarm, suppressor bool, env *environment.Environment, region string) {
	if !env.MaySleep() {
		return
	}
	const all, mutes = "alarms", "asleep"
	if !suppressor {
		n.missing = append(n.missing, mutes)
	}
	switch {
	case composite == nil:
		n.missing = append(n.missing, all)
	case env.Monitoring.AtLeast(environment.Enhanced) && (!slices.Contains(composite.AlarmActions, env.TopicARN(region)) || !aws.ToBool(composite.ActionsEnabled)):
		n.noAction = append(n.noAction, all)
	}
}

// add evaluates an alarm's state. While the environment is asleep, and soon after that, an alarm about what does not run is in alarm, and its
// composite alarm is muted. asleep reports that sleep mutes the alarm.
func (n *alarmNames) add(what string, a cwtypes.MetricAlarm, asleep bool, composite *cwtypes.CompositeAlarm, now time.Time) {
	woken := composite != nil && composite.ActionsSuppressedBy == cwtypes.ActionsSuppressedByExtensionPeriod
	switch {
	case asleep && a.StateValue == cwtypes.StateValueAlarm:
		n.starting = append(n.starting, what)
	case asleep: // what does not run has no data
	case a.StateValue == cwtypes.StateValueAlarm && (woken && aws.ToString(a.TreatMissingData) == "breaching" || isStarting(a, now)):
		n.starting = append(n.starting, what)
	case a.StateValue == cwtypes.StateValueAlarm && environment.NeverMuted(what):
		n.schedule = append(n.schedule, what)
	case a.StateValue == cwtypes.StateValueAlarm:
		n.inAlarm = append(n.inAlarm, what)
	case a.StateValue == cwtypes.StateValueInsufficientData && now.Sub(aws.ToTime(a.StateUpdatedTimestamp)) > dataGracePeriod:
		n.noData = append(n.noData, what)
	}
}

// isStarting reports whether an alarm about something that does not run has been in alarm since it was created, less than dataGracePeriod ago:
// a first deployment creates it before the services. It was never OK, since then it would have changed its state later.
func isStarting(a cwtypes.MetricAlarm, now time.Time) bool {
	created, since := aws.ToTime(a.AlarmConfigurationUpdatedTimestamp), aws.ToTime(a.StateTransitionedTimestamp)
	evaluated := time.Duration(aws.ToInt32(a.EvaluationPeriods)*aws.ToInt32(a.Period)) * time.Second
	return aws.ToString(a.TreatMissingData) == "breaching" && now.Sub(created) < dataGracePeriod &&
		!since.Before(created) && since.Sub(created) <= evaluated+firstEvaluation
}

// finding reports every problem in the details and the message; the first one has the reason and the hint.
func (n *alarmNames) finding(f findingBuilder, env *environment.Environment, reasons map[string]any, total int) Finding {
	if len(n.starting) > 0 {
		slices.Sort(n.starting)
		f = f.with("waiting_for_first_data", n.starting)
	}
	if len(reasons) > 0 {
		f = f.with("reasons", reasons)
	}
	var first *struct {
		reason string
		hint   Hint
	}
	var messages []string
	for _, p := range []struct {
		names                   []string
		detail, reason, message string
		hint                    Hint
	}{
		{n.schedule, "schedule_in_alarm", reasonScheduleFailed, text.PluralWord(len(n.schedule), "is", "are") + " in alarm: ", Hint{
			Cause:    "the state machine that puts the environment to sleep and wakes it has failed, or has not finished within two hours",
			Solution: "find the execution and its cause, then run `" + command(env, "sleep") + "` or `" + command(env, "wake") + "`",
			Command:  awsCommand(env, "stepfunctions list-executions --state-machine-arn "+env.ScheduleMachineARN()+" --max-items 5"),
		}},
		{n.inAlarm, "in_alarm", "InAlarm", text.PluralWord(len(n.inAlarm), "is", "are") + " in alarm: ", Hint{
			Cause:    "a metric has crossed its threshold: each alarm's reason is in the details",
			Solution: "check what the alarm measures, and the logs of that time", Command: command(env, "logs"),
		}},
		{n.muting, "muting", "AlarmsMuted", text.PluralWord(len(n.muting), "mutes", "mute") + " the others, which notify no one: ", Hint{
			Cause:    "waking the environment was interrupted, or the state of this alarm was set outside the deployer",
			Solution: "wake the environment, which ends this", Command: command(env, "wake"),
		}},
		{n.missing, "missing", "AlarmsMissing", text.PluralWord(len(n.missing), "is missing and notifies no one: ", "are missing and notify no one: "),
			deployHint(env, "they were deleted outside the deployer"+undeployedFile(env))},
		{n.noAction, "without_action", "NoAlarmActions", "without the action that notifies the topic: ",
			differsHint(env, "their actions were removed or disabled")},
		{n.noData, "without_data", "WithoutData", "without data: ", Hint{
			Cause:    "the monitored resource sends no metrics: it is not running, or was replaced under another name",
			Solution: "check that it exists, then run a full deployment", Command: command(env, "drift"),
		}},
	} {
		if len(p.names) == 0 {
			continue
		}
		slices.Sort(p.names)
		f = f.with(p.detail, p.names)
		messages = append(messages, fmt.Sprintf("%d %s", len(p.names), p.message)+strings.Join(p.names, ", "))
		if first == nil {
			first = &struct {
				reason string
				hint   Hint
			}{p.reason, p.hint}
		}
	}
	switch {
	case first == nil && len(n.incomplete) > 0:
		return f.with("incomplete", n.incomplete).unknown("AlarmsUnknown", incompleteAnswer("DescribeAlarms", "StateValue or ActionsEnabled"),
			"the state of %d of %d alarms is unknown", len(n.incomplete), total)
	case first != nil:
		return f.warning(first.reason, first.hint, "of %d alarms, %s", total+len(n.missing), strings.Join(messages, "; "))
	case len(n.starting) > 0:
		return f.healthy("Quiet", "%d alarms, none in alarm; new or muted, and waiting for data: %s", total, strings.Join(n.starting, ", "))
	}
	return f.healthy("Quiet", "%d alarms, none in alarm", total)
}
