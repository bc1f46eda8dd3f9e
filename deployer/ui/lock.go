package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/balancer/v3-backend-infra/deployer/lock"
)

// Lock shows how an environment's lock stands; nil is free.
func Lock(w io.Writer, environment string, standing *lock.Standing, format string) error {
	shown := struct {
		Environment string `json:"environment"`
		// State is free, held, ending or expired.
		State string `json:"state"`
		// SilentSeconds is the time since the last heartbeat.
		SilentSeconds float64      `json:"silentSeconds,omitempty"`
		Holder        *lock.Holder `json:"holder,omitempty"`
	}{Environment: environment, State: "free"}
	if standing != nil {
		shown.State, shown.Holder, shown.SilentSeconds = string(standing.Condition), &standing.Holder, standing.Silence.Seconds()
	}
	switch format {
	case "json":
		return JSON(w, shown)
	case "yaml":
		return YAML(w, shown)
	}
	if standing == nil {
		_, err := fmt.Fprintf(w, "%s is free: nobody is changing it\n", environment)
		return err
	}
	h, t := standing.Holder, Style{}.table("lock", environment)
	t.AppendRows([]table.Row{
		{"state", stateOfLock(standing.Condition)},
		{"doing", strings.TrimSpace(h.Doing + " " + h.Image)},
		{"phase", h.Phase}, {"by", h.By}, {"from", fmt.Sprintf("%s, process %d", h.Host, h.PID)}, {"run", h.Run},
		{"since", moment(h.Started)},
		{"last heartbeat", standing.Silence.Round(time.Second).String() + " ago"},
	})
	if !h.Expires.IsZero() {
		t.AppendRow(table.Row{"expires", moment(h.Expires) + ", unless a heartbeat comes"})
	}
	return render(w, t)
}

func stateOfLock(c lock.Condition) string {
	switch c {
	case lock.Ending:
		return "ending: its deployer has died, its engine still runs"
	case lock.Dead:
		return "expired: its holder has died; the next deployment takes it over"
	case lock.Alive:
	}
	return string(c)
}

// moment is a time as people compare it across machines.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}
