// Package gcpercent makes the garbage collector run less often, from before the other packages are initialised.
//
// Most commands end before their memory matters: at the default of 100, an eighth of the processor time of a deployment
// was the collector's. GOGC, where it is set, stays as it is.
//
// Source: https://go.dev/doc/gc-guide#GOGC, and https://go.dev/ref/spec#Program_initialization for the order
package gcpercent

import (
	"os"
	"runtime/debug"
)

// percent and limit are the growth of the heap between two collections, and the bytes near which they become frequent again.
const (
	percent = 400
	limit   = 1 << 30
)

// Set reports whether the percentage was set.
var Set = set()

func set() bool {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return false
	}
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(percent)
	return true
}
