package checks

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/balancer/v3-backend-infra/environment"
)

// queue maps SQS's attribute names to their values.
type queue map[string]string

func (q queue) number(name sqstypes.QueueAttributeName) int {
	n, _ := strconv.Atoi(q[string(name)])
	return n
}

// complete reports whether AWS's answer has the attributes without which the queue cannot be evaluated. A queue without a redrive policy
// has no such attribute, and one with a KMS key need not have the other about encryption.
func (q queue) complete() bool {
	_, counted := q[string(sqstypes.QueueAttributeNameApproximateNumberOfMessages)]
	_, managed := q[string(sqstypes.QueueAttributeNameSqsManagedSseEnabled)]
	return counted && (managed || q.encrypted())
}

func (q queue) encrypted() bool {
	return q[string(sqstypes.QueueAttributeNameSqsManagedSseEnabled)] == "true" || q[string(sqstypes.QueueAttributeNameKmsMasterKeyId)] != ""
}

// deadLetterTarget returns the name of the dead letter queue and after how many receives it gets a message, or "".
func (q queue) deadLetterTarget() (name string, tries int) {
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
		// Tries is encoded as a number or as a string.
		Tries json.Number `json:"maxReceiveCount"`
	}
	_ = json.Unmarshal([]byte(q[string(sqstypes.QueueAttributeNameRedrivePolicy)]), &policy)
	count, _ := policy.Tries.Int64()
	return policy.Target[strings.LastIndex(policy.Target, ":")+1:], int(count)
}

// readQueue returns the attributes of a queue, or nil where there is none of the name.
func readQueue(ctx context.Context, rc *runContext, name string) (queue, error) {
	return cached(ctx, &rc.cache, "queue "+name, func(ctx context.Context) (queue, error) {
		client := sqs.NewFromConfig(rc.aws())
		url, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(name)})
		if err != nil {
			return nil, ignoreCodes(err, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
		}
		out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
		})
		if err != nil {
			return nil, err
		}
		return queue(out.Attributes), nil
	})
}

func checkQueue(ctx context.Context, rc *runContext) ([]Finding, error) {
	prefetch(ctx, rc, readUtilisation)
	found, err := readQueue(ctx, rc, rc.env.QueueName())
	if err != nil {
		return nil, err
	}
	metrics, _ := readUtilisation(ctx, rc)
	return []Finding{evaluateQueue(found, metrics, rc.env)}, nil
}

// Limits above which a queue is reported: waiting messages, the age of the oldest in seconds, and messages in flight, of which SQS
// allows a quota.
// Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
const (
	queueDepthWarning = 1000
	queueAgeWarning   = 15 * 60
	inFlightWarning   = 96_000
	inFlightQuota     = 120_000
)

func evaluateQueue(found queue, metrics utilisation, env *environment.Environment) Finding {
	f := newFinding("queue", "SQS-Queue-"+env.QueueName())
	if found == nil {
		return f.error("QueueMissing", missingHint(env, "the queue"), "the queue %s does not exist", env.QueueName())
	}
	waiting := found.number(sqstypes.QueueAttributeNameApproximateNumberOfMessages)
	working := found.number(sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
	target, tries := found.deadLetterTarget()
	f = f.with("waiting", waiting).with("in_flight", working).
		with("delayed", found.number(sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed)).
		with("encrypted", found.encrypted()).with("dead_letter_queue", target).with("max_receives", tries)
	maps.Copy(f.details, metrics.of(queueMetrics(env.QueueName())))
	age, _ := metrics.number(queueMetrics(env.QueueName()), oldestMessageAge)
	behind := Hint{
		Cause:    "the worker is down, too slow, or fails on every message",
		Solution: "check the worker's tasks and logs", Command: command(env, "logs"),
	}
	switch {
	case !found.complete():
		return f.unknown("AttributesUnknown", incompleteAnswer("GetQueueAttributes", "the number of messages or the encryption"), "the state of the queue is unknown")
	case target == "":
		return f.error("NoDeadLetterQueue", driftHint(env, "the redrive policy was removed"),
			"the queue has no dead letter queue: a failing message is retried until it expires")
	case target != env.DeadLetterQueueName():
		return f.warning("OtherDeadLetterQueue", driftHint(env, "the redrive policy was changed"),
			"dead letters go to %s, not to %s", target, env.DeadLetterQueueName())
	case !found.encrypted():
		return f.warning("NotEncrypted", driftHint(env, "the encryption was disabled"), "the queue is not encrypted")
	case working >= inFlightWarning:
		return f.warning("NearQuota", Hint{
			Cause:    "the worker does not delete messages after processing, or the visibility timeout is too long",
			Solution: "check the worker's logs, and queue.visibilityTimeout in the environment's file", Command: command(env, "logs"),
		}, "%d messages are in flight, the quota of SQS is %d", working, inFlightQuota)
	case age > queueAgeWarning:
		return f.warning("MessagesOld", behind, "the oldest of %d messages has waited %.0f minutes", waiting, age/60)
	case waiting > queueDepthWarning:
		return f.warning("MessagesWaiting", behind, "%d messages waiting, %d in flight", waiting, working)
	}
	return f.healthy("Flowing", "%d messages waiting, %d in flight", waiting, working)
}

func readDeadLetterQueue(ctx context.Context, rc *runContext) (queue, error) {
	return readQueue(ctx, rc, rc.env.DeadLetterQueueName())
}

func evaluateDeadLetters(found queue, env *environment.Environment) Finding {
	f := newFinding("dead_letter_queue", "SQS-Queue-"+env.DeadLetterQueueName())
	if found == nil {
		return f.error("QueueMissing", missingHint(env, "the queue"), "the queue %s does not exist", env.DeadLetterQueueName())
	}
	waiting := found.number(sqstypes.QueueAttributeNameApproximateNumberOfMessages)
	f = f.with("messages", waiting).with("encrypted", found.encrypted())
	switch {
	case !found.complete():
		return f.unknown("AttributesUnknown", incompleteAnswer("GetQueueAttributes", "the number of messages or the encryption"), "the state of the dead letter queue is unknown")
	case waiting > 0:
		return f.warning("DeadLetters", Hint{
			Cause:    "messages failed as often as the queue allows",
			Solution: "find the reason in the worker's logs, then redrive or purge the messages", Command: command(env, "logs"),
		}, "%d messages could not be processed", waiting)
	case !found.encrypted():
		return f.warning("NotEncrypted", driftHint(env, "the encryption was disabled"), "the dead letter queue is not encrypted")
	}
	return f.healthy("Empty", "no dead letters")
}
