package checks

import (
	"fmt"
	"time"
)

// findingBuilder collects the evidence about one resource until it is evaluated.
type findingBuilder struct {
	component, service string
	details            map[string]any
}

func (s findingBuilder) with(key string, value any) findingBuilder {
	s.details[key] = value
	return s
}

func newFinding(component, service string) findingBuilder {
	return findingBuilder{component: component, service: service, details: map[string]any{}}
}

func (s findingBuilder) healthy(reason, format string, args ...any) Finding {
	return s.finding(Healthy, reason, nil, format, args...)
}

func (s findingBuilder) warning(reason string, hint Hint, format string, args ...any) Finding {
	return s.finding(Warning, reason, &hint, format, args...)
}

func (s findingBuilder) error(reason string, hint Hint, format string, args ...any) Finding {
	return s.finding(Error, reason, &hint, format, args...)
}

func (s findingBuilder) unknown(reason string, hint Hint, format string, args ...any) Finding {
	return s.finding(Unknown, reason, &hint, format, args...)
}

func (s findingBuilder) finding(status Status, reason string, hint *Hint, format string, args ...any) Finding {
	return Finding{
		Service: s.service, Component: s.component, Status: status, Reason: reason,
		Message: fmt.Sprintf(format, args...), Details: s.details, Hint: hint,
	}
}

// setText adds a detail unless the text is empty.
func setText(details map[string]any, key, text string) {
	if text != "" {
		details[key] = text
	}
}

// setTime adds a detail unless the time is nil.
func setTime(details map[string]any, key string, at *time.Time) {
	if at != nil {
		details[key] = at.UTC().Format(time.RFC3339)
	}
}
