package history

// DatabaseSwap replaces one instance of the database with another. It is saved before the first step, so that an interrupted swap can be
// continued or reversed.
type DatabaseSwap struct {
	// Snapshot is what the restored instance was created from, whichever instance that is.
	Snapshot string `json:"snapshot,omitempty"`
	// Revert reports that this swap reverses another.
	Revert bool `json:"back,omitempty"`
	// Incoming and Outgoing are the resource IDs of the instances, which a rename does not change. Outgoing is "" if there was no
	// database.
	Incoming string `json:"incoming"`
	Outgoing string `json:"outgoing,omitempty"`
	// OldName is the name that the outgoing instance gets.
	OldName string `json:"aside"`
	// Tasks are the desired counts of the services before the swap.
	Tasks map[string]int32 `json:"tasks,omitempty"`
}

// Unfinished reports whether a swap of the database was started and has not succeeded.
func (d *Deployment) Unfinished() bool { return d != nil && d.Restore != nil && d.Outcome != Succeeded }

// LastRestore returns the newest record of a swap, or nil.
func LastRestore(records []Deployment) *Deployment {
	return first(records, func(d *Deployment) bool { return d.Restore != nil })
}
