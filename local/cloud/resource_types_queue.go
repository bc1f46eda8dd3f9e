package cloud

import "encoding/json"

var refQueue = refTo("queueUrl", typeQueue, "AWS.SimpleQueueService.NonExistentQueue",
	"The specified queue does not exist: %s")

// queueTypes are the types of SQS and SNS:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
var queueTypes = map[string]resourceType{
	typeQueue: {
		name:            "name",
		id:              "${url}",
		replaceOnChange: []string{"name", "namePrefix", "fifoQueue"},
		defaults: values{"delaySeconds": 0.0, "fifoQueue": false, "maxMessageSize": 262144.0,
			"messageRetentionSeconds": 345600.0, "receiveWaitTimeSeconds": 0.0, "sqsManagedSseEnabled": true,
			"visibilityTimeoutSeconds": 30.0, "kmsDataKeyReusePeriodSeconds": 300.0,
			"contentBasedDeduplication": false},
		computed: map[string]string{
			"arn": "arn:aws:sqs:${region}:${account}:${name}", "url": "https://sqs.${region}.amazonaws.com/${account}/${name}",
		},
		rules: []rule{matchesPattern("name", `^[a-zA-Z0-9_-]{1,80}(\.fifo)?$`,
			"can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"),
			isJSON("redrivePolicy"), isJSON("policy"), inRange("messageRetentionSeconds", 60, 1209600),
			inRange("visibilityTimeoutSeconds", 0, 43200),
			inRange("receiveWaitTimeSeconds", 0, 20)},
		validate: func(s *State, r *Resource) error {
			var redrive struct{ DeadLetterTargetArn string }
			if err := json.Unmarshal([]byte(r.Text("redrivePolicy")), &redrive); err != nil {
				return nil
			}
			if s.Find(typeQueue, "arn", redrive.DeadLetterTargetArn) == nil {
				return errorf("InvalidParameterValue",
					"Value %s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.",
					r.Text("redrivePolicy"))
			}
			return nil
		},
		conflict: errorTemplate{"QueueAlreadyExists",
			"A queue already exists with the same name (%s) and a different value for attributes"},
	},
	typeQueuePolicy: {
		id:       "${queueUrl}",
		required: []string{"queueUrl", "policy"}, replaceOnChange: []string{"queueUrl"},
		rules: []rule{isJSON("policy")}, refs: []ref{refQueue},
	},
	typeRedriveAllowPolicy: {
		id:       "${queueUrl}",
		required: []string{"queueUrl", "redriveAllowPolicy"}, replaceOnChange: []string{"queueUrl"},
		rules: []rule{isJSON("redriveAllowPolicy")}, refs: []ref{refQueue},
	},
	typeTopic: {
		name:            "name",
		id:              "${arn}",
		replaceOnChange: []string{"name", "namePrefix", "fifoTopic"},
		defaults:        values{"fifoTopic": false, "contentBasedDeduplication": false},
		computed:        map[string]string{"arn": "arn:aws:sns:${region}:${account}:${name}", "owner": "${account}"},
		rules: []rule{matchesPattern("name", `^[a-zA-Z0-9_-]{1,256}(\.fifo)?$`,
			"must be made up of only letters, numbers, underscores, and hyphens")},
	},
	typeTopicPolicy: {
		id:       "${arn}",
		required: []string{"arn", "policy"}, replaceOnChange: []string{"arn"},
		computed: map[string]string{"owner": "${account}"},
		rules:    []rule{isJSON("policy")},
		refs:     []ref{refTo("arn", typeTopic, "NotFound", "Topic does not exist: %s")},
	},
	typeTopicSubscription: {
		id:       "${arn}",
		required: []string{"topic", "protocol", "endpoint"}, replaceOnChange: []string{"topic", "protocol", "endpoint"},
		defaults: values{"confirmationWasAuthenticated": false, "endpointAutoConfirms": false,
			"rawMessageDelivery": false, "confirmationTimeoutInMinutes": 1.0, "pendingConfirmation": true},
		computed: map[string]string{"ownerId": "${account}"},
		// A second subscription of an endpoint returns the first one's ARN.
		// Source: https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
		compute: func(s *State, r *Resource) {
			r.Outputs["arn"] = r.Text("topic") + ":" + s.uuid(r.Text("protocol"), r.Text("endpoint"))
		},
		rules: []rule{oneOf("protocol", "sqs", "sms", "lambda", "firehose", "application", "email", "email-json",
			"http", "https")},
		refs: []ref{refTo("topic", typeTopic, "NotFound", "Topic does not exist: %s")},
	},
}
