package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Notifications is the topic that notifies people in one region, from enhanced monitoring on. Alarms and the budget publish to it, and
// other components can, by its ARN.
type Notifications struct {
	pulumi.ResourceState

	// TopicARN is resolved when the topic accepts messages of AWS's services.
	TopicARN pulumi.StringOutput
}

// NewNotifications declares Notifications in a region, which opts must have the provider of. It returns nil for basic monitoring.
//
// The topic has no KMS key: alarms cannot use the AWS managed one, and the name and state of an alarm do not justify the
// cost of another.
// Source: https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
func NewNotifications(
	ctx *pulumi.Context, name string, env *environment.Environment, region string, opts ...pulumi.ResourceOption,
) (*Notifications, error) {
	if !env.Monitoring.AtLeast(environment.Enhanced) {
		return nil, nil
	}
	c := &Notifications{}
	child, err := declare(ctx, "Notifications", name, c, opts)
	if err != nil {
		return nil, err
	}
	topic, err := sns.NewTopic(ctx, name, &sns.TopicArgs{
		Name:        pulumi.String(env.TopicName()),
		DisplayName: pulumi.String(env.Prefix + " " + env.Name),
		Tags:        withName(env.Tags(), env.TopicName()),
	}, child)
	if err != nil {
		return nil, err
	}
	policy, err := sns.NewTopicPolicy(ctx, name, &sns.TopicPolicyArgs{
		Arn:    topic.Arn,
		Policy: documentOf(func(arn []string) []statement { return topicStatements(env, region, arn[0]) }, topic.Arn),
	}, child)
	if err != nil {
		return nil, err
	}
	for _, s := range recipients(env) {
		if _, err := sns.NewTopicSubscription(ctx, name+"-"+s.endpoint, &sns.TopicSubscriptionArgs{
			Topic:    topic.Arn,
			Protocol: pulumi.String(s.protocol),
			Endpoint: pulumi.String(s.endpoint),
		}, child); err != nil {
			return nil, err
		}
	}
	// The policy's ARN is the topic's. AWS rejects a budget whose topic does not accept its messages.
	c.TopicARN = policy.Arn
	return c, finish(ctx, name, c, pulumi.Map{"topicArn": c.TopicARN})
}

// recipient is a subscription of a topic.
type recipient struct{ protocol, endpoint string }

// recipients returns the subscriptions of the environment's topics. The provider does not wait until they are confirmed, so that neither a
// person nor an endpoint that is down can hold up a deployment; status reports those that are not. Deleting one that is not confirmed only
// removes it from the state: SNS refuses to unsubscribe it, and drops it after two days.
// Source: https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/sns_topic_subscription
func recipients(env *environment.Environment) []recipient {
	var all []recipient
	for _, address := range env.Monitoring.Emails {
		all = append(all, recipient{"email", address})
	}
	for _, endpoint := range env.Monitoring.Webhooks {
		all = append(all, recipient{"https", endpoint})
	}
	return all
}

// topicStatements returns statements that allow this account's alarms and budgets to publish, and deny requests without TLS.
// Source: https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
func topicStatements(env *environment.Environment, region, topicARN string) []statement {
	publish := func(sid, service, source string) statement {
		return allow(sid, []string{"sns:Publish"}, topicARN).
			principal("Service", service).
			when("StringEquals", "aws:SourceAccount", env.Account).
			when("ArnLike", "aws:SourceArn", source)
	}
	return []statement{
		publish("AlarmsPublish", "cloudwatch.amazonaws.com", fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:*", region, env.Account)),
		publish("BudgetsPublish", "budgets.amazonaws.com", fmt.Sprintf("arn:aws:budgets::%s:*", env.Account)),
		tlsOnly("sns:Publish", topicARN),
	}
}
