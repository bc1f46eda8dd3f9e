package history

// DatabaseSwap is one instance of the database put in the place of another. It is kept before the first step, so that whoever
// comes after an interruption knows what was meant.
type DatabaseSwap struct {
	// Snapshot is what the restored instance was made from: the one that comes in, or on the way back the one that goes.
	Snapshot string `json:"snapshot,omitempty"`
	// Revert says that an instance that was replaced before comes in again.
	Revert bool `json:"back,omitempty"`
	// Incoming and Outgoing are the instances' resource IDs, which no rename changes. Outgoing is "" where there was none.
	Incoming string `json:"incoming"`
	Outgoing string `json:"outgoing,omitempty"`
	// OldName is the name that the outgoing instance gets.
	OldName string `json:"aside"`
	// Tasks are how many each service was to have before.
	Tasks map[string]int32 `json:"tasks,omitempty"`
}

// Unfinished reports whether the database's exchange was begun and not brought to its end.
func (d *Deployment) Unfinished() bool { return d != nil && d.Restore != nil && d.Outcome != Succeeded }

// LastRestore returns the newest of the records, the newest first, with which the database was exchanged, or nil.
func LastRestore(records []Deployment) *Deployment {
	for i := range records {
		if records[i].Restore != nil {
			return &records[i]
		}
	}
	return nil
}
