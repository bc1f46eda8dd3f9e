package cloud

import (
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// How long steps take in AWS.
const (
	provisionTime = 5 * time.Second
	pullTime      = 25 * time.Second
	healthTime    = 20 * time.Second
	stopTime      = 5 * time.Second
	oneOffTime    = 20 * time.Second
)

// exitSIGTERM is the exit code of a process that SIGTERM ends. The services handle SIGTERM and exit with 0.
const exitSIGTERM = 143

// task is an ECS task. Its milestones are scheduled when it is started, and its status follows from the ones that have
// been reached.
type task struct {
	ARN        string `json:"arn"`
	Cluster    string `json:"cluster"`
	Definition string `json:"definition"`
	Digest     string `json:"digest"`
	Group      string `json:"group"`
	StartedBy  string `json:"startedBy"`
	// Service and Revision are ARNs; a task of RunTask has neither.
	Service  string   `json:"service,omitempty"`
	Revision string   `json:"revision,omitempty"`
	Subnet   string   `json:"subnet"`
	Address  string   `json:"address"`
	Command  []string `json:"command,omitempty"`
	// Provider is the capacity provider of the service when it started; a task of RunTask has none.
	Provider string `json:"provider,omitempty"`
	// Exec is whether ECS Exec is enabled, which is decided at the start.
	Exec bool `json:"exec,omitempty"`

	Created time.Time `json:"created"`
	Pull    time.Time `json:"pull,omitzero"`
	Started time.Time `json:"started,omitzero"`
	Healthy time.Time `json:"healthy,omitzero"`
	// Unhealthy is when its targets' health checks have failed too often.
	Unhealthy time.Time `json:"unhealthy,omitzero"`
	// ReplaceAt is when ECS replaces the unhealthy task: not before the service's grace period ends.
	ReplaceAt time.Time `json:"givenUp,omitzero"`
	// Deactivating is when it was asked to stop, or began to stop on its own; until Stopping its targets drain.
	Deactivating time.Time `json:"leaving,omitzero"`
	Stopping     time.Time `json:"stopping,omitzero"`
	Stopped      time.Time `json:"stopped,omitzero"`

	Code   ecs.TaskStopCode `json:"code,omitempty"`
	Reason string           `json:"reason,omitempty"`
	// Exit and ExitReason are the main container's.
	Exit       *int32 `json:"exit,omitempty"`
	ExitReason string `json:"exitReason,omitempty"`
	// LogScript is what its container writes to the log.
	LogScript logScript `json:"story,omitempty"`
	// Fault is the one that affects the task, FaultSince is since when.
	Fault      string    `json:"fault,omitempty"`
	FaultSince time.Time `json:"faultSince,omitzero"`
	// Database is the resource ID of a migration's database, Migrations are those that it applies, MigrationsFound is how many its image has.
	Database        string   `json:"database,omitempty"`
	Migrations      []string `json:"migrations,omitempty"`
	MigrationsFound int      `json:"migrationsFound,omitempty"`
	// FailureCounted is set when its failure has been counted.
	FailureCounted bool `json:"counted,omitempty"`
}

// ID returns the last part of the ARN, which also names the log stream.
func (t *task) ID() string { return awsx.NameFromARN(t.ARN) }

func (t *task) milestones() []time.Time {
	return []time.Time{t.Pull, t.Started, t.Healthy, t.Unhealthy, t.ReplaceAt, t.Deactivating, t.Stopping, t.Stopped}
}

// status returns the task's last status.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func (m model) status(t *task) string {
	switch {
	case m.reached(t.Stopped):
		return "STOPPED"
	case m.reached(t.Stopping):
		return "STOPPING"
	case m.reached(t.Deactivating):
		return "DEACTIVATING"
	case m.reached(t.Started):
		return "RUNNING"
	case m.reached(t.Pull):
		return "PENDING"
	}
	return "PROVISIONING"
}

func (m model) active(t *task) bool { return !m.reached(t.Deactivating) }

func (m model) running(t *task) bool { return m.active(t) && m.reached(t.Started) }

// draining reports whether the task only finishes its open requests.
func (m model) draining(t *task) bool { return m.reached(t.Deactivating) && !m.reached(t.Stopping) }

// healthy reports whether the container and the targets of the task pass their health checks. Targets with a scheduled
// failure never pass one.
func (m model) healthy(t *task) bool {
	return m.running(t) && m.reached(t.Healthy) && t.Unhealthy.IsZero()
}

func (t *task) stoppedItself() bool {
	return t.Code == ecs.TaskStopCodeEssentialContainerExited || t.Code == ecs.TaskStopCodeTaskFailedToStart
}

// stop asks the task to stop after its targets have drained. It does nothing if the task was already asked.
func (m model) stop(t *task, drain time.Duration, code ecs.TaskStopCode, reason string) {
	if !m.active(t) {
		return
	}
	if t.Database != "" {
		m.abandonMigration(t)
	}
	t.Deactivating, t.Stopping = m.now, m.now
	t.Exit, t.ExitReason = nil, ""
	if m.reached(t.Started) {
		t.Stopping = m.in(drain)
		t.Exit = new(int32)
		if t.Service == "" {
			*t.Exit = exitSIGTERM
		}
	}
	t.Stopped = m.after(t.Stopping, stopTime)
	t.Code, t.Reason = code, reason
}

// scheduleExit makes the task's container exit at a time.
func (m model) scheduleExit(t *task, at time.Time, code int32, reason string) {
	t.Deactivating, t.Stopping = at, at
	t.Stopped = m.after(at, stopTime)
	t.Code, t.Reason = ecs.TaskStopCodeEssentialContainerExited, "Essential container in task exited"
	t.Exit, t.ExitReason = &code, reason
}

// failStart makes the task fail before its container starts.
func (m model) failStart(t *task, at time.Time, reason string) {
	t.Started, t.Healthy = time.Time{}, time.Time{}
	t.Deactivating, t.Stopping = at, at
	t.Stopped = m.after(at, stopTime)
	t.Code, t.Reason = ecs.TaskStopCodeTaskFailedToStart, reason
}
