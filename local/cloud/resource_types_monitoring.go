package cloud

import (
	"cmp"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

var logRetention = []string{"0", "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545",
	"731",
	"1096", "1827", "2192", "2557", "2922", "3288", "3653"}

// monitoringTypes are the types of CloudWatch, X-Ray and Budgets:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
var monitoringTypes = map[string]resourceType{
	typeLogGroup: {
		name:            "name",
		id:              "${name}",
		replaceOnChange: []string{"name", "namePrefix", "logGroupClass"},
		defaults:        values{"logGroupClass": "STANDARD", "retentionInDays": 0.0, "skipDestroy": false},
		computed:        map[string]string{"arn": "arn:aws:logs:${region}:${account}:log-group:${name}"},
		rules: []rule{matchesPattern("name", `^[a-zA-Z0-9_/.#-]{1,512}$`,
			"isn't a valid log group name (alphanumeric characters, underscores, hyphens, slashes, hash signs and dots are allowed)"),
			oneOf("retentionInDays", logRetention...)},
		conflict: errorTemplate{"ResourceAlreadyExistsException", "The specified log group already exists: %s"},
	},
	typeMetricAlarm: {
		name:     "name",
		id:       "${name}",
		required: []string{"comparisonOperator", "evaluationPeriods"}, replaceOnChange: []string{"name"},
		defaults: values{"actionsEnabled": true, "treatMissingData": "missing",
			"evaluateLowSampleCountPercentiles": "evaluate"},
		computed: map[string]string{"arn": "arn:aws:cloudwatch:${region}:${account}:alarm:${name}"},
		rules: []rule{oneOf("treatMissingData", "breaching", "notBreaching", "ignore", "missing"),
			oneOf("comparisonOperator", "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
				"LessThanOrEqualToThreshold",
				"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")},
		refs: []ref{
			refTo("alarmActions", typeTopic, "ValidationError", "Invalid topic ARN: %s"),
			refTo("okActions", typeTopic, "ValidationError", "Invalid topic ARN: %s"),
		},
		validate: validateAlarmActions,
		onDelete: func(s *State, r *Resource) error {
			if dependent := compositesOf(s, r); len(dependent) > 0 {
				return errorf("ValidationError", "Cannot delete %s as there are composite alarm(s) depending on it: %s", r.Text("name"), strings.Join(dependent, ", "))
			}
			delete(s.AlarmStates, r.Text("arn"))
			return nil
		},
	},
	// A composite alarm and what its rule names are in one region.
	// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
	typeCompositeAlarm: {
		name:     "alarmName",
		id:       "${alarmName}",
		required: []string{"alarmName", "alarmRule"}, replaceOnChange: []string{"alarmName"},
		defaults: values{"actionsEnabled": true},
		computed: map[string]string{"arn": "arn:aws:cloudwatch:${region}:${account}:alarm:${alarmName}"},
		refs: []ref{
			refTo("alarmActions", typeTopic, "ValidationError", "Invalid topic ARN: %s"),
			refTo("okActions", typeTopic, "ValidationError", "Invalid topic ARN: %s"),
			refTo("actionsSuppressor.alarm", typeMetricAlarm, "ValidationError", "The actions suppressor %s does not exist", "name"),
		},
		validate: func(s *State, r *Resource) error {
			members := alarmsInRule(r.Text("alarmRule"))
			switch {
			case len(r.Text("alarmRule")) > maxRule:
				return errorf("ValidationError", "The alarm rule has more than %d characters", maxRule)
			case len(members) == 0:
				return errorf("NotSimulated", "local mode simulates only rules of the form ALARM(\"a\") OR ALARM(\"b\"), not %s", r.Text("alarmRule"))
			}
			for _, name := range members {
				if found := s.Find(typeMetricAlarm, "name", name); found == nil || found.Region != r.Region {
					return errorf("ValidationError", "Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", name)
				}
			}
			return validateAlarmActions(s, r)
		},
	},
	typeDashboard: {
		name:     "dashboardName",
		id:       "${dashboardName}",
		required: []string{"dashboardName", "dashboardBody"}, replaceOnChange: []string{"dashboardName"},
		computed: map[string]string{"dashboardArn": "arn:aws:cloudwatch::${account}:dashboard/${dashboardName}"},
		rules:    []rule{isJSON("dashboardBody")},
	},
	typeSamplingRule: {
		name:            "ruleName",
		id:              "${ruleName}",
		replaceOnChange: []string{"ruleName"},
		computed:        map[string]string{"arn": "arn:aws:xray:${region}:${account}:sampling-rule/${ruleName}"},
		rules: []rule{inRange("fixedRate", 0, 1), inRange("priority", 1, 9999),
			matchesPattern("ruleName", `^.{1,32}$`, "must have from 1 to 32 characters")},
		conflict: errorTemplate{"InvalidRequestException", "A sampling rule with name %s already exists"},
	},
	typeBudget: {
		name:     "name",
		id:       "${account}:${name}",
		required: []string{"budgetType", "timeUnit"}, replaceOnChange: []string{"name", "namePrefix", "accountId"},
		defaults: values{"timePeriodEnd": "2087-06-15_00:00"},
		computed: map[string]string{"arn": "arn:aws:budgets::${account}:budget/${name}", "accountId": "${account}"},
		compute: func(_ *State, r *Resource) {
			if r.Outputs["timePeriodStart"] == nil {
				r.Outputs["timePeriodStart"] = r.Created.Format("2006-01-02") + "_00:00"
			}
		},
		refs: []ref{refTo("notifications.subscriberSnsTopicArns", typeTopicPolicy, "InvalidParameterException",
			"Unable to create notification: the topic %s does not allow budgets.amazonaws.com to publish", "arn")},
		conflict: errorTemplate{"DuplicateRecordException", "Error creating budget: %s - the budget already exists."},
	},
}

// maxRule is how many characters the rule of a composite alarm may have.
const maxRule = 10240

// validateAlarmActions rejects actions in other regions: an alarm notifies topics of its own region only.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func validateAlarmActions(s *State, r *Resource) error {
	home := cmp.Or(r.Region, s.Region)
	for _, action := range slices.Concat(r.Strings("alarmActions"), r.Strings("okActions")) {
		if parts := strings.Split(action, ":"); len(parts) > 3 && parts[3] != home {
			return errorf("ValidationError", "Invalid region %s specified. Only %s is supported.", parts[3], home)
		}
	}
	return nil
}

// ruleMember matches an alarm in the rule of a composite alarm.
var ruleMember = lazyregexp.New(`^ALARM\("([^"]+)"\)$`)

// alarmsInRule returns the alarms of which any puts a composite alarm into alarm, or nil for a rule of another form.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
func alarmsInRule(rule string) []string {
	var names []string
	for _, part := range strings.Split(rule, " OR ") {
		member := ruleMember.FindStringSubmatch(part)
		if member == nil {
			return nil
		}
		names = append(names, member[1])
	}
	return names
}

// compositesOf returns the names of the composite alarms that an alarm belongs to, or whose actions it suppresses.
func compositesOf(s *State, alarm *Resource) []string {
	var names []string
	for _, r := range s.ByType(typeCompositeAlarm) {
		if name := alarm.Text("name"); r.Region == alarm.Region && (slices.Contains(alarmsInRule(r.Text("alarmRule")), name) || suppressorOf(r) == name) {
			names = append(names, r.Text("alarmName"))
		}
	}
	return names
}

// suppressorOf returns the alarm that suppresses the actions of a composite alarm; "" where none does.
func suppressorOf(composite *Resource) string {
	for _, block := range composite.Blocks("actionsSuppressor") {
		return blockText(block, "alarm")
	}
	return ""
}
