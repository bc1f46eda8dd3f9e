// Package rdsstate classifies the statuses of RDS database instances: whether an instance serves, whether a deployment can
// change it, and whether waiting helps.
package rdsstate

import (
	"maps"
	"slices"
	"strings"
)

// State is what a status means for those who use the instance or wait for it.
type State string

// The states. The zero value is a status that AWS does not document: nothing is known of it.
const (
	// Operational instances serve and accept changes; RDS may do something beside that.
	Operational State = "operational"
	// Changing instances serve, with interruptions, while RDS changes them, and become available without help.
	Changing State = "changing"
	// Starting instances do not serve yet, and become available without help.
	Starting State = "starting"
	// Unavailable instances do not serve until someone acts: they are broken, stopped, or being deleted.
	Unavailable State = "failed"
)

// Available is the status in which RDS accepts every request.
const Available = "available"

// Stopped is the status of an instance that was stopped, and Stopping that of one that is about to be.
const (
	Stopped  = "stopped"
	Stopping = "stopping"
)

// states has a row for every status that RDS documents for instances of the engines that are not Aurora.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
var states = map[string]State{
	Available:                         Operational,
	"backing-up":                      Operational,
	"configuring-enhanced-monitoring": Operational,
	"configuring-iam-database-auth":   Operational,
	"configuring-log-exports":         Operational,
	"storage-initialization":          Operational,
	"storage-optimization":            Operational,

	"converting-to-vpc":            Changing,
	"maintenance":                  Changing,
	"modifying":                    Changing,
	"moving-to-vpc":                Changing,
	"renaming":                     Changing,
	"resetting-master-credentials": Changing,
	"storage-config-upgrade":       Changing,
	"upgrading":                    Changing,

	"creating":  Starting,
	"rebooting": Starting,
	"starting":  Starting,

	"delete-precheck":                     Unavailable,
	"deleting":                            Unavailable,
	"failed":                              Unavailable,
	"inaccessible-encryption-credentials": Unavailable,
	"inaccessible-encryption-credentials-recoverable": Unavailable,
	"incompatible-create":                             Unavailable,
	"incompatible-network":                            Unavailable,
	"incompatible-option-group":                       Unavailable,
	"incompatible-parameters":                         Unavailable,
	"incompatible-restore":                            Unavailable,
	"insufficient-capacity":                           Unavailable,
	"restore-error":                                   Unavailable,
	Stopped:                                           Unavailable,
	Stopping:                                          Unavailable,
	"storage-full":                                    Unavailable,
}

// Statuses returns the documented statuses that stand for a state, sorted.
func Statuses(state State) []string {
	var all []string
	for _, status := range slices.Sorted(maps.Keys(states)) {
		if states[status] == state {
			all = append(all, status)
		}
	}
	return all
}

// Of returns the state that a status stands for. Of a status that is not documented the prefix decides where it is known.
func Of(status string) State {
	if state, known := states[status]; known {
		return state
	}
	switch {
	case strings.HasPrefix(status, "configuring-"):
		return Operational
	case strings.HasPrefix(status, "incompatible-"), strings.HasPrefix(status, "inaccessible-"):
		return Unavailable
	}
	return ""
}

// Serves reports whether the instance answers queries.
func (s State) Serves() bool { return s == Operational || s == Changing }

// Passes reports whether the instance becomes available without help, so that waiting is enough.
func (s State) Passes() bool { return s == Operational || s == Changing || s == Starting }
