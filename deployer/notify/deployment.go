package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A DeploymentEvent is what a DeploymentMessage reports.
type DeploymentEvent string

// The events of a deployment. One that preflight refuses has only NotStarted, one that started has one of the others as its end.
const (
	NotStarted  DeploymentEvent = "not_started"
	Started     DeploymentEvent = "started"
	RollingBack DeploymentEvent = "rolling_back"
	Succeeded   DeploymentEvent = "succeeded"
	Partial     DeploymentEvent = "partial"
	Failed      DeploymentEvent = "failed"
	Interrupted DeploymentEvent = "interrupted"
)

// A DeploymentMessage is the body of a notification of a deployment. Slack's incoming webhooks show only Text; the rest is for
// programs.
type DeploymentMessage struct {
	Text        string          `json:"text"`
	Event       DeploymentEvent `json:"event"`
	Environment string          `json:"environment"`
	Timestamp   time.Time       `json:"timestamp"`
	// Deployment is the ID of its record; "" where it has none.
	Deployment string       `json:"deployment"`
	Kind       history.Kind `json:"kind"`
	By         string       `json:"by"`
	// Run is the page of the workflow run, "" outside one.
	Run        string        `json:"run,omitempty"`
	Components []string      `json:"components,omitempty"`
	Image      history.Image `json:"image"`
	// RolledBackFrom is the image that a rollback on request replaces, RolledBackTo the one that was deployed again after a
	// failure.
	RolledBackFrom *history.Image `json:"rolledBackFrom,omitempty"`
	RolledBackTo   *history.Image `json:"rolledBackTo,omitempty"`
	// Phase is the one that failed or was interrupted, "" of an event without one.
	Phase string `json:"phase,omitempty"`
	// Seconds is how long the deployment took; 0 of one that has not ended.
	Seconds  float64  `json:"seconds,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Rollback is the outcome of the automatic rollback; "" where none was begun or it has not ended.
	Rollback history.Outcome `json:"rollback,omitempty"`
	Error    string          `json:"error,omitempty"`
	Hint     string          `json:"hint,omitempty"`
}

// EndOf returns the event of a deployment that has ended, or that never started.
func EndOf(d history.Deployment, started bool) DeploymentEvent {
	switch {
	case d.Outcome == history.Interrupted:
		return Interrupted
	case d.Outcome == history.Incomplete:
		return Partial
	case d.Complete():
		return Succeeded
	case !started:
		return NotStarted
	}
	return Failed
}

// NewDeploymentMessage returns the message of an event of a deployment, whose record has no log lines of containers. Run is the
// page of the workflow run, or "".
func NewDeploymentMessage(event DeploymentEvent, d history.Deployment, run string, at time.Time) DeploymentMessage {
	m := DeploymentMessage{
		Event: event, Environment: d.Environment, Timestamp: at.UTC(), Deployment: d.ID, Kind: d.Kind, By: d.By, Run: run,
		Components: slices.Clone(d.Components), Image: d.Image, RolledBackFrom: copyOf(d.RolledBackFrom),
		RolledBackTo: copyOf(d.RolledBackTo), Phase: failedPhase(d), Rollback: d.Rollback, Warnings: slices.Clone(d.Warnings), Error: d.Error, Hint: d.Hint,
	}
	if !d.Ended.IsZero() {
		m.Seconds = d.Ended.Sub(d.Started).Seconds()
	}
	// The passwords of URLs: an error may quote a connection string.
	var redactor sanitize.Redactor
	sanitize.ValueFunc(&m, func(_, s string) string { return redactor.Redact(sanitize.Text(s)) })
	m.Text = m.text(d)
	return m
}

func copyOf(image *history.Image) *history.Image {
	if image == nil {
		return nil
	}
	copied := *image
	return &copied
}

// failedPhase returns the phase that failed or was interrupted, "" where none was.
func failedPhase(d history.Deployment) string {
	for _, p := range d.Phases {
		if p.Outcome == history.Failed || p.Outcome == history.Interrupted {
			return p.Name
		}
	}
	return ""
}

// maxEvidence declares how many bytes of an error the text has. Slack truncates a text that is longer than 40,000 characters, and
// recommends 4,000.
// Source: https://docs.slack.dev/reference/methods/chat.postMessage/#truncating-content
const maxEvidence = 2500

func (m DeploymentMessage) text(d history.Deployment) string {
	line := fmt.Sprintf("%s *%s*: %s %s", m.emoji(), escape(m.Environment), m.subject(d), m.outcome(d))
	if m.Run != "" {
		line += fmt.Sprintf(" (<%s|run>)", escape(m.Run))
	}
	if m.Error != "" {
		line += "\n```\n" + escape(evidence(m.Error)) + "\n```"
	}
	if m.Hint != "" {
		line += "\nhint: " + escape(m.Hint)
	}
	return line
}

// emoji returns the sign of an event; a start has that of something that is not known yet.
func (m DeploymentMessage) emoji() string {
	switch m.Event {
	case Succeeded:
		return ui.Emoji(checks.Healthy)
	case Failed, NotStarted:
		return ui.Emoji(checks.Error)
	case Started:
		return "→"
	case RollingBack, Partial, Interrupted:
	}
	return ui.Emoji(checks.Warning)
}

// subject returns what is deployed.
func (m DeploymentMessage) subject(d history.Deployment) string {
	image := "*" + escape(cmp.Or(m.Image.Tag, m.Image.Digest, "the image that runs")) + "*"
	switch {
	case d.Kind == history.Rollback:
		return "rollback to " + image
	case d.Restarted:
		return "restart of " + image
	case len(m.Components) > 0 && d.DeploysImage():
		return "deployment of " + escape(text.Join(m.Components, "and")) + " with " + image
	case len(m.Components) > 0:
		return "deployment of " + escape(text.Join(m.Components, "and"))
	}
	return "deployment of " + image
}

// outcome returns what happened to the deployment.
func (m DeploymentMessage) outcome(d history.Deployment) string {
	took := text.Duration(time.Duration(m.Seconds * float64(time.Second)))
	phase, to := "", ""
	if m.RolledBackTo != nil {
		to = " to *" + escape(m.RolledBackTo.Tag) + "*"
	}
	if m.Phase != "" {
		phase = " in " + m.Phase
	}
	switch m.Event {
	case Started:
		return "started by " + escape(m.By)
	case NotStarted:
		return "could not start"
	case RollingBack:
		return "failed" + phase + " and is rolled back" + to
	case Partial:
		for _, p := range d.Phases {
			if p.Outcome == history.Incomplete {
				return "ended as partial after " + took + ": the " + p.Name + " could not judge, so the image is not verified"
			}
		}
		return "ended as partial after " + took + ": phases were skipped"
	case Interrupted:
		return "was interrupted" + phase + " after " + took
	case Failed:
		switch {
		case to != "":
			return "failed" + phase + " after " + took + " and was rolled back" + to
		case m.Rollback == history.Interrupted:
			return "failed" + phase + " after " + took + ", and its rollback was interrupted"
		case m.Rollback == history.Failed:
			return "failed" + phase + " after " + took + ", and its rollback failed"
		}
		return "failed" + phase + " after " + took
	case Succeeded:
	}
	line := "succeeded after " + took
	if len(m.Warnings) > 0 {
		line += ", with " + text.Plural(len(m.Warnings), "warning", "")
	}
	return line
}

// evidence returns the beginning of an error, whole lines of it, which a block of code can contain.
func evidence(err string) string {
	err = strings.ReplaceAll(strings.TrimRight(err, "\n"), "```", "'''")
	if len(err) <= maxEvidence {
		return err
	}
	end := maxEvidence
	if at := strings.LastIndex(err[:end], "\n"); at > 0 {
		end = at
	}
	return strings.ToValidUTF8(err[:end], "") + "\n…"
}
