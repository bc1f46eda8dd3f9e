package cloud

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func sqsOperations() []operation {
	return []operation{readOp(getQueueURL), readOp(getQueueAttributes), readOp(listQueues)}
}

func queueNotFound() error {
	return &types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist.")}
}

func getQueueURL(m model, in *sqs.GetQueueUrlInput) (*sqs.GetQueueUrlOutput, error) {
	r := m.Find(typeQueue, "name", deref(in.QueueName))
	if r == nil {
		return nil, queueNotFound()
	}
	return &sqs.GetQueueUrlOutput{QueueUrl: aws.String(r.Text("url"))}, nil
}

func listQueues(m model, in *sqs.ListQueuesInput) (*sqs.ListQueuesOutput, error) {
	var urls []string
	for _, r := range m.ByType(typeQueue) {
		if strings.HasPrefix(r.Text("name"), deref(in.QueueNamePrefix)) {
			urls = append(urls, r.Text("url"))
		}
	}
	urls, next, err := page(urls, in.NextToken, in.MaxResults, 1000)
	return &sqs.ListQueuesOutput{QueueUrls: urls, NextToken: next}, err
}

func getQueueAttributes(m model, in *sqs.GetQueueAttributesInput) (*sqs.GetQueueAttributesOutput, error) {
	r := m.Find(typeQueue, "url", deref(in.QueueUrl))
	if r == nil {
		return nil, queueNotFound()
	}
	messages := "0"
	if m.faults[faultDeadLetters] && m.deadLetters(r) {
		messages = "3"
	}
	created := strconv.FormatInt(r.Created.Unix(), 10)
	all := map[types.QueueAttributeName]string{
		types.QueueAttributeNameQueueArn:                              r.Text("arn"),
		types.QueueAttributeNameApproximateNumberOfMessages:           messages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: "0",
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    "0",
		types.QueueAttributeNameCreatedTimestamp:                      created,
		types.QueueAttributeNameLastModifiedTimestamp:                 created,
		types.QueueAttributeNameVisibilityTimeout:                     text(r.Outputs["visibilityTimeoutSeconds"]),
		types.QueueAttributeNameMessageRetentionPeriod:                text(r.Outputs["messageRetentionSeconds"]),
		types.QueueAttributeNameMaximumMessageSize:                    text(r.Outputs["maxMessageSize"]),
		types.QueueAttributeNameDelaySeconds:                          text(r.Outputs["delaySeconds"]),
		types.QueueAttributeNameReceiveMessageWaitTimeSeconds:         text(r.Outputs["receiveWaitTimeSeconds"]),
		types.QueueAttributeNameRedrivePolicy:                         r.Text("redrivePolicy"),
		types.QueueAttributeNameRedriveAllowPolicy:                    r.Text("redriveAllowPolicy"),
		types.QueueAttributeNamePolicy:                                r.Text("policy"),
		types.QueueAttributeNameKmsMasterKeyId:                        r.Text("kmsMasterKeyId"),
		types.QueueAttributeNameSqsManagedSseEnabled:                  strconv.FormatBool(r.Bool("sqsManagedSseEnabled")),
	}
	if policy := m.Get(typeQueuePolicy, r.ID); policy != nil {
		all[types.QueueAttributeNamePolicy] = policy.Text("policy")
	}
	if policy := m.Get(typeRedriveAllowPolicy, r.ID); policy != nil {
		all[types.QueueAttributeNameRedriveAllowPolicy] = policy.Text("redriveAllowPolicy")
	}
	out := &sqs.GetQueueAttributesOutput{Attributes: map[string]string{}}
	for name, value := range all {
		if value != "" && (slices.Contains(in.AttributeNames, types.QueueAttributeNameAll) || slices.Contains(in.AttributeNames, name)) {
			out.Attributes[string(name)] = value
		}
	}
	return out, nil
}

// deadLetters reports whether another queue sends its failed messages to this one.
func (m model) deadLetters(r *Resource) bool {
	return slices.ContainsFunc(m.ByType(typeQueue), func(other *Resource) bool {
		return strings.Contains(other.Text("redrivePolicy"), strconv.Quote(r.Text("arn")))
	})
}
