package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/blob"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// Message is the body of a notification. Slack's incoming webhooks show only Text; the rest is for programs.
// Source: https://api.slack.com/messaging/webhooks
type Message struct {
	Text        string        `json:"text"`
	Environment string        `json:"environment"`
	Region      string        `json:"region"`
	Timestamp   time.Time     `json:"timestamp"`
	Status      checks.Status `json:"status"`
	// Previous is the status of the last run, "" if it is unknown.
	Previous checks.Status `json:"previous,omitempty"`
	// Changed reports whether the status differs from a known previous one.
	Changed bool           `json:"changed"`
	Summary checks.Summary `json:"summary"`
	// Findings are those that are not healthy, errors first.
	Findings []Finding `json:"findings"`
	// Error is why the environment could not be checked.
	Error string `json:"error,omitempty"`
}

// Finding is a result that is not healthy.
type Finding struct {
	Service   string        `json:"service"`
	Component string        `json:"component"`
	Status    checks.Status `json:"status"`
	Reason    string        `json:"reason"`
	Message   string        `json:"message"`
	Hint      *checks.Hint  `json:"hint,omitempty"`
}

// NewMessage returns the message about a report. previous is the status of the last run; failure is why the environment could not be
// checked, or "".
func NewMessage(r checks.Report, previous checks.Status, failure string) Message {
	m := Message{
		Environment: r.Environment, Region: r.Region, Timestamp: r.Timestamp, Status: r.Summary.Status, Summary: r.Summary,
		Previous: previous, Changed: previous != "" && previous != r.Summary.Status, Findings: []Finding{}, Error: failure,
	}
	for _, status := range []checks.Status{checks.Error, checks.Warning, checks.Unknown} {
		for _, f := range r.Services {
			if f.Status == status {
				m.Findings = append(m.Findings, Finding{
					Service: f.Service, Component: f.Component, Status: f.Status, Reason: f.Reason, Message: f.Message, Hint: f.Hint,
				})
			}
		}
	}
	m.Text = m.text()
	return m
}

// ShouldSend reports whether the result is not healthy, or has changed.
func (m Message) ShouldSend() bool { return m.Status != checks.Healthy || m.Changed }

// maxFindings is how many findings the text lists.
const maxFindings = 10

func (m Message) text() string {
	lines := []string{fmt.Sprintf("%s *%s* is *%s*%s: %s", ui.Emoji(m.Status), escape(m.Environment), m.Status, m.previousSuffix(), ui.Counts(m.Summary))}
	if m.Error != "" {
		lines = append(lines, "It could not be checked: "+escape(m.Error))
	}
	for _, f := range m.Findings[:min(len(m.Findings), maxFindings)] {
		lines = append(lines, fmt.Sprintf("• %s *%s*: %s", ui.Emoji(f.Status), escape(f.Service), escape(f.Message)))
		if f.Hint != nil && f.Hint.Command != "" {
			lines = append(lines, fmt.Sprintf("    %s: `%s`", escape(f.Hint.Solution), escape(f.Hint.Command)))
		}
	}
	if left := len(m.Findings) - maxFindings; left > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", left))
	}
	return strings.Join(lines, "\n")
}

func (m Message) previousSuffix() string {
	if !m.Changed {
		return ""
	}
	return fmt.Sprintf(" (it was %s)", m.Previous)
}

// escape escapes the characters with which links and mentions start in Slack.
// Source: https://api.slack.com/reference/surfaces/formatting#escaping
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// StatusStore stores the last status of each environment, as status/STACK.json beside the records of deployments.
type StatusStore struct{ Files blob.Store }

type statusRecord struct {
	Status    checks.Status `json:"status"`
	Timestamp time.Time     `json:"timestamp"`
}

func key(stack string) string { return "status/" + stack + ".json" }

// Last returns the status of the last run, "" if there was none.
func (s StatusStore) Last(ctx context.Context, stack string) (checks.Status, error) {
	body, err := s.Files.Get(ctx, key(stack))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var last statusRecord
	if err == nil {
		err = json.Unmarshal(body, &last)
	}
	sanitize.Value(&last)
	if err != nil {
		return "", fmt.Errorf("read the last status of %s: %w", stack, err)
	}
	return last.Status, nil
}

// Save replaces the last status.
func (s StatusStore) Save(ctx context.Context, stack string, status checks.Status, at time.Time) error {
	body, err := json.Marshal(statusRecord{Status: status, Timestamp: at.UTC()})
	if err == nil {
		err = s.Files.Put(ctx, key(stack), body)
	}
	if err != nil {
		return fmt.Errorf("save the status of %s: %w", stack, err)
	}
	return nil
}
