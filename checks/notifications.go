package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// reasonTopicMissing marks a topic that does not exist.
const reasonTopicMissing = "TopicMissing"

// readNotifications returns a finding about the topic in each region that has one.
func readNotifications(ctx context.Context, cfg aws.Config, env *environment.Environment) ([]Finding, error) {
	if !env.Monitoring.AtLeast(environment.Enhanced) {
		return nil, nil
	}
	var findings []Finding
	for _, region := range env.AlarmRegions() {
		subscriptions, err := awsx.Pages(ctx, sns.NewListSubscriptionsByTopicPaginator(sns.NewFromConfig(awsx.InRegion(cfg, region)),
			&sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(env.TopicARN(region))}),
			func(out *sns.ListSubscriptionsByTopicOutput) []snstypes.Subscription { return out.Subscriptions })
		exists := !hasCode(err, "NotFound", "NotFoundException")
		if err != nil && exists {
			return findings, err
		}
		findings = append(findings, evaluateNotifications(subscriptions, exists, env, region))
	}
	return findings, nil
}

// UnconfirmedRecipients returns the findings about recipients in the environment's file that are not notified of alarms. A topic that does not
// exist yet is none.
func UnconfirmedRecipients(ctx context.Context, cfg aws.Config, env *environment.Environment) ([]Finding, error) {
	findings, err := readNotifications(ctx, cfg, env)
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Status == Healthy || f.Reason == reasonTopicMissing }), err
}

// isConfirmed reports whether a subscription has an ARN instead of PendingConfirmation or Deleted.
// Source: https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
func isConfirmed(s snstypes.Subscription) bool {
	return strings.HasPrefix(aws.ToString(s.SubscriptionArn), "arn:")
}

// evaluateNotifications compares a topic's subscriptions with the recipients in the environment's file. Others count as well. Their endpoints
// are not reported, since a URL may be a secret.
func evaluateNotifications(subscriptions []snstypes.Subscription, exists bool, env *environment.Environment, region string) Finding {
	name := "SNS-Topic-" + env.TopicName()
	if region != env.Region {
		name += "-" + region
	}
	f := newFinding("alarms", name)
	if !exists {
		return f.warning(reasonTopicMissing, missingFromHint(env, "the topic"), "the topic %s does not exist, so that no one is notified", env.TopicName())
	}
	confirmed, state := 0, map[string]bool{}
	for _, s := range subscriptions {
		if isConfirmed(s) {
			confirmed++
		}
		state[aws.ToString(s.Endpoint)] = state[aws.ToString(s.Endpoint)] || isConfirmed(s)
	}
	var pending, missing []string
	for _, endpoint := range slices.Concat(env.Monitoring.Emails, env.Monitoring.Webhooks) {
		switch isConfirmed, subscribed := state[endpoint]; {
		case !subscribed:
			missing = append(missing, endpoint)
		case !isConfirmed:
			pending = append(pending, endpoint)
		}
	}
	f = f.with("subscriptions", len(subscriptions)).with("confirmed", confirmed)
	noOne := ""
	if confirmed == 0 {
		noOne = ", so that no one is notified"
	}
	switch {
	case len(pending) > 0:
		return f.with("pending", pending).warning("SubscriptionPending", confirmHint(env, region, pending[0]),
			"not confirmed: %s%s", strings.Join(pending, ", "), noOne)
	case len(missing) > 0:
		hint := deployHint(env, "someone has unsubscribed by the link in a message, SNS has dropped what was not confirmed within two days"+
			undeployedFile(env))
		return f.with("missing", missing).warning("SubscriptionMissing", hint, "not subscribed: %s%s", strings.Join(missing, ", "), noOne)
	}
	return f.healthy("Subscribed", "%s confirmed", text.Plural(confirmed, "subscription is", "subscriptions are"))
}

// confirmHint returns how an endpoint confirms its subscription. To subscribe it again sends another request.
func confirmHint(env *environment.Environment, region, endpoint string) Hint {
	hint := Hint{
		Cause:    "the link in AWS's mail \"Subscription Confirmation\" was not used yet",
		Solution: "open the link, which is valid for two days; the command sends another one",
	}
	protocol := "email"
	if strings.HasPrefix(endpoint, "https:") {
		protocol = "https"
		hint.Cause = "the endpoint was not reachable, or does not confirm subscriptions of SNS"
		hint.Solution = "check its logs; the command sends the request for confirmation again"
	}
	hint.Command = fmt.Sprintf("aws sns subscribe --topic-arn %s --protocol %s --notification-endpoint %s --region %s",
		env.TopicARN(region), protocol, endpoint, region)
	return hint
}
