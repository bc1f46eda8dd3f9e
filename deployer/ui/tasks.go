package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// TaskFormats returns the formats of Tasks, the default first.
func TaskFormats() []string { return []string{"table", "json"} }

// A TaskList is the tasks of an environment at a time.
type TaskList struct {
	Environment string         `json:"environment"`
	Cluster     string         `json:"cluster"`
	Timestamp   time.Time      `json:"timestamp"`
	Tasks       []release.Task `json:"tasks"`
}

// Tasks shows the tasks of an environment. Below a task that stopped are when it did, and why.
func Tasks(w io.Writer, shown TaskList, format string, style Style) error {
	if shown.Tasks == nil {
		shown.Tasks = []release.Task{}
	}
	return show(w, shown, format, style, func(d *document) { d.tasks(shown) })
}

func (d *document) tasks(shown TaskList) {
	if len(shown.Tasks) == 0 {
		d.addf("", "no task runs in %s, and none stopped within the last hour", shown.Environment)
		return
	}
	t := newTable("task", "service", "rev", "image", "digest", "age", "state")
	t.setColumns(below(4, 5))
	for _, task := range shown.Tasks {
		_, revision, _ := strings.Cut(task.Revision, ":")
		t.addRow([]any{
			ecstasks.ShortID(task.ID), task.Service, revision, task.Image.Tag, shortDigits(task.Image.Digest),
			Age(shown.Timestamp.Sub(task.Created)), d.style.taskState(task),
		})
		t.addNote(stopText(task, shown.Timestamp))
	}
	d.table(t)
}

// stopText returns when a task stopped, after how long, and why; "" where it runs.
func stopText(task release.Task, now time.Time) string {
	if task.Cause == "" {
		return ""
	}
	words := "stopping: "
	switch {
	case task.Stopped != nil && task.Started != nil:
		words = fmt.Sprintf("stopped %s after %s: ", Age(now.Sub(*task.Stopped)), formatDuration(task.Stopped.Sub(*task.Started)))
	case task.Stopped != nil:
		words = fmt.Sprintf("stopped %s, never ran: ", Age(now.Sub(*task.Stopped)))
	}
	words += task.Cause
	if task.Reason != "" && task.Reason != task.Cause {
		words += " (" + text.FirstLine(task.Reason) + ")"
	}
	return words
}

// taskState returns the health of a task that runs, the exit code of one that stopped, else its status.
func (s Style) taskState(task release.Task) string {
	switch {
	case task.Status == "running" && task.Health == "healthy":
		return s.green(task.Health)
	case task.Status == "running" && task.Health == "unhealthy":
		return s.red(task.Health)
	case task.Status == "running":
		return task.Status
	case task.ExitCode == nil && task.Cause != "" && task.Stopped == nil:
		return "stopping" // ECS knows four steps of that
	case task.ExitCode == nil:
		return task.Status
	case *task.ExitCode == 0:
		return "exit 0"
	}
	return s.red(fmt.Sprintf("exit %d", *task.ExitCode))
}

// shortDigits returns the first 12 digits of a digest.
func shortDigits(digest string) string {
	return strings.TrimPrefix(awsx.ShortDigest(digest), "sha256:")
}
