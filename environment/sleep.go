package environment

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// A SleepMarker is the value of the parameter that exists while the environment is asleep. The state machine of the schedule writes it, too.
type SleepMarker struct {
	Since time.Time `json:"since"`
	// By is who, or what, put the environment to sleep, or wakes it.
	By string `json:"by"`
}

// Waking ends the By of a marker while the environment is being woken, or after that was interrupted.
const Waking = " (waking)"

// Waking reports whether the marker was written to wake the environment.
func (m SleepMarker) Waking() bool { return strings.HasSuffix(m.By, Waking) }

// String returns since when the environment is asleep, and who put it to sleep where that is known.
func (m SleepMarker) String() string {
	since := text.Minute(m.Since)
	if m.By != "" {
		since += ", by " + m.By
	}
	return since
}

// SleepMarkerJSON returns the parameter's value. since is a time in RFC 3339.
func SleepMarkerJSON(since, by string) string {
	value, _ := json.Marshal(struct { // strings can always be encoded
		Since string `json:"since"`
		By    string `json:"by"`
	}{since, by})
	return string(value)
}
