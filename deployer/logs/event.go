// Package logs reads the log group of an environment: what its containers wrote, merged by time over several services, and what they
// write from now on. It renders lines for people and for programs.
package logs

import (
	"strings"
	"time"
)

// Event is one line that a container wrote.
type Event struct {
	// ID is CloudWatch's: no two events of a log group share one.
	ID string `json:"id"`
	// Time is the line's, Ingested when CloudWatch received it; both are UTC.
	Time     time.Time `json:"time"`
	Ingested time.Time `json:"ingested"`
	// Service, Container and Task are the parts of the stream's name, where it has them.
	Service   string `json:"service"`
	Container string `json:"container,omitempty"`
	Task      string `json:"task,omitempty"`
	Stream    string `json:"stream"`
	Message   string `json:"message"`
}

// withStreamParts sets what the stream's name contains: the log driver composes it of prefix, container and task.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func (e Event) withStreamParts() Event {
	parts := strings.Split(e.Stream, "/")
	e.Service = parts[0]
	if len(parts) == 3 {
		e.Container, e.Task = parts[1], parts[2]
	}
	return e
}

// source returns the service, and enough of the task's ID to distinguish tasks.
func (e Event) source() string {
	if e.Task == "" {
		return e.Service
	}
	return e.Service + "/" + e.Task[:min(8, len(e.Task))]
}
