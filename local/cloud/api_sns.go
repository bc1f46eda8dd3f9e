package cloud

import (
	"cmp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func snsOperations() []operation {
	return []operation{readOp(listSubscriptionsByTopic)}
}

// confirmationTime is how long people and endpoints take to confirm a subscription.
const confirmationTime = 2 * time.Minute

// pendingSubscription replaces the ARN of a subscription that is not confirmed.
// Source: https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
const pendingSubscription = "PendingConfirmation"

func listSubscriptionsByTopic(m model, in *sns.ListSubscriptionsByTopicInput) (*sns.ListSubscriptionsByTopicOutput, error) {
	topic := m.Find(typeTopic, "arn", deref(in.TopicArn))
	if topic == nil || cmp.Or(topic.Region, m.home.Region) != m.Region {
		return nil, &types.NotFoundException{Message: aws.String("Topic does not exist")}
	}
	var found []types.Subscription
	for _, r := range m.ByType(typeTopicSubscription) {
		if r.Text("topic") != deref(in.TopicArn) {
			continue
		}
		arn := r.Text("arn")
		if m.faults[faultUnconfirmed] || !m.reached(m.after(r.Created, confirmationTime)) {
			arn = pendingSubscription
		}
		found = append(found, types.Subscription{
			SubscriptionArn: aws.String(arn), TopicArn: in.TopicArn, Owner: aws.String(m.ID),
			Protocol: aws.String(r.Text("protocol")), Endpoint: aws.String(r.Text("endpoint")),
		})
	}
	found, next, err := page(found, in.NextToken, nil, 100)
	return &sns.ListSubscriptionsByTopicOutput{Subscriptions: found, NextToken: next}, err
}
