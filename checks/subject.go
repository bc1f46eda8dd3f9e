package checks

import "fmt"

// subject is the thing that a judgement is about.
type subject struct {
	component, service string
	details            map[string]any
}

// with adds one piece of evidence and returns the subject.
func (s subject) with(key string, value any) subject {
	s.details[key] = value
	return s
}

// about begins a judgement.
func about(component, service string) subject {
	return subject{component: component, service: service, details: map[string]any{}}
}

func (s subject) healthy(reason, format string, args ...any) Finding {
	return s.finding(Healthy, reason, nil, format, args...)
}

func (s subject) warning(reason string, hint Hint, format string, args ...any) Finding {
	return s.finding(Warning, reason, &hint, format, args...)
}

func (s subject) error(reason string, hint Hint, format string, args ...any) Finding {
	return s.finding(Error, reason, &hint, format, args...)
}

func (s subject) unknown(reason string, hint Hint, format string, args ...any) Finding {
	return s.finding(Unknown, reason, &hint, format, args...)
}

func (s subject) finding(status Status, reason string, hint *Hint, format string, args ...any) Finding {
	return Finding{
		Service: s.service, Component: s.component, Status: status, Reason: reason,
		Message: fmt.Sprintf(format, args...), Details: s.details, Hint: hint,
	}
}
