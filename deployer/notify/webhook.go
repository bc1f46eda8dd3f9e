// Package notify posts the summary of a status report and the events of a deployment to a webhook, and stores the last
// status, so that changes are noticed.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
		return fmt.Errorf("notify %s: the server answered %s%s", w, response.Status, w.responseSnippet(response.Body))
	}
	return nil
}

// snippetLength is how many bytes of a response are shown.
const snippetLength = 200

// responseSnippet returns the start of the response, such as Slack's invalid_payload; nothing of a page, or of one that repeats the URL.
func (w Webhook) responseSnippet(body io.Reader) string {
	raw, _ := io.ReadAll(io.LimitReader(body, snippetLength))
	snippet := strings.Join(strings.Fields(string(raw)), " ")
	parsed, err := url.Parse(w.address)
	if snippet == "" || err != nil || strings.Contains(snippet, "<") || parsed.Path != "/" && strings.Contains(snippet, parsed.Path) {
		return ""
	}
	return ": " + snippet
}

// postError returns an error of the HTTP client without the address.
func postError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.New("no response in time")
	}
	return sanitize.WithoutURL(err)
}
