package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Queue is the queue of background jobs and its dead-letter queue.
type Queue struct {
	pulumi.ResourceState

	// URL and ARN are the queue's, DeadLetterURL is the dead-letter queue's.
	URL, ARN, DeadLetterURL pulumi.StringOutput
}

const (
	secondsPerDay = 24 * 60 * 60
	// deadLetterDays is the maximum retention of SQS: a person has to investigate the message.
	deadLetterDays = 14
	// longPoll is the maximum wait for messages, in seconds, which saves an idle worker requests.
	longPoll = 20
)

// NewQueue declares a Queue.
// Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
func NewQueue(ctx *pulumi.Context, name string, env *environment.Environment, opts ...pulumi.ResourceOption) (*Queue, error) {
	c := &Queue{}
	child, err := declare(ctx, "Queue", name, c, opts)
	if err != nil {
		return nil, err
	}
	dead, err := sqs.NewQueue(ctx, name+"-dlq", &sqs.QueueArgs{
		Name:                    pulumi.String(env.DeadLetterQueueName()),
		MessageRetentionSeconds: pulumi.Int(deadLetterDays * secondsPerDay),
		SqsManagedSseEnabled:    pulumi.Bool(true),
		Tags:                    withName(env.Tags(), env.DeadLetterQueueName()),
	}, child)
	if err != nil {
		return nil, err
	}
	jobs, err := sqs.NewQueue(ctx, name, &sqs.QueueArgs{
		Name:                     pulumi.String(env.QueueName()),
		VisibilityTimeoutSeconds: pulumi.Int(int(env.Queue.VisibilityTimeout.Seconds())),
		MessageRetentionSeconds:  pulumi.Int(env.Queue.RetentionDays * secondsPerDay),
		ReceiveWaitTimeSeconds:   pulumi.Int(longPoll),
		SqsManagedSseEnabled:     pulumi.Bool(true),
		RedrivePolicy: textFrom(func(arn []string) (string, error) {
			return marshal("the redrive policy", map[string]any{
				"deadLetterTargetArn": arn[0], "maxReceiveCount": env.Queue.MaxReceives,
			})
		}, dead.Arn),
		Tags: withName(env.Tags(), env.QueueName()),
	}, child)
	if err != nil {
		return nil, err
	}
	if _, err := sqs.NewRedriveAllowPolicy(ctx, name+"-dlq", &sqs.RedriveAllowPolicyArgs{
		QueueUrl: dead.Url,
		RedriveAllowPolicy: textFrom(func(arn []string) (string, error) {
			return marshal("the redrive allow policy", map[string]any{"redrivePermission": "byQueue", "sourceQueueArns": arn})
		}, jobs.Arn),
	}, child); err != nil {
		return nil, err
	}
	for suffix, queue := range map[string]*sqs.Queue{"": jobs, "-dlq": dead} {
		if _, err := sqs.NewQueuePolicy(ctx, name+suffix, &sqs.QueuePolicyArgs{
			QueueUrl: queue.Url,
			Policy:   documentOf(func(arn []string) []statement { return []statement{tlsOnly("sqs:*", arn[0])} }, queue.Arn),
		}, child); err != nil {
			return nil, err
		}
	}
	c.URL, c.ARN, c.DeadLetterURL = jobs.Url, jobs.Arn, dead.Url
	return c, finish(ctx, name, c, pulumi.Map{"url": c.URL, "arn": c.ARN, "deadLetterUrl": c.DeadLetterURL})
}
