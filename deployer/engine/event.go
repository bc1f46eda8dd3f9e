package engine

import "time"

// Status is where a step is.
type Status string

// A step starts, and ends in one of two ways. A note is something said about a resource, or about the run where the
// event has no URN.
const (
	Started Status = "started"
	Done    Status = "done"
	Failed  Status = "failed"
	Note    Status = "note"
)

// Event is a moment of a run.
type Event struct {
	// URN is the resource's; Type and Name are parts of it, such as aws:rds/instance:Instance and database.
	URN, Type, Name string
	// Op is what the engine does: create, update, delete, replace, same, read, refresh and so on.
	Op     string
	Status Status
	// Message is a diagnostic in plain text; of a failed step, why it failed.
	Message string
	// Warning marks a note that somebody should read.
	Warning bool
	// Elapsed is the time since the step started.
	Elapsed time.Duration
	// Done counts the steps that have ended, those that change nothing too; Total is Update.Total.
	Done, Total int
}

// Changes reports whether the step changes something in the account or the state.
func (e Event) Changes() bool { return isChange(e.Op) }

// Summary is a run that ended well.
type Summary struct {
	// Changes counts resources by operation: create, update, delete, replace, same.
	Changes map[string]int
	// Duration is the engine's own time.
	Duration time.Duration
	// Warnings are what the engine and the providers warned of, one line or more each.
	Warnings []string
}

// Changed is how many resources are not the same as before.
func (s Summary) Changed() int {
	n := 0
	for op, count := range s.Changes {
		if isChange(op) {
			n += count
		}
	}
	return n
}
