package checks

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestNotificationsOverTheWire reads the topic of an account that speaks AWS's wire format: none, without recipients, and with them.
func TestNotificationsOverTheWire(t *testing.T) {
	cfg, env := moto.Config(t, "us-east-1"), loaded(t, "staging")
	env.Monitoring.Emails = []string{"ops@example.com"}
	read := func() Finding {
		findings, err := readNotifications(t.Context(), cfg, env)
		require.NoError(t, err)
		require.Len(t, findings, 1)
		return findings[0]
	}
	requireVerdict(t, verdict{Warning, "TopicMissing", ""}, read())
	unconfirmed, err := UnconfirmedRecipients(t.Context(), cfg, env)
	require.NoError(t, err)
	require.Empty(t, unconfirmed, "a new environment has no topic yet")

	client := sns.NewFromConfig(cfg)
	topic, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String(env.TopicName())})
	require.NoError(t, err)
	require.Equal(t, env.TopicARN("us-east-1"), aws.ToString(topic.TopicArn))
	requireVerdict(t, verdict{Warning, "SubscriptionMissing", "ops@example.com"}, read())
	unconfirmed, err = UnconfirmedRecipients(t.Context(), cfg, env)
	require.NoError(t, err)
	require.Len(t, unconfirmed, 1)

	// moto confirms every subscription at once.
	_, err = client.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("email"), Endpoint: aws.String("ops@example.com")})
	require.NoError(t, err)
	requireVerdict(t, verdict{Healthy, "Subscribed", "1 subscription is confirmed"}, read())

	env.Monitoring.Level, env.Monitoring.Emails = "basic", nil
	none, err := readNotifications(t.Context(), cfg, env)
	require.NoError(t, err)
	require.Empty(t, none)
}
