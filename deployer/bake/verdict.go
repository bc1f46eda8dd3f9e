package bake

// Verdict holds the outcome of a bake. Evidence has what failed, and is empty where nothing did.
type Verdict struct {
	Failed   bool
	Evidence []Evidence
	// Summary describes in one line what was observed; "" where nothing was.
	Summary string
	// Unjudged names what could not be read at all of the alarms and the metrics, so that the version is not known to be good; "" where
	// both were read.
	Unjudged string
	// Warnings describe what was not judged and why, and the alarms that were in alarm before the rollout.
	Warnings []string
}

// Evidence describes one thing that failed: its kind (alarm, task, targets, 5xx, latency or memory), what it is about, and a
// sentence with the numbers and the limit.
type Evidence struct{ Kind, Subject, Text string }

// The kinds of evidence.
const (
	KindAlarm   = "alarm"
	KindTask    = "task"
	KindTargets = "targets"
	KindErrors  = "5xx"
	KindLatency = "latency"
	KindMemory  = "memory"
)
