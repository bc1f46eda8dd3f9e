package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/notify"
)

// A secret of a CI system with spaces or newlines around the URL is the URL, and one with nothing else is none.
func TestParseNotify(t *testing.T) {
	for name, test := range map[string]struct {
		address, variable string
		want, err         string
	}{
		"none":               {},
		"an empty secret":    {address: " \n"},
		"a URL":              {address: "https://hooks.slack.com/SECRET", want: "https://hooks.slack.com/…"},
		"with a newline":     {address: "https://hooks.slack.com/SECRET\n", want: "https://hooks.slack.com/…"},
		"with spaces":        {address: " \thttps://hooks.slack.com/SECRET ", want: "https://hooks.slack.com/…"},
		"none of a flag":     {address: "SECRET", err: "--notify: the webhook is not a URL of http or https"},
		"none of a variable": {address: "SECRET\n", variable: "SECRET\n", err: "DEPLOYER_NOTIFY: the webhook is not a URL of http or https"},
		"two in one":         {address: "https://a/SECRET\nhttps://b/SECRET", err: "--notify: the webhook is not a URL of http or https"},
		"a flag before a variable": {address: "ftp://a/SECRET", variable: "https://a/SECRET",
			err: "--notify: the webhook is not a URL of http or https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DEPLOYER_NOTIFY", test.variable)
			webhook, err := parseNotify(test.address)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Contains(t, hint.Of(err), "give the whole URL")
				return
			}
			require.NoError(t, err)
			if test.want == "" {
				require.Nil(t, webhook)
				return
			}
			require.Equal(t, test.want, webhook.String())
		})
	}
}

// A stoppedClock always has the same time.
type stoppedClock struct {
	clock.Clock
	now time.Time
}

func (c stoppedClock) Now() time.Time { return c.now }

// newTestNotifier returns a notifier of a webhook, and what it prints.
func newTestNotifier(t *testing.T, now time.Time, handler http.HandlerFunc) (*deploymentNotifier, *bytes.Buffer) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	webhook, err := notify.ParseWebhook(server.URL + "/SECRET")
	require.NoError(t, err)
	var printed bytes.Buffer
	return &deploymentNotifier{
		queue: notify.NewQueue(webhook), terminal: newTerminal(globalFlags{}, streams{err: &printed}), clock: stoppedClock{now: now},
	}, &printed
}

// Messages have the time of the account's clock, as records have.
func TestNotificationHasTheTimeOfTheClock(t *testing.T) {
	now := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	var got notify.DeploymentMessage
	n, printed := newTestNotifier(t, now, func(_ http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&got) })
	n.ended(history.Deployment{Outcome: history.Succeeded})
	n.close(t.Context())
	require.Equal(t, now, got.Timestamp)
	require.Empty(t, printed.String())
}

// A webhook that hangs is named at the end of the command, and an interruption during the wait shortens it. Each failure has a
// line of its own.
func TestInterruptionShortensTheWaitForAWebhook(t *testing.T) {
	n, printed := newTestNotifier(t, time.Now(), func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a closed connection only after reading the body
		<-r.Context().Done()
	})
	n.ended(history.Deployment{Outcome: history.Succeeded})
	n.ended(history.Deployment{Outcome: history.Succeeded})
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(800*time.Millisecond, interrupt)
	start := time.Now()
	n.close(ctx)
	require.Less(t, time.Since(start), notifyWait-time.Second)
	require.GreaterOrEqual(t, time.Since(start), notifyWaitInterrupted)
	require.Regexp(t, `^deployer: waiting for at most 5s to post 2 messages to http://\S+/…; Ctrl-C shortens that to 1s
deployer: notify http://\S+/…: no response in time
deployer: notify http://\S+/…: 1 more message was not sent, because those before took too long
$`, printed.String())
}
