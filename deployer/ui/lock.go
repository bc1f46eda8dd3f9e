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
func Lock(w io.Writer, environment string, status *lock.Status, format string) error {
	view := struct {
		Environment string `json:"environment"`
		// State is free, held, ending or expired.
		State string `json:"state"`
		// SilentSeconds is the time since the last heartbeat.
		SilentSeconds float64      `json:"silentSeconds,omitempty"`
		Holder        *lock.Holder `json:"holder,omitempty"`
	}{Environment: environment, State: "free"}
	if status != nil {
		view.State, view.Holder, view.SilentSeconds = string(status.State), &status.Holder, status.SinceHeartbeat.Seconds()
	}
	switch format {
	case "json":
		return JSON(w, view)
	case "yaml":
		return YAML(w, view)
	}
	if status == nil {
		_, err := fmt.Fprintf(w, "%s is free: nobody is changing it\n", environment)
		return err
	}
	h, t := status.Holder, Style{}.newTable("lock", environment)
	t.AppendRows([]table.Row{
		{"state", lockStateText(status.State)},
		{"doing", strings.TrimSpace(h.Command + " " + h.Image)},
		{"phase", h.Phase}, {"by", h.By}, {"from", fmt.Sprintf("%s, process %d", h.Host, h.PID)}, {"run", h.Run},
		{"since", formatTime(h.Started)},
		{"last heartbeat", status.SinceHeartbeat.Round(time.Second).String() + " ago"},
	})
	if !h.Expires.IsZero() {
		t.AppendRow(table.Row{"expires", formatTime(h.Expires) + ", unless a heartbeat comes"})
	}
	return renderTable(w, t)
}

func lockStateText(c lock.State) string {
	switch c {
	case lock.StateEnding:
		return "ending: its deployer has died, its engine still runs"
	case lock.StateExpired:
		return "expired: its holder has died; the next deployment takes it over"
	case lock.StateHeld:
	}
	return string(c)
}

// formatTime is a time as people compare it across machines.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}
