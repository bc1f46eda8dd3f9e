package cloud

import (
	"time"
)

// maxTargets is how many targets a rule may have:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maxTargets = 5

// workflowTypes are the types of EventBridge, its Scheduler and Step Functions:
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
var workflowTypes = map[string]resourceType{
	typeEventRule: {
		name:            "name",
		id:              "${name}",
		replaceOnChange: []string{"name", "namePrefix", "eventBusName"},
		defaults:        values{"eventBusName": "default", "state": "ENABLED", "isEnabled": true, "forceDestroy": false},
		computed:        map[string]string{"arn": "arn:aws:events:${region}:${account}:rule/${name}"},
		rules: []rule{matchesPattern("name", `^[0-9A-Za-z_.-]{1,64}$`, "must have 1 to 64 alphanumeric characters, dots, hyphens or underscores"),
			isJSON("eventPattern")},
		validate: func(_ *State, r *Resource) error {
			if r.Text("eventPattern") == "" && r.Text("scheduleExpression") == "" {
				return errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
			}
			return nil
		},
		inUse: errorTemplate{"ValidationException", "Rule can't be deleted since it has targets."}, deleteTimeout: 5 * time.Minute,
	},
	typeEventTarget: {
		id:       "${rule}-${targetId}",
		importID: func(r *Resource) string { return r.Text("rule") + "/" + r.Text("targetId") },
		required: []string{"rule", "arn"}, replaceOnChange: []string{"rule", "targetId", "eventBusName"},
		defaults: values{"eventBusName": "default", "forceDestroy": false},
		rules:    []rule{isJSON("input")},
		refs: []ref{
			refTo("rule", typeEventRule, "ResourceNotFoundException", "Rule %s does not exist on EventBus default.", "name"),
			refTo("arn", typeStateMachine, "ValidationException", "Parameter %s is not valid. Reason: Provided Arn is not in correct format."),
			refTo("roleArn", typeRole, "ValidationException", "Provided role '%s' cannot be assumed by principal 'events.amazonaws.com'.", "arn"),
		},
		validate: func(s *State, r *Resource) error {
			others := 0
			for _, other := range s.ByType(typeEventTarget) {
				if other.Text("rule") == r.Text("rule") && other.ID != r.ID {
					others++
				}
			}
			if others >= maxTargets {
				return errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
			}
			return nil
		},
	},
	typeSchedule: {
		name:     "name",
		id:       "${groupName}/${name}",
		required: []string{"scheduleExpression", "flexibleTimeWindow", "target"}, replaceOnChange: []string{"name", "namePrefix", "groupName"},
		defaults: values{"groupName": "default", "scheduleExpressionTimezone": "UTC", "state": "ENABLED", "description": "", "namePrefix": ""},
		computed: map[string]string{"arn": "arn:aws:scheduler:${region}:${account}:schedule/${groupName}/${name}"},
		rules: []rule{matchesPattern("name", `^[0-9A-Za-z_.-]{1,64}$`, "must have 1 to 64 alphanumeric characters, dots, hyphens or underscores"),
			matchesPattern("scheduleExpression", `^cron\(\S+ \S+ (\? \S+ \S+|\S+ \S+ \?) \S+\)$`, "is not a cron expression of six fields, one of the days being ?"),
			oneOf("state", "ENABLED", "DISABLED")},
		refs: []ref{
			refTo("target.arn", typeStateMachine, "ValidationException", "The state machine %s does not exist.", "arn"),
			refTo("target.roleArn", typeRole, "ValidationException", "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.", "arn"),
		},
		conflict: errorTemplate{"ConflictException", "Schedule %s already exists."},
		validate: func(_ *State, r *Resource) error {
			if _, err := time.LoadLocation(r.Text("scheduleExpressionTimezone")); err != nil {
				return errorf("ValidationException", "Provided ScheduleExpressionTimezone is not a valid timezone.")
			}
			return nil
		},
	},
	typeStateMachine: {
		name:     "name",
		id:       "${arn}",
		required: []string{"definition", "roleArn"}, replaceOnChange: []string{"name", "namePrefix", "type"},
		defaults: values{
			"type": "STANDARD", "status": "ACTIVE", "publish": false, "description": "", "versionDescription": "",
			"loggingConfiguration": values{"includeExecutionData": false, "level": "OFF"},
			"tracingConfiguration": values{"enabled": false}, "encryptionConfiguration": values{"type": "AWS_OWNED_KEY"},
		},
		computed: map[string]string{
			"arn": "arn:aws:states:${region}:${account}:stateMachine:${name}", "revisionId": "${uuid}", "stateMachineVersionArn": "",
		},
		rules: []rule{matchesPattern("name", `^[0-9A-Za-z_-]{1,80}$`, "the name should only contain 0-9, A-Z, a-z, - and _"), isJSON("definition")},
		refs: []ref{refTo("roleArn", typeRole, "AccessDeniedException",
			"Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role %s.", "arn")},
		compute: func(_ *State, r *Resource) { r.Outputs["creationDate"] = r.Created.Format(time.RFC3339) },
		validate: func(_ *State, r *Resource) error {
			if _, err := parseMachine(r.Text("definition")); err != nil {
				return errorf("InvalidDefinition", "Invalid State Machine Definition: '%s'", err)
			}
			return nil
		},
	},
}
