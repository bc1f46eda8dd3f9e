package engine

import "time"

// Status is the status of a step.
type Status string

// A step starts, and ends in one of two ways. A note is a diagnostic about a resource, or about the run if the event has no
// URN.
const (
	Started Status = "started"
	Done    Status = "done"
	Failed  Status = "failed"
	Note    Status = "note"
)

// Event reports the progress of a run.
type Event struct {
	// URN is the resource's; Type and Name are parts of it, such as aws:rds/instance:Instance and database.
	URN, Type, Name string
	// Op is the engine's operation: create, update, delete, replace, same, read, refresh and so on.
	Op     string
	Status Status
	// Message is a diagnostic in plain text; of a failed step, its cause.
	Message string
	// Warning marks a note of the severity warning.
	Warning bool
	// Done counts the steps that have ended, including those without changes; Total is Update.Total.
	Done, Total int
}

// Changes reports whether the step changes something in the account or the state.
func (e Event) Changes() bool { return isChange(e.Op) }

// Summary describes a run that succeeded.
type Summary struct {
	// Changes counts resources by operation: create, update, delete, replace, same.
	Changes map[string]int
	// Duration is the time of the engine's run.
	Duration time.Duration
	// Warnings are those of the engine and the providers, one line or more each.
	Warnings []string
}

// Changed returns the number of resources that were changed.
func (s Summary) Changed() int {
	n := 0
	for op, count := range s.Changes {
		if isChange(op) {
			n += count
		}
	}
	return n
}
