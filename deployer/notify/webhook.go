// Package notify posts the summary of a status report and the events of a deployment to a webhook, and stores the last
// status, so that changes are noticed.
package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// postTimeout limits a post, because a report or the messages after it wait for it.
const postTimeout = 10 * time.Second

// Webhook is the address that messages are posted to. Its URL is a secret, and is never printed.
type Webhook struct{ address string }

// ParseWebhook parses a URL of http or https.
func ParseWebhook(address string) (Webhook, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return Webhook{}, errors.New("the webhook is not a URL of http or https")
	}
	return Webhook{address: address}, nil
}

// String returns the URL without its secret parts: https://hooks.slack.com/….
func (w Webhook) String() string {
	parsed, err := url.Parse(w.address)
	if err != nil {
		return "…"
	}
	return parsed.Scheme + "://" + parsed.Host + "/…"
}

// GoString keeps the secret out of %#v, too.
func (w Webhook) GoString() string { return w.String() }

// Post sends a message as JSON. A redirection is an error, because the message is for this server only.
func (w Webhook) Post(ctx context.Context, m any) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the message for %s: %w", w, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("notify %s: %w", w, postError(err))
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("notify %s: %w", w, postError(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("notify %s: %w", w, responseError(response))
	}
	return nil
}

// slackErrors declares the responses with which Slack explains a status. Another text of a server is not printed: it may repeat a part
// of the URL, which is a secret.
// Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors
// Source: https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
var slackErrors = []string{
	"action_prohibited", "channel_is_archived", "channel_not_found", "invalid_blocks", "invalid_payload", "invalid_token",
	"missing_text_or_fallback_or_attachments", "no_active_hooks", "no_service", "no_service_id", "no_team", "no_text",
	"posting_to_general_channel_denied", "rollup_error", "team_disabled", "too_many_attachments", "user_not_found",
}

// maxResponse declares how many bytes of a response are read.
const maxResponse = 200

// responseError returns the status of a response, and Slack's reason. The text beside the status code is the server's, too.
func responseError(response *http.Response) error {
	status := strings.TrimSpace(fmt.Sprintf("the server answered %d %s", response.StatusCode, http.StatusText(response.StatusCode)))
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if reason := strings.TrimSpace(string(body)); slices.Contains(slackErrors, reason) {
		return fmt.Errorf("%s: %s", status, reason)
	}
	return errors.New(status)
}

// postError returns an error of the HTTP client without the address. An error that quotes a response, such as one that is not HTTP,
// is not printed, as other texts of a server are not.
func postError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.New("no response in time")
	}
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &network), errors.As(err, &certificate), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, http.ErrSchemeMismatch):
		return sanitize.WithoutURL(err)
	}
	return errors.New("no valid response of the server or of a proxy")
}
