package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/balancer/v3-backend-infra/deployer/lock"
)

// Lock shows the state of an environment's lock; with a nil status it is free.
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
	return show(w, view, format, Style{}, func(d *document) { d.lock(environment, status) })
}

func (d *document) lock(environment string, status *lock.Status) {
	if status == nil {
		d.add("", environment+" is free: no deployer is changing it")
		return
	}
	state := map[lock.State]string{
		lock.StateHeld:    "held",
		lock.StateEnding:  "ending: its deployer crashed or was killed, its engine is still running",
		lock.StateExpired: "expired: its holder crashed or was killed; the next deployment takes it over",
	}[status.State]
	h, t := status.Holder, newTable("lock", environment)
	t.AppendRows([]table.Row{
		{"state", state},
		{"doing", strings.TrimSpace(h.Command + " " + h.Image)},
		{"phase", h.Phase}, {"by", h.By}, {"from", fmt.Sprintf("%s, process %d", h.Host, h.PID)}, {"run", h.Run},
		{"since", formatTime(h.Started)},
		{"last heartbeat", status.SinceHeartbeat.Round(time.Second).String() + " ago"},
	})
	if !h.Expires.IsZero() {
		t.AppendRow(table.Row{"expires", formatTime(h.Expires) + ", unless a heartbeat arrives"})
	}
	d.table(t)
}
