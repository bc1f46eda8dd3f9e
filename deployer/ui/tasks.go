package ui

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// TaskFormats returns the formats of Tasks, the default first.
func TaskFormats() []string { return []string{"table", "json"} }

// TaskList is the tasks of an environment at a time.
type TaskList struct {
	Environment string         `json:"environment"`
	Cluster     string         `json:"cluster"`
	Timestamp   time.Time      `json:"timestamp"`
	Tasks       []release.Task `json:"tasks"`
}

// taskTableWidth is the least width of a terminal in which the table of tasks fits.
const taskTableWidth = 80

// taskTagWidth is how much of a tag the table of tasks shows.
const taskTagWidth = 16

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
	if d.style.Width > 0 && d.style.Width < taskTableWidth {
		d.narrowTasks(shown)
		return
	}
	t := newTable("task", "service", "rev", "image", "digest", "age", "state")
	for _, task := range shown.Tasks {
		_, revision, _ := strings.Cut(task.Revision, ":")
		t.AppendRow([]any{
			shortTask(task.ID), task.Service, revision, text.Snip(cmp.Or(task.Image.Tag, "-"), taskTagWidth),
			shortDigits(task.Image.Digest), taskAge(shown.Timestamp.Sub(task.Created)), d.style.taskState(task),
		})
	}
	for i, line := range t.render(Style{ASCII: d.style.ASCII}) {
		d.WriteString(strings.TrimRight(line, " ") + "\n")
		if i > 0 {
			d.stopOf(shown.Tasks[i-1], shown.Timestamp, "          ")
		}
	}
}

// narrowTasks appends the tasks where a table does not fit.
func (d *document) narrowTasks(shown TaskList) {
	for _, task := range shown.Tasks {
		_, revision, _ := strings.Cut(task.Revision, ":")
		d.addf("  ", "%s %s, revision %s: %s, %s", shortTask(task.ID), task.Service, revision, d.style.taskState(task), taskAge(shown.Timestamp.Sub(task.Created)))
		if task.Image != (release.TaskImage{}) {
			d.addf("  ", "  %s %s", cmp.Or(task.Image.Tag, "-"), shortDigits(task.Image.Digest))
		}
		d.stopOf(task, shown.Timestamp, "  ")
	}
}

// stopOf appends when a task stopped, after how long, and why; nothing where it runs.
func (d *document) stopOf(task release.Task, now time.Time, indent string) {
	if task.Cause == "" {
		return
	}
	line := "stopping: "
	switch {
	case task.Stopped != nil && task.Started != nil:
		line = fmt.Sprintf("stopped %s after %s: ", Age(now.Sub(*task.Stopped)), formatDuration(task.Stopped.Sub(*task.Started)))
	case task.Stopped != nil:
		line = fmt.Sprintf("stopped %s, never ran: ", Age(now.Sub(*task.Stopped)))
	}
	line += task.Cause
	if task.Reason != "" && task.Reason != task.Cause {
		line += " (" + text.FirstLine(task.Reason) + ")"
	}
	d.add(indent, indent+line)
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

// shortTask returns the first characters of a task's ID, as logs shows them: exec --task accepts them.
func shortTask(id string) string { return id[:min(len(id), 8)] }

// shortDigits returns the first 12 digits of a digest.
func shortDigits(digest string) string {
	return strings.TrimPrefix(awsx.ShortDigest(digest), "sha256:")
}

// taskAge returns an age without the word ago.
func taskAge(age time.Duration) string { return strings.TrimSuffix(Age(age), " ago") }
