// Package notify tells people elsewhere how an environment is: it posts a report's summary to a webhook, and remembers
// what it was the last time.
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
)

// postTimeout bounds a post: who waits for a report does not wait for a chat.
const postTimeout = 10 * time.Second

// Webhook is where messages are posted. Its URL is a secret in itself and is never printed.
type Webhook struct{ address string }

// ParseWebhook reads a URL of http or https.
func ParseWebhook(address string) (Webhook, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return Webhook{}, errors.New("the webhook is no URL of http or https")
	}
	return Webhook{address: address}, nil
}

// String is the webhook without what is secret: https://hooks.slack.com/….
func (w Webhook) String() string {
	parsed, err := url.Parse(w.address)
	if err != nil {
		return "…"
	}
	return parsed.Scheme + "://" + parsed.Host + "/…"
}

// GoString keeps the secret out of %#v too.
func (w Webhook) GoString() string { return w.String() }

// Post sends a message and wants an answer of success. A redirection is none: the message is for nobody else.
func (w Webhook) Post(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write the message for %s: %w", w, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("notify %s: %w", w, redactURL(err))
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("notify %s: %w", w, redactURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("notify %s: the answer was %s%s", w, response.Status, w.responseSnippet(response.Body))
	}
	return nil
}

// snippetLength is how much of an answer is shown.
const snippetLength = 200

// responseSnippet is what the other side says for itself, such as Slack's invalid_payload.
func (w Webhook) responseSnippet(body io.Reader) string {
	raw, _ := io.ReadAll(io.LimitReader(body, snippetLength))
	snippet := strings.Join(strings.Fields(string(raw)), " ")
	parsed, err := url.Parse(w.address)
	if snippet == "" || err != nil || strings.Contains(snippet, "<") || parsed.Path != "/" && strings.Contains(snippet, parsed.Path) {
		return ""
	}
	return ": " + snippet
}

// redactURL is an error without the URL that Go puts before it.
func redactURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("there was no answer in time")
	}
	return err
}
